package instances

import (
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// phase is the state of an instance that its source lists.
type phase uint8

const (
	phaseStarting phase = iota // not yet seen healthy, nor failed often enough
	phaseReady
	phaseUnhealthy // failing past its failures
)

// State names of a View.
const (
	StateStarting  = "starting"
	StateReady     = "ready"
	StateDraining  = "draining" // ready, but it takes no new session
	StateUnhealthy = "unhealthy"
	StateGone      = "gone"
)

func (p phase) String() string {
	switch p {
	case phaseStarting:
		return StateStarting
	case phaseReady:
		return StateReady
	default:
		return StateUnhealthy
	}
}

// circuit is what the last dials say, until a probe succeeds.
type circuit uint8

const (
	circuitClosed      circuit = iota
	circuitRefused             // nobody listens: no new sessions, but the next dial tells
	circuitUnreachable         // a dial timed out or the host was unreachable: nothing goes there
)

// result is what one probe found.
type result struct {
	began  time.Time
	opened int // health.opened when the probe began
	start  string
	err    error
}

// health is what this replica knows of one instance from its own probes and dials. It is not safe for concurrent
// use: the pool's mutex guards it.
type health struct {
	phase phase
	lost  bool      // declared lost; only then is phaseUnhealthy more than a suspicion
	since time.Time // when phase or lost changed last

	failures, successes int // in a row
	err                 error
	refused             bool      // the last failure was a refused dial
	failingSince        time.Time // when the first of the failures in a row began
	probedAt            time.Time // when the last finished probe began; zero before the first

	circuit circuit
	opened  int // how often the circuit has opened

	start      string // the nonce that the last successful probe gave
	program    string // the last nonce that was not empty
	named      string // the nonce of the incarnation that the registry named last
	lostAs     string // program, when the instance was declared lost
	unproven   bool   // the program may be another than the one of the known incarnation; the registry will tell
	unprovenAs int    // counts, so that the answer to an older report settles nothing
}

// pass takes in a successful probe. successes is how many in a row a lost instance needs.
func (h *health) pass(r result, successes int, now time.Time) {
	h.probedAt, h.failures, h.err, h.refused = r.began, 0, nil, false
	h.successes++
	h.learn(r.start)
	// A probe that began before the circuit opened may have connected before whatever opened it.
	if r.opened == h.opened {
		h.circuit = circuitClosed
	}
	if h.phase == phaseReady || h.lost && h.successes < successes {
		return
	}
	h.phase, h.since = phaseReady, now
}

// learn compares the probe's nonce with the last one. A missing nonce proves nothing in either direction.
func (h *health) learn(start string) {
	h.start = start
	if start == "" {
		return
	}
	// Another replica may have seen the new program first: then the incarnation is that program's already, and sessions
	// of it are not to be held back.
	if h.program != "" && h.program != start && start != h.named {
		h.doubt()
	}
	h.program = start
}

// doubt holds sessions back until the registry has said which incarnation is here now: routed at once, they would
// meet a program that has lost their state, and nobody would be told.
func (h *health) doubt() {
	h.unproven = true
	h.unprovenAs++
}

// returned ends a loss. While it lasted the store may have declared the incarnation lost; only the same nonce as
// before proves that the state is still there.
func (h *health) returned(storeLost bool) {
	h.lost = false
	if storeLost && (h.start == "" || h.start != h.lostAs) {
		h.doubt()
	}
}

// fail takes in a failed probe.
func (h *health) fail(r result) {
	if h.failures == 0 {
		h.failingSince = r.began
	}
	h.probedAt, h.err, h.refused = r.began, r.err, isRefused(r.err)
	h.failures++
	h.successes = 0
	if h.refused {
		h.open(circuitRefused)
	}
}

// open opens the circuit; the latest evidence counts. It says whether that changed anything.
func (h *health) open(c circuit) bool {
	if h.circuit == c {
		return false
	}
	h.circuit = c
	h.opened++
	return true
}

// lose declares the instance lost.
func (h *health) lose(now time.Time) {
	h.phase, h.lost, h.since, h.lostAs = phaseUnhealthy, true, now, h.program
}

// suspect marks an instance that failed past its failures, and that this replica is in no position to call lost.
func (h *health) suspect(now time.Time) {
	if h.phase != phaseUnhealthy {
		h.phase, h.since = phaseUnhealthy, now
	}
}

// healthy says whether the instance may get new work.
func (h *health) healthy() bool { return h.phase == phaseReady && h.circuit == circuitClosed }

// home is what sessions of the incarnation that is here are told.
func (h *health) home() sessions.HomeState {
	if h.unproven && !h.lost {
		return sessions.HomeSuspect
	}
	return h.newer()
}

// newer is what sessions of a later incarnation than the registry has told of are told: whoever pinned them knew it.
func (h *health) newer() sessions.HomeState {
	switch {
	case h.lost:
		return sessions.HomeLost
	case h.phase == phaseUnhealthy, h.circuit == circuitUnreachable:
		return sessions.HomeSuspect
	default:
		return sessions.HomeUp
	}
}

// report is what other replicas are told. Only a ready instance is up: an instance that is on its way back from a
// loss would otherwise begin a new incarnation with every probe that happens to succeed.
func (h *health) report() sessions.Health {
	switch {
	case h.lost && h.failures > 0:
		return sessions.HealthLost
	case h.healthy() && h.failures == 0:
		return sessions.HealthUp
	default:
		return sessions.HealthUnknown
	}
}
