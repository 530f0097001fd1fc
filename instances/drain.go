package instances

import (
	"slices"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// drain is what the registry said last of an instance's drain, in this machine's clock. The zero drain is none.
type drain struct {
	since, until time.Time
	// over says that the deadline has passed. Only the registry's clock says so: this one may be ahead, and the deadline
	// may have been put off.
	over bool
}

// newDrain is what r, which came at now, says. The record was read a moment before, so until is late rather than early.
func newDrain(r sessions.InstanceRecord, now time.Time) drain {
	if !r.Draining() {
		return drain{}
	}
	return drain{since: now.Add(-r.ReadAt.Sub(r.DrainingSince)), until: now.Add(r.DrainLeft()), over: r.Drained()}
}

func (d drain) on() bool { return !d.since.IsZero() }

// untilDeadline is how long until the next drain deadline of an instance is to be asked about; false if none is ahead.
func (p *Pool) untilDeadline(now time.Time) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ahead []time.Duration
	for _, i := range p.instances {
		if i.drain.on() && !i.drain.over {
			ahead = append(ahead, max(0, i.drain.until.Sub(now)))
		}
	}
	if len(ahead) == 0 {
		return 0, false
	}
	return slices.Min(ahead), true
}

// Drained returns the instances whose drain deadline has passed, as the registry said: their sessions are to leave.
func (p *Pool) Drained() []sessions.Home { return slices.Clone(p.current.Load().drained) }

// Refresh makes the pool ask the registry at once, because something was marked there.
func (p *Pool) Refresh() { p.reportNow() }

// logDrain tells of a drain that began, came to its deadline or was taken back.
func (p *Pool) logDrain(i *Instance, before drain) {
	log := p.log.With("instance", i.id, "url", i.url.String())
	switch now := i.drain; {
	case !before.on() && now.on():
		log.Info("instance drains: it takes no new session", "deadline", time.Until(now.until).Round(time.Second).String())
	case before.on() && !now.on():
		log.Info("instance drains no more")
	case !before.over && now.over:
		log.Info("the drain deadline has passed: sessions leave the instance", "sessions", i.sessions)
	}
}

// drains says whether i drains. Call with the pool's mutex held.
func (i *Instance) drains() bool { return i.draining || i.drain.on() }

// InFlight returns how many requests of this replica run on the instance of that ID; 0 for one that it does not know.
func (p *Pool) InFlight(id string) int {
	if i := p.current.Load().byID[id].instance; i != nil {
		return i.InFlight()
	}
	return 0
}
