package sessions_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func TestUseExistingMakesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		_, err := b.UseExisting(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrNotFound)
		_, err = b.get(t, "s")
		require.ErrorIs(t, err, sessions.ErrNotFound)

		was := b.once(t, "s")
		asked := b.store.pins.Load()
		u, err := b.UseExisting(t.Context(), "s")
		require.NoError(t, err)
		require.Equal(t, was.Epoch, u.Session().Epoch)
		require.Equal(t, asked, b.store.pins.Load(), "a hit is a hit")
		u.Release()

		_, err = b.store.End(t.Context(), was, false)
		require.NoError(t, err)
		time.Sleep(sessions.DefaultCacheLife)
		_, err = b.UseExisting(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrNotFound)
	})
}

// Neither is given the answer to the other's question.
func TestUseExistingSharesNoFlightWithUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.store.beforePin = func() { time.Sleep(time.Second) }
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := b.UseExisting(t.Context(), "s")
			require.ErrorIs(t, err, sessions.ErrNotFound)
		})
		synctest.Wait()
		time.Sleep(time.Millisecond)
		wg.Go(func() { b.once(t, "s") })
		wg.Wait()
	})
}

func TestUseExistingWaitsForNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := full(t, 10*time.Second)
		start := time.Now()
		_, err := b.UseExisting(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrNotFound)
		require.Zero(t, time.Since(start))
	})
}

func TestUseExistingOfALostHome(t *testing.T) {
	t.Run("fail: the session ends and is not replaced", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := rules()
			r.OnLoss = sessions.LossFail
			b := newBench(t, r, sessions.CacheConfig{})
			was := b.once(t, "s")
			b.pool.set(was.Home, sessions.HomeReplaced)
			_, err := b.UseExisting(t.Context(), "s")
			require.ErrorIs(t, err, sessions.ErrNotFound)
			_, err = b.get(t, "s")
			require.ErrorIs(t, err, sessions.ErrNotFound)
			require.Zero(t, b.store.touches.Load(), "who found out had no request in flight")
			require.Zero(t, b.cache.Stats().Tracked)
		})
	})
	t.Run("rehome: it moves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, rules(), sessions.CacheConfig{})
			was := b.once(t, "s")
			b.pool.set(was.Home, sessions.HomeLost)
			u, err := b.UseExisting(t.Context(), "s")
			require.NoError(t, err)
			defer u.Release()
			require.Equal(t, was.Epoch+1, u.Session().Epoch)
		})
	})
}

func TestAbandonIsNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.flushing(t)
		b.once(t, "s")
		begun := time.Now()
		for time.Since(begun) < rules().IdleTimeout-time.Second {
			time.Sleep(5 * time.Second)
			u, err := b.UseExisting(t.Context(), "s")
			require.NoError(t, err)
			require.Equal(t, sessions.EventCreated, u.Event().Kind, "none told")
			u.Abandon()
		}
		time.Sleep(4 * time.Second)
		_, err := b.get(t, "s")
		require.ErrorIs(t, err, sessions.ErrNotFound)
	})
}
