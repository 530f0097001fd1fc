package sessions_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func isolated() sessions.Rules {
	r := rules()
	r.Isolation = true
	return r
}

func TestOnlyIsolationCutsUsesOfWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		u := b.use(t, "s")
		defer u.Release()
		cut := u.Ended()
		_, err := b.End(t.Context(), *u.Session(), false)
		require.NoError(t, err)
		require.NoError(t, cut.Err())
		require.NoError(t, u.Ended().Err(), "also for who asks late")
		require.Nil(t, (&sessions.Use{}).Ended())
	})
}

func TestEndCutsTheUsesOfItsEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, isolated(), sessions.CacheConfig{})
		one, two, other := b.use(t, "s"), b.use(t, "s"), b.use(t, "other")
		defer func() { one.Release(); two.Release(); other.Release() }()
		cut := one.Ended().Done()
		require.Equal(t, cut, two.Ended().Done())
		stale := *one.Session()
		stale.Epoch--
		_, err := b.End(t.Context(), stale, false)
		require.ErrorIs(t, err, sessions.ErrMoved)
		require.False(t, closed(cut), "it was not this session's end")
		_, err = b.End(t.Context(), *one.Session(), false)
		require.NoError(t, err)
		require.True(t, closed(cut))
		require.True(t, closed(two.Ended().Done()), "also who asks late is told")
		require.False(t, closed(other.Ended().Done()))
	})
}

// The session had ended, or moved, when it was to be ended here: its uses are cut all the same, without waiting for a
// touch to tell.
func TestAnEndThatComesLateCutsToo(t *testing.T) {
	for _, moved := range []bool{true, false} {
		t.Run(map[bool]string{true: "moved", false: "ended"}[moved], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, isolated(), sessions.CacheConfig{})
				u := b.use(t, "s")
				defer u.Release()
				cut, s, want := u.Ended().Done(), *u.Session(), sessions.ErrNotFound
				var err error
				if moved {
					want = sessions.ErrMoved
					_, err = b.store.Rehome(t.Context(), sessions.RehomeRequest{
						Session: s, Certain: true, Placement: sessions.Placement{Candidates: b.pool.Candidates(0), PerInstance: 10},
					})
				} else {
					_, err = b.store.End(t.Context(), s, false)
				}
				require.NoError(t, err)
				_, err = b.End(t.Context(), s, false)
				require.ErrorIs(t, err, want)
				require.True(t, closed(cut))
			})
		})
	}
}

// An End that the store did not answer cuts nothing: the session may live on. The flusher learns what became of it.
func TestAnEndOfUnknownOutcomeIsLeftToTheFlusher(t *testing.T) {
	for _, happened := range []bool{true, false} {
		t.Run(map[bool]string{true: "it ended", false: "it lives"}[happened], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, isolated(), sessions.CacheConfig{})
				b.flushing(t)
				u := b.use(t, "s")
				defer u.Release()
				if happened {
					_, err := b.store.End(t.Context(), *u.Session(), true)
					require.NoError(t, err)
				}
				lost := &losing{store: b.store}
				table := sessions.NewTable(sessions.TableConfig{Rules: isolated(), Cache: b.cache, Store: lost, Pool: b.pool})
				cut := u.Ended().Done()
				_, err := table.End(t.Context(), *u.Session(), true)
				require.ErrorIs(t, err, sessions.ErrUnavailable)
				require.False(t, closed(cut))
				asked := b.store.pins.Load()
				b.pool.set(home("c"), sessions.HomeUp)
				b.once(t, "s")
				require.Greater(t, b.store.pins.Load(), asked, "what is cached is in doubt")
				time.Sleep(10 * time.Minute)
				require.Equal(t, happened, closed(cut))
				got, err := b.get(t, "s")
				require.Equal(t, happened, errors.Is(err, sessions.ErrNotFound) || got.Epoch != u.Session().Epoch, "in use it lives on")
			})
		})
	}
}

// losing is a store that no End reaches.
type losing struct{ *store }

func (*losing) End(context.Context, sessions.Session, bool) (sessions.Session, error) {
	return sessions.Session{}, sessions.ErrUnavailable
}

func TestATouchTellsThatTheSessionIsNoMore(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*testing.T, *bench, sessions.Session)
	}{
		{"ended by another replica", func(t *testing.T, b *bench, s sessions.Session) {
			_, err := b.store.End(t.Context(), s, true)
			require.NoError(t, err)
		}},
		{"expired", func(*testing.T, *bench, sessions.Session) { time.Sleep(rules().TTL) }},
		{"moved", func(t *testing.T, b *bench, s sessions.Session) {
			_, err := b.store.Rehome(t.Context(), sessions.RehomeRequest{
				Session: s, Certain: true, Placement: sessions.Placement{Candidates: b.pool.Candidates(0), PerInstance: 10},
			})
			require.NoError(t, err)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, isolated(), sessions.CacheConfig{Life: 24 * time.Hour})
				u := b.use(t, "s")
				defer u.Release()
				cut := u.Ended().Done()
				require.NoError(t, b.cache.Flush(t.Context(), b.store))
				require.False(t, closed(cut))
				c.end(t, b, *u.Session())
				require.NoError(t, b.cache.Flush(t.Context(), b.store))
				require.True(t, closed(cut))
				b.pool.set(home("c"), sessions.HomeUp) // for a and b are used
				require.Greater(t, b.once(t, "s").Epoch, u.Session().Epoch, "the store was asked")
				require.NoError(t, b.cache.Flush(t.Context(), b.store))
			})
		})
	}
}

// As above, but a look-up brings the new session before any touch has told of the old one's end.
func TestASuccessorThatALookUpBrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, isolated(), sessions.CacheConfig{})
		old := b.use(t, "s")
		cut := old.Ended().Done()
		require.NoError(t, b.cache.Flush(t.Context(), b.store))
		_, err := b.store.End(t.Context(), *old.Session(), true)
		require.NoError(t, err)
		time.Sleep(sessions.DefaultCacheLife)
		successor := b.use(t, "s")
		defer successor.Release()
		require.Greater(t, successor.Session().Epoch, old.Session().Epoch)
		require.Equal(t, 2, b.cache.Stats().Tracked)
		require.NoError(t, b.cache.Flush(t.Context(), b.store))
		require.True(t, closed(cut))
		require.True(t, closed(old.Ended().Done()))
		require.False(t, closed(successor.Ended().Done()))
		time.Sleep(2 * time.Second)
		all, err := b.store.History(t.Context(), old.Session().Key)
		require.NoError(t, err)
		require.Equal(t, []sessions.State{sessions.Ending, sessions.Active}, []sessions.State{all[0].State, all[1].State})
		old.Release()
		require.Equal(t, 1, b.cache.Stats().Tracked)
	})
}

// The end comes between a flight's answer and the moment its caller takes hold of the session.
func TestAUseThatBeganBeforeTheEndIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, isolated(), sessions.CacheConfig{})
		b.flushing(t)
		first := b.use(t, "s")
		time.Sleep(sessions.DefaultCacheLife)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				u, err := b.Use(t.Context(), "s")
				if err != nil {
					require.ErrorIs(t, err, sessions.ErrFull) // both instances are used
					return
				}
				defer u.Release()
				if u.Session().Epoch == first.Session().Epoch {
					<-u.Ended().Done()
				}
			})
		}
		_, err := b.End(t.Context(), *first.Session(), false)
		require.NoError(t, err)
		wg.Wait()
		first.Release()
		time.Sleep(time.Minute)
		require.Zero(t, b.cache.Stats().Tracked)
	})
}

func TestUseHitWithIsolationAllocatesOnlyForWhoAsks(t *testing.T) {
	b := newBench(t, isolated(), sessions.CacheConfig{Life: time.Hour})
	b.once(t, "s")
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		u, err := b.Use(ctx, "s")
		if err != nil {
			t.Fatal(err)
		}
		u.Release()
	}))
}
