package sessions

import (
	"iter"
	"time"
)

// HomeState is what this replica makes of a session's home.
type HomeState uint8

const (
	// HomeUp: route to it. So is an instance that is not probed yet, or whose dial was refused a moment ago: the
	// next dial tells.
	HomeUp HomeState = iota
	// HomeSuspect: unreachable from here, or this replica suspects itself. Nobody may call it lost yet.
	HomeSuspect
	// HomeLost: failing past its failures.
	HomeLost
	// HomeGone: its source no longer lists it. Whoever says so knows, whatever other replicas still see.
	HomeGone
	// HomeReplaced: another incarnation lives at the place.
	HomeReplaced
	// HomeDrained: it drains, and the deadline has passed. It is up, but its sessions are to leave.
	HomeDrained
	// HomeUnknown: this replica has never heard of it. Discovery lags: unknown is not dead.
	HomeUnknown
)

// Pool is what the table needs to know of a function's instances. All methods are safe for concurrent use; State
// takes no lock and allocates nothing, for it is asked on every request.
type Pool interface {
	// Candidates returns up to n instances that may take a new session, in random order; all of them when n <= 0.
	Candidates(n int) []Home
	// Changed returns a channel that is closed when the candidates next change.
	Changed() <-chan struct{}
	// State returns what this replica makes of h, and for HomeLost and HomeGone since when (this machine's clock).
	State(h Home) (HomeState, time.Time)
	// Drained returns the instances whose State is HomeDrained.
	Drained() []Home
}

// Versions is what the Pool of an alias has besides: its instances are of several versions of one function, and a session
// stays with the version that it began on. Safe for concurrent use.
type Versions interface {
	// Offers yields candidates, at least one at a time and all of them of one version, in the order in which they are to be
	// tried. from is the version that a session comes from, "" for a new one. A new session is offered a version drawn by
	// weight, then, should that have no room, one drawn from the rest, and so on. One that comes from a version of the
	// alias is offered that version alone.
	Offers(from string) iter.Seq[[]Home]
}
