package sessions_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// immovableBench is a bench whose sessions cannot be moved, with two instances that the registry knows, and a table that
// counts what it ends.
func immovableBench(t *testing.T, change func(*sessions.Rules)) (b *bench, ended *int) {
	r := rules()
	r.Immovable, r.IdleTimeout = true, 0
	if change != nil {
		change(&r)
	}
	b, ended = drainBench(t, r, "a", "b"), new(int)
	count := func() { *ended++ }
	b.Table = sessions.NewTable(sessions.TableConfig{
		Rules: r, Cache: b.cache, Store: b.store, Pool: b.pool, Lost: count, Drained: count,
	})
	return b, ended
}

func (b *bench) bind(t *testing.T, id string) sessions.Session {
	t.Helper()
	u := b.reserve(t)
	require.NoError(t, u.Bind(t.Context(), id))
	defer u.Release()
	return *u.Session()
}

// tell reports of an instance what another replica sees.
func (b *bench) tell(t *testing.T, h sessions.Home, health sessions.Health) {
	t.Helper()
	_, err := b.store.Report(t.Context(), sessions.Report{Function: "f", Version: "LATEST", Instances: []sessions.InstanceReport{{ID: h.ID, Health: health}}})
	require.NoError(t, err)
}

func TestImmovableSessionsEndWhereOthersMove(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *bench, sessions.Home){
		"lost": func(t *testing.T, b *bench, h sessions.Home) {
			time.Sleep(b.Rules().AliveWithin)
			b.pool.set(h, sessions.HomeLost)
		},
		"gone": func(t *testing.T, b *bench, h sessions.Home) { b.pool.set(h, sessions.HomeGone) },
		"replaced": func(t *testing.T, b *bench, h sessions.Home) {
			time.Sleep(b.Rules().AliveWithin)
			b.pool.set(h, sessions.HomeReplaced)
		},
		"unknown, and nobody sees it": func(t *testing.T, b *bench, h sessions.Home) {
			time.Sleep(b.Rules().AliveWithin)
			b.pool.set(h, sessions.HomeUnknown)
		},
		"drained": func(t *testing.T, b *bench, h sessions.Home) { b.drain(t, h) },
	} {
		for mode, use := range map[string]func(*bench, *testing.T, string) error{
			"UseExisting": func(b *bench, t *testing.T, id string) error {
				_, err := b.UseExisting(t.Context(), id)
				return err
			},
			"Use": func(b *bench, t *testing.T, id string) error {
				_, err := b.Use(t.Context(), id)
				return err
			},
		} {
			t.Run(name+", "+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, ended := immovableBench(t, nil)
					was := b.bind(t, "s")
					lose(t, b, was.Home)
					require.ErrorIs(t, use(b, t, "s"), sessions.ErrNotFound)
					require.Equal(t, 1, *ended)
					all, err := b.store.History(t.Context(), was.Key)
					require.NoError(t, err)
					require.Len(t, all, 1)
					require.Equal(t, sessions.Ended, all[0].State)
					require.Equal(t, was.Home, all[0].Home)
					_, err = b.UseExisting(t.Context(), "s")
					require.ErrorIs(t, err, sessions.ErrNotFound)
					require.Equal(t, 1, *ended, "once")
					require.NotEqual(t, was.Home, b.bind(t, "s").Home, "the client begins anew, elsewhere")
				})
			})
		}
	}
}

func TestARefusedDialEndsAnImmovableSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ended := immovableBench(t, nil)
		b.bind(t, "s")
		u, err := b.UseExisting(t.Context(), "s")
		require.NoError(t, err)
		require.ErrorIs(t, u.Rehome(t.Context()), sessions.ErrNotFound)
		require.Equal(t, sessions.Use{}, u)
		u.Release()
		require.Equal(t, 1, *ended)
	})
}

// The replica whose copy is out of date ends nothing: the ID has a session of its own again.
func TestAnImmovableSessionThatIsAnotherByNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ended := immovableBench(t, nil)
		was := b.bind(t, "s")
		stale, err := b.UseExisting(t.Context(), "s")
		require.NoError(t, err)
		_, err = b.store.End(t.Context(), was, true)
		require.NoError(t, err)
		b.pool.set(was.Home, sessions.HomeGone)
		other := b.replica(b.Rules(), sessions.NewCache(sessions.CacheConfig{Life: time.Second}))
		next, err := other.Reserve(t.Context())
		require.NoError(t, err)
		require.NoError(t, next.Bind(t.Context(), "s"))
		require.NoError(t, stale.Rehome(t.Context()))
		require.Equal(t, next.Session().Epoch, stale.Session().Epoch)
		require.Zero(t, *ended)
		stale.Release()
		next.Release()
	})
}

func TestAnImmovableSessionStaysWhileAnotherReplicaSeesItsHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ended := immovableBench(t, nil)
		was := b.bind(t, "s")
		time.Sleep(time.Minute)
		b.tell(t, was.Home, sessions.HealthUp)
		b.pool.set(was.Home, sessions.HomeLost)
		u, err := b.UseExisting(t.Context(), "s")
		require.NoError(t, err, "the dial decides")
		u.Release()
		b.pool.set(was.Home, sessions.HomeUnknown)
		_, err = b.UseExisting(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrHomeUnavailable)
		require.Zero(t, *ended)
	})
}

func TestAnImmovableSessionHasTheGraceOfFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ended := immovableBench(t, func(r *sessions.Rules) { r.OnLoss, r.LossGrace = sessions.LossFail, 30*time.Second })
		was := b.bind(t, "s")
		u, err := b.UseExisting(t.Context(), "s")
		require.NoError(t, err)
		require.ErrorIs(t, u.Rehome(t.Context()), sessions.ErrHomeUnavailable)
		u.Release()
		b.pool.set(was.Home, sessions.HomeLost)
		time.Sleep(30*time.Second - time.Millisecond)
		_, err = b.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrHomeUnavailable, "it may come back")
		require.Zero(t, *ended)
		time.Sleep(time.Millisecond)
		_, err = b.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrNotFound)
		require.Equal(t, 1, *ended)
	})
}

// The drainer ends what is left, and its streams; a reservation holds the instance until it is over.
func TestTheDrainerEndsImmovableSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ended := immovableBench(t, nil)
		b.pool.candidates = b.pool.candidates[:1]
		was := b.bind(t, "s")
		b.bind(t, "idle")
		stream, err := b.UseExisting(t.Context(), "s")
		require.NoError(t, err)
		cut := stream.Ended()
		reserved := b.reserve(t)
		b.drain(t, was.Home)
		d, err := b.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.Equal(t, sessions.Departures{Ended: 2}, d)
		require.Equal(t, 2, *ended)
		require.ErrorIs(t, context.Cause(cut), sessions.ErrDrained)
		stream.Release()
		require.Equal(t, 1, b.load(t, was.Home), "a drain waits for the reservation")
		reserved.Release()
		require.Zero(t, b.load(t, was.Home))
	})
}

// load is how many sessions the registry counts on an instance.
func (b *bench) load(t *testing.T, h sessions.Home) int {
	t.Helper()
	all, err := b.store.Instances(t.Context(), "f")
	require.NoError(t, err)
	for _, r := range all {
		if r.Home == h {
			return r.Sessions
		}
	}
	return 0
}
