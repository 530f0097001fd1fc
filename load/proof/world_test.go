package proof_test

import (
	"github.com/limpet-proxy/limpet/load/proof"
)

// world is instances, a proxy that keeps affinity and announces its moves, and one session's client. What happens next
// is up to choose, so that a random source and a fuzzer can both drive it.
type world struct {
	choose  func(n int) int // 0 to n-1
	byEpoch bool            // the instances key their state by ID and epoch, not by ID alone
	base    uint64          // what a counter shows of its first request, 0 or 1

	instances []instance
	pinned    bool
	pin       pin
	lastEpoch uint64
	pending   string // the event that is to be announced
	late      []func()

	client proof.Session
}

// pin binds the session to a program, which is another one after a restart.
type pin struct{ instance, incarnation int }

type instance struct {
	incarnation int
	counts      map[uint64]uint64 // by epoch, or all under 0
}

func newWorld(choose func(n int) int) *world {
	w := &world{choose: choose, byEpoch: choose(2) == 1, base: uint64(choose(2))}
	for range 2 + choose(3) {
		w.instances = append(w.instances, instance{counts: map[uint64]uint64{}})
	}
	return w
}

// route returns the session's home, after the moves that a proxy has to make and will announce.
func (w *world) route() pin {
	if w.pinned && w.instances[w.pin.instance].incarnation == w.pin.incarnation {
		return w.pin
	}
	w.pending = "created"
	if w.pinned {
		w.pending = "rehomed"
	}
	n := w.choose(len(w.instances))
	w.pin, w.pinned = pin{n, w.instances[n].incarnation}, true
	w.lastEpoch += 1 + uint64(w.choose(3))
	return w.pin
}

// execute runs a request at a program, if that is still there, and returns what its response shows.
func (w *world) execute(at pin, epoch uint64) proof.Observation {
	home := &w.instances[at.instance]
	key := uint64(0)
	if w.byEpoch {
		key = epoch
	}
	o := proof.Observation{From: name(at.instance), Epoch: epoch, Counted: true}
	if home.incarnation == at.incarnation {
		o.Count = home.counts[key] + w.base
		home.counts[key]++
	}
	return o
}

// announce takes the pending event along with a response; now and then another one repeats it.
func (w *world) announce(o *proof.Observation) {
	o.Event = w.pending
	if w.choose(4) != 0 {
		w.pending = ""
	}
}

func name(n int) string { return string(rune('a' + n)) }

// step does one thing that can happen around a proxy that is in order, and returns what the client makes of it.
func (w *world) step() (finding proof.Finding, judged bool) {
	switch w.choose(12) {
	case 0:
		w.restart(w.choose(len(w.instances)))
	case 1: // the session has expired
		w.pinned = false
	case 2: // the proxy refuses the request, or it is lost on the way there
		w.client.Lost()
	case 3: // the answer is lost
		w.request()
		w.client.Lost()
	case 4: // the client gives up on a request that the proxy has not passed on yet
		w.late = append(w.late, func() { w.request() })
		w.client.Lost()
	case 5: // or that waits at the instance
		at, epoch := w.route(), w.lastEpoch
		w.late = append(w.late, func() {
			w.execute(at, epoch)
			w.announce(new(proof.Observation))
		})
		w.client.Lost()
	case 6:
		w.finishLate()
	case 7: // an instance's response that counts nothing, or does not say so
		o := proof.Observation{From: name(w.route().instance), Epoch: w.lastEpoch}
		if w.choose(2) == 1 {
			w.execute(w.pin, w.lastEpoch)
		}
		w.announce(&o)
		return w.client.Saw(o), true
	default:
		return w.client.Saw(w.request()), true
	}
	return proof.Finding{}, false
}

// request is one from the proxy to the instance and back.
func (w *world) request() proof.Observation {
	o := w.execute(w.route(), w.lastEpoch)
	w.announce(&o)
	return o
}

func (w *world) restart(n int) {
	w.instances[n] = instance{incarnation: w.instances[n].incarnation + 1, counts: map[uint64]uint64{}}
}

// finishLate executes one of the requests that the client has given up on.
func (w *world) finishLate() {
	if len(w.late) == 0 {
		return
	}
	n := w.choose(len(w.late))
	run := w.late[n]
	w.late = append(w.late[:n:n], w.late[n+1:]...)
	run()
}
