package process

import (
	"net/url"
	"time"

	"github.com/limpet-proxy/limpet/instances"
)

// state is how far a process is.
type state uint8

const (
	starting state = iota
	serving        // it has been healthy
	stopping       // it is no longer listed
	ended          // nothing of it is left
)

const (
	// settling is for how long a process that may get sessions counts as one that is about to: sessions that look for
	// room have not seen it yet.
	settling = 250 * time.Millisecond
	// pinTime is for how long after a process was taken from the candidates a session may still be placed there: longer
	// than the table's patience with its store.
	pinTime = 4 * time.Second
)

// process is one instance. The source's mutex guards all but what is set once, when it is made.
type process struct {
	id    string
	cfg   Config // of its round
	round int
	quit  chan struct{} // closed when it is to end
	url   *url.URL      // set when it serves

	state    state
	servedAt time.Time // when it was first healthy
	openAt   time.Time // when it first was a candidate; zero: not yet

	standing  instances.Standing
	used      bool      // it has, or had, the one session of its life
	idleSince time.Time // zero while it has sessions or requests

	marked     bool      // the registry says that it drains
	drained    time.Time // when it was taken from the candidates; zero: it was not
	drainUntil time.Time // sessions may stay until then; zero with drained: until they end
}

// told takes in how the process stands.
func (p *process) told(s instances.Standing, now time.Time) {
	p.standing = s
	if s.Candidate && p.openAt.IsZero() {
		p.openAt = now
	}
	// What it once was it stays, even if the registry forgets.
	p.used = p.used || p.cfg.Isolation && (s.Used || s.Sessions > 0)
	if s.Draining != p.marked {
		p.marked = s.Draining
		p.drain(now, time.Time{})
		if !p.marked {
			p.drain(time.Time{}, time.Time{})
		}
	}
	switch busy := s.Sessions > 0 || s.InFlight > 0; {
	case busy:
		p.idleSince = time.Time{}
	case p.idleSince.IsZero():
		p.idleSince = now
	}
}

func (p *process) drains() bool { return !p.drained.IsZero() }

// drain takes the process from the candidates. until is zero where its sessions may stay for as long as they like.
func (p *process) drain(now, until time.Time) {
	p.drained, p.drainUntil = now, until
}

// empty says whether the process has no sessions and will get none.
func (p *process) empty() bool {
	s := p.standing
	return p.drains() && s.Sessions == 0 && s.InFlight == 0 && s.AsOf.After(p.drained.Add(pinTime))
}

// over says whether its session has ended. A pin marks the process used and counts the session in one step, so no
// session can be on its way here.
func (p *process) over() bool {
	return p.used && p.standing.Sessions == 0 && !p.standing.AsOf.IsZero()
}

// upcoming says whether sessions are about to find it.
func (p *process) upcoming(now time.Time) bool {
	return p.state == starting || p.state == serving && (p.openAt.IsZero() || now.Sub(p.openAt) < settling)
}

// lostFor says for how long it has failed its probes for good.
func (p *process) lostFor(now time.Time) (time.Duration, bool) {
	since := p.standing.LostSince
	return now.Sub(since), !since.IsZero()
}

// leave takes the process from the list. end follows.
func (p *process) leave() { p.state = stopping }

// end makes the process end.
func (p *process) end() {
	if p.state != ended {
		p.leave()
	}
	select {
	case <-p.quit:
	default:
		close(p.quit)
	}
}
