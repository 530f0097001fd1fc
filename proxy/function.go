package proxy

import (
	"errors"
	"sync"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/metrics"
	"github.com/limpet-proxy/limpet/sessions"
)

// Function is a function at work: its configuration and what serves it. It is immutable; a reload makes a new one
// around the same pool.
type Function struct {
	Config     FunctionConfig
	Rule       affinity.Rule
	Table      *sessions.Table // nil for a function without sessions
	Pool       Pool
	Transports *Transports
	Metrics    *metrics.Function // may be nil

	warned sync.Once // of IDs that are not used: some applications give them with each response
}

// Pool finds the instance to dial. *instances.Pool implements it, and for an alias *instances.Split.
type Pool interface {
	// Lookup returns the instance at h's place, whatever its incarnation.
	Lookup(h sessions.Home) (*instances.Instance, bool)
	// Pick returns a healthy instance with few requests in flight that exclude, if not nil, does not exclude.
	Pick(exclude func(*instances.Instance) bool) (*instances.Instance, bool)
}

// Observe returns the observer that counts a table's look-ups in m.
func Observe(m *metrics.Function) sessions.Observer {
	tiers := map[sessions.Tier]metrics.Tier{
		sessions.TierCache: metrics.TierCache, sessions.TierStore: metrics.TierStore, sessions.TierStale: metrics.TierStale,
	}
	return func(tier sessions.Tier, created bool, err error) {
		m.Lookup(tiers[tier], lookupResult(created, err))
		if created {
			m.Created()
		}
	}
}

func lookupResult(created bool, err error) metrics.Lookup {
	switch {
	case created:
		return metrics.LookupCreated
	case err == nil:
		return metrics.LookupHit
	case errors.Is(err, sessions.ErrFull), errors.Is(err, sessions.ErrNoInstance):
		return metrics.LookupFull
	case errors.Is(err, sessions.ErrNotFound), errors.Is(err, sessions.ErrIDReuse):
		return metrics.LookupMissing
	default:
		return metrics.LookupError
	}
}
