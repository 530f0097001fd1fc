package sessions_test

import (
	"context"
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

// touching is a store whose Touch a test gets hold of.
type touching struct {
	*store
	touch func([]sessions.Touch) ([]int, error)
}

func (s *touching) Touch(_ context.Context, touches []sessions.Touch) ([]int, error) {
	return s.touch(touches)
}

func TestAnEndedSessionIsEndingUntilItsLastUseIsReleased(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(map[bool]string{true: "kept", false: "deleted"}[keep], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rules()
				r.IdleTimeout = 300 * time.Millisecond // while it is Active, it is touched more often
				b := newBench(t, r, sessions.CacheConfig{})
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
		ended, alive := one.Ended().Done(), two.Ended().Done()
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
		cut := old.Ended().Done()
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
		require.False(t, closed(now.Ended().Done()))
		time.Sleep(2 * time.Second)
		all, err := b.store.History(t.Context(), now.Session().Key)
		require.NoError(t, err)
		require.Equal(t, []sessions.State{sessions.Ending, sessions.Active}, []sessions.State{all[0].State, all[1].State})
		old.Release()
	})
}
