package instances

import (
	"context"
	"net/url"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// wantedReportEvery bounds how often sessions without room make a pool ask the registry: what has ended elsewhere since
// may be the room that they look for, but a flood of sessions must not become a flood of questions.
const wantedReportEvery = 50 * time.Millisecond

// Elastic is a Source that makes and ends its places itself, as they are needed. Neither method blocks.
type Elastic interface {
	Source
	// Want says that n sessions or requests, at least 1, find no place with room. While they wait it is said again.
	Want(n int)
	// Told says how each of the source's places stands: after each report, whether or not the registry answered. What
	// is to follow from it must follow from the last call alone, as if all before it had been missed.
	Told(all []Standing)
}

// Standing is what a pool knows of a place.
type Standing struct {
	ID        string
	Candidate bool      // it may get new sessions
	LostSince time.Time // zero: it is not lost
	InFlight  int       // requests of this replica

	// What the registry said last. AsOf is when it was asked for that: zero if it never answered.
	AsOf     time.Time
	Used     bool // isolation: it has had its session
	Sessions int  // Active ones
	Draining bool // an operator wants it to become empty
}

// Mortal is a Source whose places end with the process that runs it.
type Mortal interface {
	// Left says whether the place of this ID was an earlier process's, on this replica: then it is no more.
	Left(id string) bool
}

// grows says whether Want can lead to anything.
func (p *Pool) grows() bool {
	elastic := p.elastic.Load()
	return elastic != nil && len(*elastic) > 0
}

// Want tells the sources that n sessions find no instance with room. It does not block.
func (p *Pool) Want(n int) {
	if !p.grows() {
		return
	}
	for _, e := range *p.elastic.Load() {
		e.Want(n)
	}
	now := time.Now().UnixNano()
	if last := p.wanted.Load(); now-last >= int64(wantedReportEvery) && p.wanted.CompareAndSwap(last, now) {
		p.reportNow()
	}
}

// Occupied says whether there are healthy instances that are no candidates only because they are full, as their source
// says.
func (p *Pool) Occupied() bool { return p.current.Load().occupied }

// noteElastic remembers which of the sources are. Call with the pool's mutex held.
func (p *Pool) noteElastic() {
	var all []Elastic
	for _, s := range p.sources {
		if e, ok := s.(Elastic); ok {
			all = append(all, e)
		}
	}
	p.elastic.Store(&all)
	p.inherited = false
}

// tellElastic tells each elastic source how its places stand.
func (p *Pool) tellElastic() {
	for _, e := range *p.elastic.Load() {
		e.Told(p.standings(e))
	}
}

func (p *Pool) standings(of Source) (all []Standing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.instances {
		if i.source != of {
			continue
		}
		s := Standing{
			ID: i.id, Candidate: i.candidate(), InFlight: i.InFlight(), AsOf: i.asOf, Used: i.used, Sessions: i.sessions,
			Draining: i.drain.on(), // not what the source itself says
		}
		if i.health.lost {
			s.LostSince = i.health.since
		}
		all = append(all, s)
	}
	return all
}

// inherit makes gone what an earlier process of this replica has left in the registry, once: nobody else would say so,
// and sessions would wait for a home that is no more.
func (p *Pool) inherit(ctx context.Context) error {
	p.mu.Lock()
	var mortal []Mortal
	for _, s := range p.sources {
		if m, ok := s.(Mortal); ok {
			mortal = append(mortal, m)
		}
	}
	done, registry := p.inherited || len(mortal) == 0, p.cfg.Registry
	p.mu.Unlock()
	if done {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	records, err := registry.Instances(ctx, p.cfg.Function)
	if err != nil {
		return err
	}
	p.bury(records, mortal)
	return nil
}

func (p *Pool) bury(records []sessions.InstanceRecord, mortal []Mortal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inherited = true
	now := time.Now()
	for _, r := range records {
		if r.Version != p.cfg.Version || !r.GoneAt.IsZero() {
			continue
		}
		for _, m := range mortal {
			if m.Left(r.ID) {
				i := p.newInstance(Place{ID: r.ID, URL: &url.URL{}}, now)
				i.incarnation.Store(r.Incarnation)
				p.remove(i, now)
				break
			}
		}
	}
	p.publish(false)
}
