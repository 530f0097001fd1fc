package instances

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// SplitConfig says what an alias is made of.
type SplitConfig struct {
	// Pools are those of all versions of the function, by version: also of those without a weight, which may still be home
	// to sessions of the alias. Never modified.
	Pools map[string]*Pool
	// Weights are the shares of new sessions, by version, each with a pool. A version of weight 0 gets none and keeps what it
	// has; a session of a version that is not here may leave it, once its home is lost or has drained.
	Weights map[string]int
	// Removed are versions that are no longer configured, and since when. Never modified.
	Removed map[string]time.Time
}

var (
	_ sessions.Pool     = (*Split)(nil)
	_ sessions.Versions = (*Split)(nil)
)

// Split is the instances of an alias: the pools of the versions that its new sessions are shared out to. It has no
// instances of its own and runs nothing, and a change of weights makes another one over the same pools. It serves a version
// beside others too, with all the weight: sessions from the time when the entry was an alias are at home with another. Safe
// for concurrent use.
type Split struct {
	pools   map[string]*Pool
	removed map[string]time.Time
	shares  []share // of versions with a weight above 0, by version
	total   int     // of their weights
	keeps   map[string]bool

	life context.Context // of what Changed started
	end  context.CancelFunc

	mu      sync.Mutex
	changed context.Context // done when the candidates of a version have changed; nil: nobody has asked
}

type share struct {
	pool   *Pool
	weight int
}

// NewSplit returns a split; Close ends it. ErrConfig.
func NewSplit(cfg SplitConfig) (*Split, error) {
	s := &Split{pools: cfg.Pools, removed: cfg.Removed, keeps: map[string]bool{}}
	for version, weight := range cfg.Weights {
		pool := cfg.Pools[version]
		if pool == nil || weight < 0 {
			return nil, fmt.Errorf("%w: no instances of version %s, or its weight %d is negative", ErrConfig, version, weight)
		}
		s.keeps[version] = true
		if weight > 0 {
			s.shares = append(s.shares, share{pool, weight})
			s.total += weight
		}
	}
	if s.total == 0 {
		return nil, fmt.Errorf("%w: no version has a weight above 0", ErrConfig)
	}
	slices.SortFunc(s.shares, func(a, b share) int { return cmp.Compare(a.pool.Version(), b.pool.Version()) })
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Version returns the version whose pool it is.
func (p *Pool) Version() string { return p.version }

// Close ends what waits for a change: Changed says nothing any more. Everything else works as before, for requests that
// are still under way on this split when another has taken its place.
func (s *Split) Close() { s.end() }

// draw calls try with the pools in an order drawn by weight, until it returns true: each next one is drawn from those that
// are left, so the share of a version that try has no use for goes to the others, by their weights.
func (s *Split) draw(try func(*Pool) bool) {
	var tried []bool // made for the second one only: mostly the first will do
	for left := s.total; left > 0; {
		n, i := rand.IntN(left), 0
		for ; ; i++ {
			if tried != nil && tried[i] {
				continue
			}
			if n < s.shares[i].weight {
				break
			}
			n -= s.shares[i].weight
		}
		if try(s.shares[i].pool) {
			return
		}
		if tried == nil {
			tried = make([]bool, len(s.shares))
		}
		tried[i] = true
		left -= s.shares[i].weight
	}
}

// Want asks for room for n sessions: the version that they have to stay with or, where version is none such, one that is
// drawn by weight from those that can have more instances. It does not block.
func (s *Split) Want(version string, n int) {
	if s.keeps[version] {
		s.pools[version].Want(n)
		return
	}
	s.draw(func(p *Pool) bool {
		if !p.grows() {
			return false
		}
		p.Want(n)
		return true
	})
}

// Occupied says whether a version has healthy instances that are no candidates only because they are full.
func (s *Split) Occupied() bool {
	return slices.ContainsFunc(s.shares, func(v share) bool { return v.pool.Occupied() })
}
