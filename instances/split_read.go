package instances

import (
	"context"
	"iter"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// Offers yields the candidates of a drawn version, then of the others; for a session that comes from a version of the
// alias, those of that version alone. See sessions.Versions.
func (s *Split) Offers(from string) iter.Seq[[]sessions.Home] {
	return func(yield func([]sessions.Home) bool) {
		offer := func(p *Pool) (enough bool) {
			all := p.Candidates(0)
			return len(all) > 0 && !yield(all)
		}
		if s.keeps[from] {
			offer(s.pools[from])
			return
		}
		s.draw(offer)
	}
}

// Candidates returns up to n candidates for a new session, all of one version, which is drawn.
func (s *Split) Candidates(n int) (homes []sessions.Home) {
	s.draw(func(p *Pool) bool {
		homes = p.Candidates(n)
		return len(homes) > 0
	})
	return homes
}

// State returns what this replica makes of h, of whatever version. One that this replica has never heard of is unknown:
// another has reloaded already. One that a reload has taken away is gone.
func (s *Split) State(h sessions.Home) (sessions.HomeState, time.Time) {
	if p := s.pools[h.Version]; p != nil {
		return p.State(h)
	}
	if since, ok := s.removed[h.Version]; ok {
		return sessions.HomeGone, since
	}
	return sessions.HomeUnknown, time.Time{}
}

// Lookup returns the instance that lives at h's place now, whatever its incarnation: ask State first.
func (s *Split) Lookup(h sessions.Home) (*Instance, bool) {
	if p := s.pools[h.Version]; p != nil {
		return p.Lookup(h)
	}
	return nil, false
}

// Drained returns the drained instances of all versions: any may be home to sessions of the alias.
func (s *Split) Drained() (all []sessions.Home) {
	for _, p := range s.pools {
		all = append(all, p.Drained()...)
	}
	return all
}

// Pick draws a version for each request, and returns an instance of it as its pool picks one. A version whose instances
// all drain is left out like one without a healthy instance, unless there is no other.
func (s *Split) Pick(exclude func(*Instance) bool) (best *Instance, ok bool) {
	for _, leaving := range []bool{false, true} {
		s.draw(func(p *Pool) bool {
			if p.current.Load().leaving != leaving {
				return false
			}
			best, ok = p.Pick(exclude)
			return ok
		})
		if ok {
			return best, true
		}
	}
	return nil, false
}

// Changed returns a channel that is closed when the candidates of a version next gain a member or a free slot. After Close
// it is nil: what would close it has ended, and whoever waits must not wait for it alone.
func (s *Split) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return nil
	}
	if s.changed == nil || s.changed.Err() != nil {
		s.changed = s.merge()
	}
	return s.changed.Done()
}

// merge returns a context that ends with the next change of any pool. Its goroutines end with it, and with the split.
func (s *Split) merge() context.Context {
	ctx, cancel := context.WithCancel(s.life)
	follow := func(changed <-chan struct{}) {
		defer cancel()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	for _, sh := range s.shares {
		go follow(sh.pool.Changed()) // asked for here: what changes before the goroutine runs must not be missed
	}
	return ctx
}
