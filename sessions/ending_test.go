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

// state is that of the youngest record of id; ok is false when there is none.
func (b *bench) state(t testing.TB, id string) (s sessions.Session, ok bool) {
	t.Helper()
	all, err := b.store.History(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: id})
	require.NoError(t, err)
	if len(all) == 0 {
		return s, false
	}
	return all[len(all)-1], true
}

func isolated() sessions.Rules {
	r := rules()
	r.Isolation = true
	return r
}

// touching is a store whose Touch a test gets hold of.
type touching struct {
	*store
	touch func([]sessions.Touch) ([]int, error)
}

func (s *touching) Touch(_ context.Context, touches []sessions.Touch) ([]int, error) {
	return s.touch(touches)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestAnEndedSessionIsEndingUntilItsLastUseIsReleased(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(map[bool]string{true: "kept", false: "deleted"}[keep], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, rules(), sessions.CacheConfig{})
				b.flushing(t)
				one, two := b.use(t, "s"), b.use(t, "s")
				s, err := b.End(t.Context(), *one.Session(), keep)
				require.NoError(t, err)
				require.Equal(t, sessions.Ending, s.State)
				one.Release()
				for range 100 {
					time.Sleep(100 * time.Millisecond)
					s, ok := b.state(t, "s")
					require.True(t, ok)
					require.Equal(t, sessions.Ending, s.State)
					require.Equal(t, !keep, s.Deleted)
				}
				require.Less(t, b.store.touches.Load(), int64(15), "about once a second")
				require.Equal(t, 1, b.cache.Stats().Tracked)
				two.Release()
				require.Zero(t, b.cache.Stats().Tracked)
				time.Sleep(sessions.InFlightLease + time.Millisecond)
				s, ok := b.state(t, "s")
				require.Equal(t, keep, ok, "deleted: without a trace")
				if keep {
					require.Equal(t, sessions.Ended, s.State)
				}
				touches := b.store.touches.Load()
				time.Sleep(10 * time.Second)
				require.Equal(t, touches, b.store.touches.Load())
			})
		})
	}
}

// What routes with a session that has ended, and one that took its place, are two things.
func TestAnEndedSessionInUseBesideItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.flushing(t)
		old := b.use(t, "s")
		_, err := b.End(t.Context(), *old.Session(), true)
		require.NoError(t, err)
		time.Sleep(time.Millisecond)
		successor := b.once(t, "s")
		require.Greater(t, successor.Epoch, old.Session().Epoch)
		time.Sleep(rules().IdleTimeout + 3*time.Second)
		_, err = b.get(t, "s")
		require.ErrorIs(t, err, sessions.ErrNotFound, "the stream of the first does not keep the second alive")
		all, err := b.store.History(t.Context(), successor.Key)
		require.NoError(t, err)
		require.Equal(t, []sessions.State{sessions.Ending, sessions.Ended}, []sessions.State{all[0].State, all[1].State})
		old.Release()
	})
}

func TestASessionWithoutRequestsEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		was := b.once(t, "s")
		s, err := b.End(t.Context(), was, true)
		require.NoError(t, err)
		require.Equal(t, sessions.Ended, s.State)
		require.Zero(t, b.store.touches.Load())
	})
}

func TestEndNeedsNoTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		broken := &touching{store: b.store, touch: func([]sessions.Touch) ([]int, error) { return nil, sessions.ErrUnavailable }}
		b.Table = sessions.NewTable(sessions.TableConfig{Rules: rules(), Cache: b.cache, Store: broken, Pool: b.pool})
		u := b.use(t, "s")
		defer u.Release()
		s, err := b.End(t.Context(), *u.Session(), true)
		require.NoError(t, err)
		require.Equal(t, sessions.Ended, s.State, "nobody could say that it is in use")
		require.NoError(t, b.cache.Flush(t.Context(), b.store))
	})
}

func TestOnlyIsolationCutsUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		u := b.use(t, "s")
		defer u.Release()
		require.Nil(t, u.Ended())
		require.Nil(t, (&sessions.Use{}).Ended())
	})
}

func TestEndCutsTheUsesOfItsEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, isolated(), sessions.CacheConfig{})
		one, two, other := b.use(t, "s"), b.use(t, "s"), b.use(t, "other")
		defer func() { one.Release(); two.Release(); other.Release() }()
		cut := one.Ended()
		require.Equal(t, cut, two.Ended())
		stale := *one.Session()
		stale.Epoch--
		_, err := b.End(t.Context(), stale, false)
		require.ErrorIs(t, err, sessions.ErrMoved)
		require.False(t, closed(cut), "it was not this session's end")
		_, err = b.End(t.Context(), *one.Session(), false)
		require.NoError(t, err)
		require.True(t, closed(cut))
		require.True(t, closed(two.Ended()), "also who asks late is told")
		require.False(t, closed(other.Ended()))
	})
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
				cut := u.Ended()
				_, err := table.End(t.Context(), *u.Session(), true)
				require.ErrorIs(t, err, sessions.ErrUnavailable)
				require.False(t, closed(cut))
				time.Sleep(10 * time.Minute)
				require.Equal(t, happened, closed(cut))
				_, err = b.get(t, "s")
				require.Equal(t, happened, errors.Is(err, sessions.ErrNotFound), "in use it lives on")
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
				cut := u.Ended()
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

// The answer that is on its way while a touch comes back stale has the ended session in it.
func TestAnAnswerOlderThanAStaleTouchIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{Size: 1})
		u := b.use(t, "s")
		defer u.Release()
		time.Sleep(sessions.DefaultCacheLife)
		b.store.afterPin = sync.OnceFunc(func() {
			_, err := b.store.End(t.Context(), *u.Session(), true)
			require.NoError(t, err)
			require.NoError(t, b.cache.Flush(t.Context(), b.store))
		})
		require.Greater(t, b.once(t, "s").Epoch, u.Session().Epoch)
	})
}

// A batch that fails half-way still tells what it knows, and what it does not is sent again.
func TestAFailedBatchTellsWhichAreStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, isolated(), sessions.CacheConfig{Size: 10}) // one shard, one batch
		one, two := b.use(t, "one"), b.use(t, "two")
		defer func() { one.Release(); two.Release() }()
		ended, alive := one.Ended(), two.Ended()
		var last []sessions.Touch
		half := &touching{store: b.store, touch: func(touches []sessions.Touch) (stale []int, err error) {
			last = touches
			for i, touch := range touches {
				if touch.ID == "one" {
					stale = append(stale, i)
				}
			}
			return stale, sessions.ErrUnavailable
		}}
		require.ErrorIs(t, b.cache.Flush(t.Context(), half), sessions.ErrUnavailable)
		require.True(t, closed(ended))
		require.False(t, closed(alive))
		two.Release()
		require.ErrorIs(t, b.cache.Flush(t.Context(), half), sessions.ErrUnavailable)
		require.Len(t, last, 2)
		for _, touch := range last {
			require.Equal(t, touch.ID == "one", touch.InFlight)
		}
	})
}

// Another replica ended the session and a request there made it anew, while a stream runs here.
func TestAUseOfASessionThatWasMadeAnewElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, isolated(), sessions.CacheConfig{})
		b.flushing(t)
		old := b.use(t, "s")
		cut := old.Ended()
		require.NoError(t, b.cache.Flush(t.Context(), b.store)) // a stream, not a request of this very second
		_, err := b.store.End(t.Context(), *old.Session(), true)
		require.NoError(t, err)
		other := b.replica(isolated(), sessions.NewCache(sessions.CacheConfig{Life: time.Second}))
		time.Sleep(time.Millisecond)
		u, err := other.Use(t.Context(), "s")
		require.NoError(t, err)
		u.Release()
		b.pool.set(home("c"), sessions.HomeUp)
		fresh := b.use(t, "s")
		defer fresh.Release()
		require.Equal(t, old.Session().Epoch, fresh.Session().Epoch, "for the entry's life")
		time.Sleep(sessions.DefaultCacheLife + 10*time.Millisecond)
		require.True(t, closed(cut))
		now := b.use(t, "s")
		defer now.Release()
		require.Greater(t, now.Session().Epoch, old.Session().Epoch)
		require.False(t, closed(now.Ended()))
		time.Sleep(2 * time.Second)
		all, err := b.store.History(t.Context(), now.Session().Key)
		require.NoError(t, err)
		require.Equal(t, []sessions.State{sessions.Ending, sessions.Active}, []sessions.State{all[0].State, all[1].State})
		old.Release()
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
					<-u.Ended()
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
