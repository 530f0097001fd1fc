package sessions

import (
	"context"
	"time"
)

// Health is what a replica says of an instance.
type Health uint8

const (
	// HealthUnknown: not probed yet, failing but not past its failures, or the replica suspects itself.
	HealthUnknown Health = iota
	// HealthUp: the last probe succeeded.
	HealthUp
	// HealthLost: failing past its failures.
	HealthLost
	// HealthGone: its source no longer lists it.
	HealthGone
)

// InstanceReport is one replica's view of one instance.
type InstanceReport struct {
	ID     string
	URL    string
	Start  string // the probe's start nonce (Limpet-Instance-Start); "" when the instance gives none
	Health Health
}

// Report is one replica's view of one pool.
type Report struct {
	Function, Version string
	// AliveWithin is how recent another replica's HealthUp must be to overrule this one's HealthLost.
	AliveWithin time.Duration
	// LossGrace is 0 where sessions are re-homed on loss. Otherwise sessions wait this long for their home: an
	// instance lost for less returns as the same incarnation.
	LossGrace time.Duration
	Instances []InstanceReport
}

// InstanceRecord is what replicas share about an instance.
type InstanceRecord struct {
	Home
	URL         string
	Start       string    // nonce of this incarnation's program, "" if it gave none yet
	CreatedAt   time.Time // of this incarnation
	LastHealthy time.Time // zero if never; monotonic
	LostAt      time.Time // zero unless lost
	GoneAt      time.Time // zero unless gone
	Used        bool      // isolation: it has had its session
	Sessions    int       // Active sessions pinned to this incarnation
	// DrainingSince is zero unless this incarnation drains. From DrainDeadline on its sessions may be moved, or ended.
	DrainingSince, DrainDeadline time.Time
	ReadAt                       time.Time // when the store made this copy; compare the others with it only
}

// Registry is what replicas share about instances; Pin and Rehome obey it.
//
// The rules of Report, for each instance, in the store's clock:
//   - Without a record: one is made with a new incarnation (the clock in µs, greater than any before).
//   - HealthUp sets LastHealthy. If Start is set and differs from the record's Start and from the Start before
//     that (a late report of a replica that probed before the restart), the program was replaced: new
//     incarnation. A Start learned for a record that had none, and an empty Start, change nothing.
//   - HealthUp of a lost record: the same non-empty Start proves that the state is still there, so the
//     incarnation stays, unless LossGrace > 0 has passed since LostAt; without such proof a new incarnation
//     begins if LossGrace has passed (at once when it is 0). Lost is cleared.
//   - HealthUp of a gone record: gone is cleared. The same non-empty Start at the same URL proves that the state is
//     still there, so the incarnation stays, unless LossGrace > 0 has passed since GoneAt; else a new one begins.
//   - HealthLost sets LostAt, once, if no replica saw the instance healthy within AliveWithin.
//   - HealthGone sets GoneAt, once.
//   - A new incarnation clears used, draining, lost and gone and starts with no sessions; sessions of the one before
//     keep counting against the one before.
type Registry interface {
	// Report stores the view and returns the record of each reported instance, in the order given, after the
	// rules were applied. Idempotent. ErrUnavailable.
	Report(ctx context.Context, r Report) ([]InstanceRecord, error)
	// Mark makes an incarnation drain, or takes that back, and returns its record. From the return on Pin and Rehome
	// place nothing there; what is there stays. Marked again it keeps DrainingSince and gets the new deadline, sooner or
	// later than before; to take back what was not marked changes nothing. The mark is as durable as sessions are, stays
	// when the incarnation is lost and returns, and goes with it. ErrUnknownInstance: there is no record, it is gone, or
	// another incarnation lives there. ErrUnavailable.
	Mark(ctx context.Context, m Mark) (InstanceRecord, error)
	// Instances returns all records of the function, gone ones too, for DefaultRetention. ErrUnavailable.
	Instances(ctx context.Context, function string) ([]InstanceRecord, error)
}
