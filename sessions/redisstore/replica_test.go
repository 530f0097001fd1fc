package redisstore_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

// healthy is a pool whose instances are all up, but for those that a test takes away.
type healthy struct{ lost atomic.Pointer[sessions.Home] }

func (h *healthy) Candidates(int) []sessions.Home {
	return slices.DeleteFunc(slices.Clone(homes), func(c sessions.Home) bool { return h.isLost(c) })
}
func (*healthy) Drained() []sessions.Home { return nil }
func (*healthy) Changed() <-chan struct{} { return nil }
func (h *healthy) State(home sessions.Home) (sessions.HomeState, time.Time) {
	if h.isLost(home) {
		return sessions.HomeGone, time.Time{}
	}
	return sessions.HomeUp, time.Time{}
}

func (h *healthy) isLost(home sessions.Home) bool {
	lost := h.lost.Load()
	return lost != nil && *lost == home
}

// replica is one of several proxies on a Redis: a table and a cache that hears of changes.
type replica struct {
	*sessions.Table
	store *redisstore.Store
	cache *sessions.Cache
	pool  *healthy
	asked atomic.Int64 // look-ups that went to the store
}

// life is long, so that what is seen comes from the news.
const life = time.Hour

func newReplica(t testing.TB, it topology, function string) *replica {
	t.Helper()
	r := &replica{store: open(t, it), pool: &healthy{}}
	r.cache = sessions.NewCache(sessions.CacheConfig{Life: life, StaleMax: 30 * time.Second, News: r.store})
	r.Table = r.table(function, r.store)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.cache.Follow(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	return r
}

func (r *replica) table(function string, store sessions.TableStore) *sessions.Table {
	return sessions.NewTable(sessions.TableConfig{
		Rules: sessions.Rules{
			Function: function, Qualifier: sessions.LatestQualifier, OnLoss: sessions.LossRehome, Affinity: sessions.AffinityHeader,
			Config: sessions.Config{TTL: sessions.DefaultTTL, IdleTimeout: sessions.DefaultIdleTimeout, PerInstance: 1 << 30},
		},
		Cache: r.cache, Store: store, Pool: r.pool,
		Observe: func(tier sessions.Tier, _ bool, _ error) {
			if tier != sessions.TierCache {
				r.asked.Add(1)
			}
		},
	})
}

// use uses the session, whose event is delivered, and returns what it was.
func (r *replica) use(t testing.TB, id string) sessions.Session {
	t.Helper()
	u, err := r.Use(t.Context(), id)
	require.NoError(t, err)
	defer u.Release()
	u.Delivered()
	return *u.Session()
}

// asks says whether a use of the session goes to the store.
func (r *replica) asks(t testing.TB, id string) bool {
	t.Helper()
	before := r.asked.Load()
	r.use(t, id)
	return r.asked.Load() > before
}

// hears waits until the replica hears of changes.
func (r *replica) hears(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool {
		fresh := r.store.Fresh(r.Rules().Function)
		return !fresh.Since.IsZero() && !fresh.Lost
	}, recovery, time.Millisecond)
}

// settled returns when the replica routes the sessions by what it heard: the touches that report their events have been
// written, and heard of.
func (r *replica) settled(t testing.TB, ids ...string) {
	t.Helper()
	r.hears(t)
	for _, id := range ids {
		r.use(t, id)
	}
	require.NoError(t, r.cache.Flush(t.Context(), r.store))
	for _, id := range ids {
		for start := time.Now(); r.asks(t, id); {
			require.Less(t, time.Since(start), recovery)
		}
	}
}
