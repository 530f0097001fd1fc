package sessions_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// A home that this replica does not know may come back, so nobody ends its session for it; but knocking at it is no
// use of the session, or one client's retries would hold it, and its slot, until the TTL.
func TestKnockingAtAnUnavailableHomeIsNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rules()
		r.OnLoss, r.LossGrace = sessions.LossFail, 30*time.Second
		b := newBench(t, r, sessions.CacheConfig{})
		b.flushing(t)
		was := b.once(t, "s")
		b.pool.set(was.Home, sessions.HomeUnknown)
		begun := time.Now()
		for {
			u, err := b.Use(t.Context(), "s")
			if err == nil {
				require.Greater(t, u.Session().Epoch, was.Epoch)
				u.Release()
				break
			}
			require.ErrorIs(t, err, sessions.ErrHomeUnavailable)
			require.Less(t, time.Since(begun), 2*r.IdleTimeout, "the session never ends")
			time.Sleep(997 * time.Millisecond) // out of step with the touches: one taken while a use is held counts as a use
		}
		require.GreaterOrEqual(t, time.Since(begun), r.IdleTimeout, "never early")
	})
}

func TestLostHomeIsRehomedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		u := b.use(t, "s")
		u.Delivered()
		was := *u.Session()
		u.Release()
		b.pool.set(was.Home, sessions.HomeLost)
		var wg sync.WaitGroup
		var told atomic.Int64
		for range 20 {
			wg.Go(func() {
				u := b.use(t, "s")
				defer u.Release()
				require.NotEqual(t, was.Home, u.Session().Home)
				require.Equal(t, was.Epoch+1, u.Session().Epoch)
				if u.Event() == (sessions.Event{Kind: sessions.EventRehomed, Reason: sessions.ReasonLost, From: was.Home.ID}) {
					told.Add(1)
					u.Delivered()
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, told.Load())
	})
}

func TestAliveHomeIsNotMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		records, err := b.store.Report(t.Context(), sessions.Report{Function: "f", Version: "LATEST", Instances: []sessions.InstanceReport{
			{ID: "a", Health: sessions.HealthUp}, {ID: "b", Health: sessions.HealthUp},
		}})
		require.NoError(t, err)
		b.pool.candidates = []sessions.Home{records[0].Home, records[1].Home}
		was := b.once(t, "s")
		b.pool.set(was.Home, sessions.HomeLost)
		require.Equal(t, was.Epoch, b.once(t, "s").Epoch, "another replica saw it healthy: the dial decides")
		b.pool.set(was.Home, sessions.HomeUnknown)
		_, err = b.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrHomeUnavailable, "unknown here, alive elsewhere")
		u, err := func() (sessions.Use, error) {
			b.pool.set(was.Home, sessions.HomeUp)
			return b.Use(t.Context(), "s")
		}()
		require.NoError(t, err)
		defer u.Release()
		require.NoError(t, u.Rehome(t.Context()), "a refused dial proves that it is dead")
		require.Equal(t, was.Epoch+1, u.Session().Epoch)
		require.NotEqual(t, was.Home, u.Session().Home)
	})
}

// Discovery lags: another replica has found the home, and pinned the session there.
func TestUnknownHomeIsAskedFor(t *testing.T) {
	for _, policy := range []sessions.LossPolicy{sessions.LossRehome, sessions.LossFail} {
		t.Run(string(policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rules()
				r.OnLoss, r.LossGrace = policy, time.Minute
				b := newBench(t, r, sessions.CacheConfig{})
				up := sessions.Report{Function: "f", Version: "LATEST", Instances: []sessions.InstanceReport{{ID: "a", Health: sessions.HealthUp}}}
				records, err := b.store.Report(t.Context(), up)
				require.NoError(t, err)
				b.pool.candidates = []sessions.Home{records[0].Home}
				was := b.once(t, "s")
				b.pool.set(was.Home, sessions.HomeUnknown)
				b.pool.candidates = []sessions.Home{home("b")}

				asked, learns := 0, false
				late := sessions.NewTable(sessions.TableConfig{
					Rules: r, Cache: b.cache, Store: b.store, Pool: b.pool,
					Find: func(_ context.Context, h sessions.Home) {
						asked++
						require.Equal(t, was.Home, h)
						if learns {
							b.pool.set(h, sessions.HomeUp)
						}
					},
				})
				_, err = late.Use(t.Context(), "s")
				require.ErrorIs(t, err, sessions.ErrHomeUnavailable, "alive, and nobody says where")
				learns = true
				u, err := late.Use(t.Context(), "s")
				require.NoError(t, err)
				require.Equal(t, was.Home, u.Session().Home)
				require.Equal(t, was.Epoch, u.Session().Epoch)
				u.Release()
				require.Equal(t, 2, asked)

				b.pool.set(was.Home, sessions.HomeUnknown)
				b.pool.candidates = []sessions.Home{home("b")}
				time.Sleep(r.AliveWithin + time.Second) // nobody sees it any more
				u, err = late.Use(t.Context(), "s")
				require.Equal(t, 2, asked)
				if policy == sessions.LossFail {
					require.ErrorIs(t, err, sessions.ErrHomeUnavailable)
					return
				}
				require.NoError(t, err)
				defer u.Release()
				require.Equal(t, home("b"), u.Session().Home)
				require.Equal(t, was.Epoch+1, u.Session().Epoch)
			})
		})
	}
}

// The source of this replica no longer lists the home. Another one, whose file is a moment older, still sees it.
func TestGoneHomeIsLeftAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		records, err := b.store.Report(t.Context(), sessions.Report{Function: "f", Version: "LATEST", Instances: []sessions.InstanceReport{
			{ID: "a", Health: sessions.HealthUp}, {ID: "b", Health: sessions.HealthUp},
		}})
		require.NoError(t, err)
		b.pool.candidates = []sessions.Home{records[0].Home, records[1].Home}
		was := b.once(t, "s")
		b.pool.set(was.Home, sessions.HomeGone)
		u := b.use(t, "s")
		defer u.Release()
		require.Equal(t, was.Epoch+1, u.Session().Epoch)
	})
}

func TestSuspectHomeIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		was := b.once(t, "s")
		b.pool.set(was.Home, sessions.HomeSuspect)
		_, err := b.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrHomeUnavailable)
		b.pool.set(was.Home, sessions.HomeUp)
		require.Equal(t, was.Epoch, b.once(t, "s").Epoch)
	})
}

func TestLossFail(t *testing.T) {
	r := rules()
	r.OnLoss, r.LossGrace = sessions.LossFail, 30*time.Second
	t.Run("waits for the home, then ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, r, sessions.CacheConfig{})
			was := b.once(t, "s")
			b.pool.set(was.Home, sessions.HomeLost)
			time.Sleep(30*time.Second - time.Millisecond)
			_, err := b.Use(t.Context(), "s")
			require.ErrorIs(t, err, sessions.ErrHomeUnavailable)
			time.Sleep(time.Millisecond)
			u := b.use(t, "s")
			defer u.Release()
			require.Greater(t, u.Session().Epoch, was.Epoch)
			require.NotEqual(t, was.Home, u.Session().Home)
			require.Equal(t, sessions.EventCreated, u.Event().Kind, "a new session, not a moved one")
		})
	})
	t.Run("ends at once where another program answers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, r, sessions.CacheConfig{})
			was := b.once(t, "s")
			b.pool.set(was.Home, sessions.HomeReplaced)
			u := b.use(t, "s")
			defer u.Release()
			require.Equal(t, sessions.EventCreated, u.Event().Kind)
		})
	})
	t.Run("a refused dial moves nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, r, sessions.CacheConfig{})
			u := b.use(t, "s")
			defer u.Release()
			require.ErrorIs(t, u.Rehome(t.Context()), sessions.ErrHomeUnavailable)
			require.NotNil(t, u.Session(), "the use is as it was")
		})
	})
}

func TestReplacedHomeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		u := b.use(t, "s")
		u.Delivered()
		was := *u.Session()
		u.Release()
		b.pool.set(was.Home, sessions.HomeReplaced)
		u = b.use(t, "s")
		defer u.Release()
		require.Equal(t, sessions.Event{Kind: sessions.EventRehomed, Reason: sessions.ReasonRestarted, From: was.Home.ID}, u.Event())
	})
}

// TestAHomeThatRefusesAfterTheEndIsNotOfferedAgain: another replica ended the session, and its home is gone with it. The
// dial is refused; the session is not there to be moved, and the request must get a new one, not the old home again for as
// long as its entry lives.
func TestAHomeThatRefusesAfterTheEndIsNotOfferedAgain(t *testing.T) {
	b := newBench(t, rules(), sessions.CacheConfig{})
	u := b.use(t, "s")
	old := *u.Session()
	elsewhere := b.replica(rules(), sessions.NewCache(sessions.CacheConfig{}))
	_, err := elsewhere.End(t.Context(), old, false)
	require.NoError(t, err)
	require.ErrorIs(t, u.Rehome(t.Context()), sessions.ErrNotFound)
	u.Release()
	require.Greater(t, b.once(t, "s").Epoch, old.Epoch)
}
