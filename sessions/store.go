package sessions

import (
	"context"
	"errors"
	"time"
)

// The conditions that a Store answers with. Each is wrapped, never replaced: test with errors.Is.
var (
	// ErrExists means that an Active session has the key.
	ErrExists = errors.New("session exists already")
	// ErrNotFound means that no Active session has the key.
	ErrNotFound = errors.New("no such active session")
	// ErrFull means that no candidate has a free session slot.
	ErrFull = errors.New("no instance has a free session slot")
	// ErrIDReuse means that the ID's session has expired and forbids that the ID is used again.
	ErrIDReuse = errors.New("session has ended and its ID may not be used again")
	// ErrMismatch means that a session of this ID was made by a call with other arguments.
	ErrMismatch = errors.New("session was made by another call")
	// ErrMoved means that the caller's copy of a session is out of date: its epoch is not the record's.
	ErrMoved = errors.New("session has moved")
	// ErrAlive means that the home may not be declared lost: some replica saw it healthy a moment ago.
	ErrAlive = errors.New("session's home is alive")
	// ErrUnavailable means that the store cannot answer. Whether a write took place is unknown.
	ErrUnavailable = errors.New("session store unavailable")
	// ErrCorrupt means that stored data fails its checksum or cannot be decoded.
	ErrCorrupt = errors.New("session store corrupt")
)

const (
	// MaxSessionName is the length in bytes of the longest Session.Name.
	MaxSessionName = 400
	// MaxFingerprint is the length in bytes of the longest PinRequest.Fingerprint.
	MaxFingerprint = 32
)

// Mode says what a Pin does with an ID that has, or has not, an Active session.
type Mode uint8

const (
	// GetOrCreate returns the Active session or makes one.
	GetOrCreate Mode = iota
	// Create makes a session; ErrExists if one is Active.
	Create
	// Existing returns the Active session; ErrNotFound if there is none.
	Existing
)

// Placement is where a session may go.
type Placement struct {
	// Candidates are instances that the caller knows to be healthy and not draining, in random order: of those
	// equally loaded the store takes the first. All are of one Version.
	Candidates []Home
	// PerInstance is how many sessions an instance holds at most; at least 1.
	PerInstance int
	// Isolation makes a pin mark the instance used: it takes no other session in its life.
	Isolation bool
}

// PinRequest asks for the session of a key.
type PinRequest struct {
	Key
	Mode Mode
	Settings
	Affinity Affinity
	Origin   Origin
	Name     string // at most MaxSessionName bytes
	// Fingerprint stands for the arguments of an idempotent call, whose ID is derived from the caller's token. With
	// Mode Create and a fingerprint, at most MaxFingerprint bytes, the youngest record of the ID that was made with
	// one decides, Active or Ended: the same fingerprint gets this session, created false; another one ErrMismatch.
	Fingerprint string
	Placement
}

// UpdateRequest changes the settings of a session. What is nil stays as it is.
type UpdateRequest struct {
	Key
	TTL, IdleTimeout *time.Duration
	DisableIDReuse   *bool
}

// Apply returns s with the changes of r.
func (r UpdateRequest) Apply(s Settings) Settings {
	if r.TTL != nil {
		s.TTL = *r.TTL
	}
	if r.IdleTimeout != nil {
		s.IdleTimeout = *r.IdleTimeout
	}
	if r.DisableIDReuse != nil {
		s.DisableIDReuse = *r.DisableIDReuse
	}
	return s
}

// RehomeRequest asks to move a session whose home is lost, or has drained.
type RehomeRequest struct {
	Session Session // as the caller knows it; its epoch is compared
	Reason  string  // one of the Reason constants
	// Certain says that the home is lost whatever other replicas saw: its dial was refused, which proves that its
	// program is dead, or its source no longer lists it.
	Certain bool
	// Drained says that the home drains and its deadline has passed, which the store looks at: if it is not so, by its
	// clock and at this moment, the home is alive. Certain and AliveWithin do not count then.
	Drained bool
	// AliveWithin is how recent another replica's sight of the healthy home must be to forbid the move.
	AliveWithin time.Duration
	Placement
}

// BindRequest asks that a reservation becomes a session: see Pins.Bind.
type BindRequest struct {
	Reservation Session // as Pin or Rehome returned it
	ID          string  // of its function and qualifier; not a reservation's
	Settings            // of the session
}

// Pins change which session has a key and where its home is. Every operation is atomic, linearizable per key and
// idempotent: repeated by a client that lost the answer, it gives the same result. Capacity (PerInstance) and
// isolation hold under any race. All may return ErrUnavailable.
//
// A reservation is a session under a key that ReservedKey made: a slot for a session whose ID is not known yet. Pin makes
// it, with Mode Create and a short TTL; Rehome may move it; End, with keep or without, ends it without a trace, as its
// deadline does. It counts where sessions are counted, and uses an instance up where there is isolation; nothing lists it,
// and to Get, History and Update it is not there.
type Pins interface {
	// Pin returns the Active session of the key, or makes one on the least loaded candidate with room. A record
	// whose deadline has passed counts as ended. created says whether this call made it. The store refuses
	// candidates that its registry says are used, draining, gone, or of an older incarnation than the registry's.
	//
	// ErrExists, ErrNotFound by Mode; ErrFull when no candidate has room or none was given; ErrIDReuse; ErrMismatch.
	Pin(ctx context.Context, r PinRequest) (s Session, created bool, err error)
	// Bind makes a live reservation, of the epoch given, the session of an ID: created now, with the reservation's home,
	// affinity and origin, with an epoch above any that the ID had and with no event pending, for whoever binds tells the
	// client. The reservation is gone with that, in one step: the slot stays taken throughout. created says that this
	// reservation became the session; so it says when asked again. An Active session of the ID with the very same home
	// is returned instead, created false, and the reservation, should it live, gives its slot back.
	//
	// ErrExists when the ID has an Active session elsewhere; ErrNotFound when the reservation is over, or its epoch another;
	// ErrIDReuse.
	Bind(ctx context.Context, r BindRequest) (s Session, created bool, err error)
	// Rehome moves the session to another instance than its home and raises the epoch by one. The home's slot is
	// given back. The same place with a greater incarnation is another instance.
	//
	// ErrMoved with the current session when the epoch differs: another replica was faster, or the ID has a new
	// session. ErrAlive when the registry has the home, of the same incarnation, not gone and not lost, healthy
	// within AliveWithin, and Certain is false; with Drained, when the home's drain deadline has not passed. ErrNotFound,
	// ErrFull.
	Rehome(ctx context.Context, r RehomeRequest) (Session, error)
	// End ends the session if its epoch is still the record's, and gives its slot back at once. With keep the
	// record stays listed as Ended for its retention, and blocks its ID if the settings say so; without, every
	// trace is removed. A session with requests in flight, by a touch within InFlightLease, is listed as Ending for
	// as long as touches say so, also without keep: then it is Deleted, blocks nothing, and vanishes afterwards.
	// It returns the session as it ended. ErrNotFound, ErrMoved.
	End(ctx context.Context, s Session, keep bool) (Session, error)
	// Update changes the settings of the key's Active session and sets ModifiedAt. It counts as a use, so that an
	// idle timeout made shorter runs from now. Home, epoch and event stay. A TTL that is over already ends the
	// session with this. ErrNotFound.
	Update(ctx context.Context, r UpdateRequest) (Session, error)
}

// Touch reports that a session was in use Age ago.
type Touch struct {
	Key
	Epoch     uint64
	Age       time.Duration
	Delivered bool // the Event of this epoch reached client and instance
	InFlight  bool // requests of it run at this moment, on the replica that says so
}

// Life keeps deadlines.
type Life interface {
	// Touch postpones the idle deadlines of Active sessions by their own settings and the store's clock. It is
	// monotonic: an older touch changes nothing, none revives an ended session, and one with another epoch is
	// ignored. It never fails for a single touch. It returns the indices of the touches whose session is not Active
	// with that epoch, in any order: the replica that sent them must forget it. A touch with InFlight counts for that
	// too: it keeps the ended session Ending. ErrUnavailable, together with what is known nevertheless.
	Touch(ctx context.Context, touches []Touch) (stale []int, err error)
	// Sweep ends the function's sessions whose deadline has passed (kept as Ended, with the deadline as EndedAt),
	// forgets ended ones whose retention is over, and returns how many it ended, reservations among them. Correctness
	// never waits for it:
	// every operation treats a passed deadline as the end. ErrUnavailable.
	Sweep(ctx context.Context, function string) (ended int, err error)
}

// Query selects sessions of one function for a listing: those of a qualifier, or those whose home is, or was when
// they ended, one instance. Walk puts several such listings together.
type Query struct {
	Function  string
	Qualifier string // "" with Instance
	// Version and Instance name the home's place, whatever its incarnation and whatever qualifier a session has.
	Version, Instance string
	State             State  // Active; or Ended, which has the Ending too
	After             string // Cursor of the last page, or "" for the first
	Limit             int    // page size, at least 1
}

// Page is one page of a listing, by creation time, then ID; the Active ones of an instance in an order of the store's.
// It may have fewer sessions than the limit, or none, and not be the last.
type Page struct {
	Sessions []Session
	Cursor   string // "" on the last page
}

// Records read sessions without changing them.
type Records interface {
	// Get returns the Active session of the key. ErrNotFound.
	Get(ctx context.Context, k Key) (Session, error)
	// List returns a page at a cost that depends on its size only. An Active session whose deadline passed a
	// moment ago may be listed as Active until the next sweep, within 2 s. An ill-formed cursor lists from the
	// start.
	List(ctx context.Context, q Query) (Page, error)
	// History returns every record of the key's ID in this function and qualifier, by epoch: ended ones, and the
	// Active one last.
	History(ctx context.Context, k Key) ([]Session, error)
	// Qualifiers returns the qualifiers of the function that have had a session, sorted. One whose sessions are all
	// forgotten may be among them.
	Qualifiers(ctx context.Context, function string) ([]string, error)
}

// Shared is what replicas of one deployment have in common.
type Shared interface {
	// Secret returns 32 random bytes, made at the first call with this name by any replica and the same ever
	// after, for as long as the store keeps its data. ErrUnavailable.
	Secret(ctx context.Context, name string) ([]byte, error)
	// Ping says whether the store answers. ErrUnavailable.
	Ping(ctx context.Context) error
	// Close flushes and releases what the store holds. Operations under way may fail.
	Close() error
}

// Names are words that count once: what a replayed request is told by.
type Names interface {
	// Once says whether this is the first call with the name within ttl, of all replicas. It is durable where sessions
	// are. ErrUnavailable: unknown, and the name may count as used.
	Once(ctx context.Context, name string, ttl time.Duration) (first bool, err error)
	// Forget undoes it: the next Once with the name is the first again. A crash may undo that in turn. ErrUnavailable.
	Forget(ctx context.Context, name string) error
}

// Store keeps sessions. It is safe for concurrent use. storetest is its conformance suite.
type Store interface {
	Pins
	Life
	Records
	Registry
	Shared
	Names
}
