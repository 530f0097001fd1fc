package instances

import (
	"context"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// Removed IDs are remembered for as long as the registry keeps theirs, so that their sessions find out that their
// home is lost; the number is bounded, because a source of passing names (a cluster's) never ends.
const (
	removalMemory = sessions.DefaultRetention
	maxRemovals   = 1024
)

// removal is an instance that no source lists any more.
type removal struct {
	instance *Instance
	at       time.Time
	reported bool
}

// sync takes over what the sources say.
func (p *Pool) sync() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.syncLocked()
}

func (p *Pool) syncLocked() {
	now := time.Now()
	old := make(map[string]*Instance, len(p.instances))
	for _, i := range p.instances {
		old[i.id] = i
	}
	roster, heard := p.roster()
	p.heard = heard
	p.tellClashes(roster.clashes)
	next := make([]*Instance, 0, len(roster.all))
	var started []*Instance
	for _, l := range roster.all {
		i := old[l.ID]
		if i != nil && i.url.String() == l.URL.String() {
			delete(old, l.ID)
			i.hearsay.Store(false)
		} else {
			i = p.newInstance(l.Place, now)
			started = append(started, i)
		}
		i.listedBy(l)
		next = append(next, i)
	}
	// Removals first: an instance that takes a removed one's ID must know that there was another.
	for _, i := range old {
		if !i.hearsay.Load() {
			p.remove(i, now)
		}
	}
	p.reach = newReach(p.cfg, next)
	next = append(next, p.hearsayBeside(next)...)
	for _, i := range started {
		p.succeed(i)
		p.startProbing(i)
	}
	p.instances = next
	p.forget(now)
	p.judge(now)
	p.publish(false)
	p.reportNow()
}

// listedBy takes over what the source says of the place.
func (i *Instance) listedBy(l listing) {
	i.source, i.draining, i.unready, i.filled = l.source, l.Draining, l.Unready, l.Full
	i.local, i.start = l.Local, l.Start
}

func (p *Pool) newInstance(place Place, now time.Time) *Instance {
	i := &Instance{
		id: place.ID, version: p.cfg.Version, url: place.URL, pool: p,
		wake: make(chan struct{}, 1), news: make(chan struct{}), health: health{since: now},
	}
	i.limit.Store(int64(p.cfg.RequestsPerInstance))
	i.gone, i.retire = context.WithCancel(context.Background())
	return i
}

// remove makes i gone.
func (p *Pool) remove(i *Instance, now time.Time) {
	i.retire()
	p.removed[i.id] = removal{instance: i, at: now}
	p.log.Info("instance gone", "instance", i.id, "url", i.url.String(), "in_flight", i.InFlight())
}

// succeed makes i the successor of a removed instance with its ID, if there is one: until the registry has named its
// incarnation, sessions of the other must not reach it. At the same address it may be the very same program, which an
// answer of the name server had left out for once: its start nonce tells, and the registry compares.
func (p *Pool) succeed(i *Instance) {
	if r, ok := p.removed[i.id]; ok {
		i.fresh, i.floor = true, max(r.instance.floor, r.instance.incarnation.Load())
		i.returns = !r.instance.fresh && r.instance.url.String() == i.url.String()
	}
}

// forget drops removals that are old, too many, or settled: reported, with a successor that the registry has named.
func (p *Pool) forget(now time.Time) {
	for _, i := range p.instances {
		if r, ok := p.removed[i.id]; ok && r.reported && !i.fresh {
			delete(p.removed, i.id)
		}
	}
	for id, r := range p.removed {
		if now.Sub(r.at) > removalMemory {
			delete(p.removed, id)
		}
	}
	for len(p.removed) > maxRemovals {
		var oldest string
		for id, r := range p.removed {
			if oldest == "" || r.at.Before(p.removed[oldest].at) {
				oldest = id
			}
		}
		delete(p.removed, oldest)
	}
}

// View is one instance as operators see it. It must never reach a client: it has the address.
type View struct {
	ID          string
	URL         string
	State       string    // one of the State constants
	Since       time.Time // when State began
	Suspect     bool      // failing past its failures, but this replica is in no position to call it lost
	CircuitOpen bool      // a dial failed and no probe has succeeded since
	Error       string    // of the last probe, "" when it succeeded
	InFlight    int       // requests of this replica
	Sessions    int       // Active ones, when the registry last answered
	Used        bool      // isolation: it has had its session
	DrainUntil  time.Time // of a draining instance: its sessions may stay until then; else zero
	Hearsay     bool      // only other replicas list it
	Incarnation uint64    // 0 until the registry has named one
}

// Snapshot returns the instances in their sources' order, then those that are gone and still have requests in
// flight.
func (p *Pool) Snapshot() []View {
	p.mu.Lock()
	defer p.mu.Unlock()
	views := make([]View, 0, len(p.instances))
	for _, i := range p.instances {
		views = append(views, i.view())
	}
	for _, r := range p.removed {
		if r.instance.InFlight() > 0 {
			v := r.instance.view()
			v.State, v.Since, v.Sessions, v.DrainUntil = StateGone, r.at, 0, time.Time{}
			views = append(views, v)
		}
	}
	return views
}

func (i *Instance) view() View {
	h := &i.health
	v := View{
		ID: i.id, URL: i.url.String(), State: h.phase.String(), Since: h.since,
		Suspect: h.phase == phaseUnhealthy && !h.lost, CircuitOpen: h.circuit != circuitClosed,
		InFlight: i.InFlight(), Sessions: i.sessions, Used: i.used, Hearsay: i.hearsay.Load(), Incarnation: i.incarnation.Load(),
	}
	if i.drain.on() {
		v.DrainUntil = i.drain.until
	}
	if i.drains() && h.phase == phaseReady {
		v.State = StateDraining
		if i.drain.on() {
			v.Since = i.drain.since
		}
	}
	if h.err != nil {
		v.Error = h.err.Error()
	}
	return v
}
