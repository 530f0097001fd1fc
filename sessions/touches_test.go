package sessions_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// flushing runs the cache's flusher for the rest of the test.
func (b *bench) flushing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.cache.Run(ctx, b.store, func(int, error) {})
	}()
	t.Cleanup(func() { stop(); <-ended })
}

func (b *bench) get(t *testing.T, id string) (sessions.Session, error) {
	return b.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: id})
}

func TestTouchesKeepASessionThatIsUsed(t *testing.T) {
	for _, idle := range []time.Duration{300 * time.Millisecond, 5 * time.Second, time.Minute} {
		t.Run(idle.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rules()
				r.IdleTimeout = idle
				b := newBench(t, r, sessions.CacheConfig{})
				b.flushing(t)
				first := b.once(t, "s")
				for range 20 {
					time.Sleep(idle * 9 / 10)
					require.Equal(t, first.Epoch, b.once(t, "s").Epoch)
				}
				last := time.Now()
				time.Sleep(idle)
				_, err := b.get(t, "s")
				require.NoError(t, err, "never early")
				time.Sleep(3 * time.Second)
				_, err = b.get(t, "s")
				require.ErrorIs(t, err, sessions.ErrNotFound, "at most 3 s late, %v after its last use", time.Since(last))
			})
		})
	}
}

func TestASessionInUseIsNeverIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.flushing(t)
		u := b.use(t, "s") // one long stream
		epoch := u.Session().Epoch
		time.Sleep(30 * time.Minute)
		got, err := b.get(t, "s")
		require.NoError(t, err)
		require.Equal(t, epoch, got.Epoch)
		require.Equal(t, epoch, b.once(t, "s").Epoch)
		u.Release()
		time.Sleep(rules().IdleTimeout + 3*time.Second)
		_, err = b.get(t, "s")
		require.ErrorIs(t, err, sessions.ErrNotFound)
	})
}

func TestTouchesSurviveAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{StaleMax: time.Hour})
		b.flushing(t)
		first := b.once(t, "s")
		time.Sleep(30 * time.Second)
		b.store.down.Store(true)
		b.once(t, "s")
		time.Sleep(25 * time.Second)
		b.store.down.Store(false)
		time.Sleep(2 * time.Second)
		got, err := b.get(t, "s")
		require.NoError(t, err)
		require.Equal(t, first.Epoch, got.Epoch)
		require.True(t, got.Deadline.After(time.Now().Add(30*time.Second)), "the use during the outage counts: %v", got.Deadline)
	})
}

func TestEvictionStopsNoTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{Size: 1})
		b.flushing(t)
		u := b.use(t, "kept")
		for i := range 5 {
			b.once(t, fmt.Sprint(i))
		}
		require.Equal(t, 1, b.cache.Stats().Entries)
		require.Positive(t, b.cache.Stats().Evicted)
		asked := b.store.pins.Load()
		require.Equal(t, u.Session().Epoch, b.once(t, "kept").Epoch)
		require.Equal(t, asked, b.store.pins.Load(), "what is in use is found without the store")
		time.Sleep(10 * time.Minute)
		_, err := b.get(t, "kept")
		require.NoError(t, err)
		u.Release()
		time.Sleep(10 * time.Minute)
		require.Zero(t, b.cache.Stats().Tracked, "what is written and not in use is let go")
	})
}

func TestTouchesOfAnEndedSessionAreVoid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		u := b.use(t, "s")
		_, err := b.End(t.Context(), *u.Session(), true)
		require.NoError(t, err)
		u.Delivered()
		u.Release()
		require.NoError(t, b.cache.Flush(t.Context(), b.store))
		require.EqualValues(t, 1, b.store.touches.Load(), "only the one before the end, which says that a request runs")
		require.Zero(t, b.cache.Stats().Tracked)
	})
}

func TestFlushWritesAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.pool.candidates = nil
		for i := range 150 {
			b.pool.candidates = append(b.pool.candidates, home(fmt.Sprint("i", i)))
		}
		for i := range 1200 {
			b.once(t, fmt.Sprint(i))
		}
		require.NoError(t, b.cache.Flush(t.Context(), b.store))
		require.EqualValues(t, 1200, b.store.touches.Load())
	})
}

func TestSweeperSweepsEachFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rules()
		r.IdleTimeout = 10 * time.Second
		b := newBench(t, r, sessions.CacheConfig{})
		b.once(t, "s")
		ended := 0
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			sessions.Sweeper{
				Store: b.store, Functions: func() []string { return []string{"f", "other"} },
				Swept: func(_ string, n int, err error) { ended += n; require.NoError(t, err) },
			}.Run(ctx)
		}()
		time.Sleep(13 * time.Second)
		page, err := b.store.List(ctx, sessions.Query{Function: "f", Qualifier: "LATEST", State: sessions.Ended, Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Sessions, 1)
		stop()
		<-done
		require.Equal(t, 1, ended)
	})
}
