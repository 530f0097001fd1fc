// Package sessions is the session table: what a session is, when it is alive and where its home is.
//
// It knows nothing of HTTP and nothing of Redis. The table keeps an in-process LRU in front of a Store,
// sends one flight per key for a miss, and batches what it knows of use back to the store as touches.
package sessions

import "time"

// LatestQualifier is the qualifier of a function that names none, as in Function Compute.
const LatestQualifier = "LATEST"

// Key names a session. Qualifier is the one that the caller named, not the version it resolved to.
type Key struct{ Function, Qualifier, ID string }

// Home names an instance that a session is pinned to, or could be.
//
// ID is the configured or discovered name, which users see; it names a place. Incarnation tells which of the
// programs that have lived at that place is meant: the store raises it when a program was replaced or lost, so
// that a session that slept through a restart is told that its state is gone. Incarnations of one place only
// grow. Version is the qualifier whose pool the instance belongs to.
type Home struct {
	Version     string
	ID          string
	Incarnation uint64
}

// State says how far a session's life has come.
type State uint8

const (
	// Active sessions are routed.
	Active State = iota
	// Ending sessions have ended while requests of theirs still run: some replica said so within InFlightLease. They
	// hold no slot and are routed nothing.
	Ending
	// Ended sessions stay listed for the retention.
	Ended
)

// String returns the state's name in lower case, as logs and listings show it.
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Ending:
		return "ending"
	default:
		return "ended"
	}
}

// Affinity names how a session ID travels in a function's messages, in Function Compute's words.
type Affinity string

const (
	// AffinityNone is for functions without sessions.
	AffinityNone Affinity = "NONE"
	// AffinityHeader reads the ID from a header.
	AffinityHeader Affinity = "HEADER_FIELD"
	// AffinityCookie keeps the ID in a signed cookie that Limpet makes.
	AffinityCookie Affinity = "GENERATED_COOKIE"
	// AffinityMCPStreamable follows MCP's Streamable HTTP transport.
	AffinityMCPStreamable Affinity = "MCP_STREAMABLE"
	// AffinityMCPSSE follows MCP's older HTTP+SSE transport.
	AffinityMCPSSE Affinity = "MCP_SSE"
)

// Origin says what made a session.
type Origin uint8

const (
	// OriginRequest sessions were made on demand, by a request.
	OriginRequest Origin = iota
	// OriginAPI sessions were made by a call of the session API.
	OriginAPI
)

// EventKind says what happened to a session's home.
type EventKind uint8

const (
	// NoEvent means that client and instance know all there is to know.
	NoEvent EventKind = iota
	// EventCreated means that the session is new: whatever an earlier session of this ID left is gone.
	EventCreated
	// EventRehomed means that the session was moved and its state stayed behind.
	EventRehomed
)

// Event is what client and instance have not been told yet. The zero Event means nothing is pending.
type Event struct {
	Kind   EventKind
	Reason string // of a re-home, one of the Reason constants
	From   string // of a re-home, the ID of the instance that was lost
}

// Why a session was re-homed, as Limpet-Session-Event gives it.
const (
	ReasonLost      = "instance lost"      // unhealthy past its failures, or its dial was refused
	ReasonRestarted = "instance restarted" // another program answers at the same place
	ReasonGone      = "instance gone"      // its source no longer lists it
	ReasonDrained   = "drained"            // it was drained, and the deadline has passed
)

// Settings are the limits of one session's life.
type Settings struct {
	TTL            time.Duration // from creation; at least a millisecond
	IdleTimeout    time.Duration // since the last request; 0 means no idle limit
	DisableIDReuse bool          // after the session expired its ID is refused for ReuseBlock
}

const (
	// MaxTouchInterval is how often a replica writes its touches at the least: once a second.
	MaxTouchInterval = time.Second
	// MinTouchInterval bounds how often a short idle timeout makes a replica write its touches.
	MinTouchInterval = 20 * time.Millisecond
	// InFlightLease is for how long one touch with InFlight stands for requests that run: longer than two touch
	// intervals, so that one late batch ends nothing, and short, because a replica that dies takes its requests along.
	InFlightLease = 2500 * time.Millisecond
	// DefaultRetention is how long an ended session stays listed.
	DefaultRetention = 24 * time.Hour
	// ReuseBlock is how long the ID of an expired session with DisableIDReuse is refused, and so how long its
	// record is kept: three days, as Function Compute documents.
	ReuseBlock = 72 * time.Hour
)

// TouchInterval is how often a replica writes the touches of a session with this idle timeout: a tenth of it, but
// not less often than MaxTouchInterval nor more often than MinTouchInterval.
func (s Settings) TouchInterval() time.Duration {
	if s.IdleTimeout <= 0 {
		return MaxTouchInterval
	}
	return min(MaxTouchInterval, max(MinTouchInterval, s.IdleTimeout/10))
}

// grace is one touch interval. From an idle timeout of a second on it is the longest one: a replica with a stream of
// the session in flight goes on touching at the pace of the settings that it knows, also when an update through
// another replica has made the idle timeout shorter.
func (s Settings) grace() time.Duration {
	if s.IdleTimeout >= time.Second {
		return MaxTouchInterval
	}
	return s.TouchInterval()
}

// Deadline is the moment at which a session with these settings ends unless it is used again.
//
// A replica that dies may take one batch of touches with it, so the idle deadline has a grace: a session never
// expires early, and at most a few intervals late. Stores compute every deadline by this rule (redisstore in Lua), on
// their own clock.
func (s Settings) Deadline(created, lastUsed time.Time) time.Time {
	end := created.Add(s.TTL)
	if s.IdleTimeout <= 0 {
		return end
	}
	if idle := lastUsed.Add(s.IdleTimeout + s.grace()); idle.Before(end) {
		return idle
	}
	return end
}

// Retention is how long the record of an ended session with these settings is kept.
func (s Settings) Retention() time.Duration {
	if s.DisableIDReuse {
		return ReuseBlock
	}
	return DefaultRetention
}

// Session is the binding of a session ID to one instance of one function and qualifier. It is immutable once
// returned: a change is a new Session. All times are of the store's clock; compare them with ReadAt, never with
// this machine's.
type Session struct {
	Key
	Home  Home
	Epoch uint64 // of two pins of one key the later has the greater: the store's clock in µs at creation, +1 per re-home
	State State
	Settings
	Affinity   Affinity
	Origin     Origin
	Name       string // that an API call gave it, for people; "" for none
	Deleted    bool   // Ending, and every trace goes with its last request: listed for that long
	Event      Event  // created or re-homed, until a touch reports it delivered
	CreatedAt  time.Time
	ModifiedAt time.Time // creation, re-home or update; not use
	EndedAt    time.Time // zero while Active; of an Ending one, when it was ended
	Deadline   time.Time // when the session ends unless it is used again, grace included; for an Active session
	ReadAt     time.Time // when the store made this copy
}
