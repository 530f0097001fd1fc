package instances

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// snapshot is what readers see of a pool. It is immutable but for the counters inside the instances.
type snapshot struct {
	byID       map[string]entry
	candidates []sessions.Home
	healthy    []*Instance // for functions without sessions, which need no registry; draining ones if there are no others
	takers     []*Instance // of each candidate
	leaving    bool        // healthy are draining ones
	drained    []sessions.Home
	occupied   bool          // there are healthy instances that only their source calls full
	changed    chan struct{} // closed when candidates gain a member or a slot; shared by the snapshots in between
}

// entry is one ID of a snapshot.
type entry struct {
	instance      *Instance // nil: this pool removed it
	state         sessions.HomeState
	newer         sessions.HomeState // of incarnations that this replica has not heard of yet
	since         time.Time          // of HomeLost and HomeGone
	replacedBelow uint64
	candidate     bool
	through       uint64 // of a removed one: its last incarnation, if that is known
}

// gains says whether s has a candidate that old has not.
func (s *snapshot) gains(old *snapshot) bool {
	for _, home := range s.candidates {
		e := old.byID[home.ID]
		if !e.candidate || e.replacedBelow != home.Incarnation {
			return true
		}
	}
	return false
}

// Candidates returns up to n instances that may take a new session, in random order; all of them when n <= 0. They
// are healthy as far as this replica knows, none of their dials failed since the last probe, the registry knows
// their incarnation. Those with as many requests in flight as they may have are left out, unless all have: a new session
// there would be answered 429. Whether there is a slot is the store's to say.
func (p *Pool) Candidates(n int) []sessions.Home {
	s := p.current.Load()
	if n > 0 && n < len(s.candidates) {
		drawn := sample(len(s.candidates), n)
		return s.homes(len(drawn), func(i int) int { return drawn[i] })
	}
	homes := s.homes(len(s.candidates), func(i int) int { return i })
	rand.Shuffle(len(homes), func(i, j int) { homes[i], homes[j] = homes[j], homes[i] })
	return homes
}

// homes returns the n candidates that at names, without those that are full of requests unless all are.
func (s *snapshot) homes(n int, at func(int) int) []sessions.Home {
	homes := make([]sessions.Home, 0, n)
	for i := range n {
		if k := at(i); !s.takers[k].Full() {
			homes = append(homes, s.candidates[k])
		}
	}
	if len(homes) > 0 {
		return homes
	}
	for i := range n {
		homes = append(homes, s.candidates[at(i)])
	}
	return homes
}

// sample draws n of the numbers below total, each subset as likely as the next (Floyd's algorithm: n steps, however
// large total is), and shuffles them, because Floyd's order is not random.
func sample(total, n int) []int {
	drawn := make([]int, 0, n)
	for top := total - n; top < total; top++ {
		pick := rand.IntN(top + 1)
		if slices.Contains(drawn, pick) {
			pick = top
		}
		drawn = append(drawn, pick)
	}
	rand.Shuffle(n, func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	return drawn
}

// Changed returns a channel that is closed when the candidates next gain a member, or one of them a free slot.
func (p *Pool) Changed() <-chan struct{} { return p.current.Load().changed }

// State returns what this replica makes of h, and for HomeLost and HomeGone since when. It goes by h's ID and incarnation;
// an instance of another version is unknown here, whatever its ID. No version at all is the pool's own.
func (p *Pool) State(h sessions.Home) (sessions.HomeState, time.Time) {
	e, ok := p.current.Load().byID[h.ID]
	switch {
	case !ok || h.Version != "" && h.Version != p.version:
		return sessions.HomeUnknown, time.Time{}
	case e.through > 0 && h.Incarnation > e.through:
		return sessions.HomeUnknown, time.Time{} // another replica lists the place anew, or still
	case h.Incarnation < e.replacedBelow:
		return sessions.HomeReplaced, time.Time{}
	case h.Incarnation > e.replacedBelow:
		return e.newer, e.since
	default:
		return e.state, e.since
	}
}

// Lookup returns the instance that lives at h's place now, whatever its incarnation: ask State first.
func (p *Pool) Lookup(h sessions.Home) (*Instance, bool) {
	e := p.current.Load().byID[h.ID]
	return e.instance, e.instance != nil
}

// Pick returns an instance for a request that has no session: of two random healthy ones the one with fewer requests
// in flight. Instances for which exclude is true are left out; a nil exclude leaves none out. Draining ones are chosen only
// where no other is healthy. It returns false when no healthy instance remains. A registry that does not answer does not matter here.
func (p *Pool) Pick(exclude func(*Instance) bool) (*Instance, bool) {
	all := p.current.Load().healthy
	if len(all) == 0 {
		p.Want(1)
		return nil, false
	}
	// Two draws, not a scan: replicas that all sent to the emptiest would flood it together.
	drawn := [2]*Instance{all[rand.IntN(len(all))], all[rand.IntN(len(all))]}
	best := emptiest(drawn[:], exclude)
	if best == nil || best.Full() {
		best = emptiest(all, exclude)
	}
	if best == nil || best.Full() {
		p.Want(1)
	}
	return best, best != nil
}

func emptiest(all []*Instance, exclude func(*Instance) bool) *Instance {
	var best *Instance
	for _, i := range all {
		if exclude != nil && exclude(i) {
			continue
		}
		if best == nil || i.InFlight() < best.InFlight() {
			best = i
		}
	}
	return best
}
