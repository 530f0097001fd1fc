package sessions

import "time"

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
