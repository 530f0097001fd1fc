package sessions_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func TestASuccessorHasTheSameHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.flushing(t)
		for _, id := range []string{"one", "two", "three", "four"} { // two of them where the store would put no other next
			u := b.use(t, id)
			require.NoError(t, u.Succeed(t.Context(), sessions.Successor{ID: "after-" + id, Instead: true}))
			require.Equal(t, id, u.Session().ID, "the use goes on")
			next, err := b.Use(t.Context(), "after-"+id)
			require.NoError(t, err)
			require.Equal(t, u.Session().Home, next.Session().Home)
			require.Equal(t, sessions.NoEvent, next.Event().Kind, "no state is lost")
			next.Release()
			u.Release()
		}
		other := b.replica(b.Rules(), sessions.NewCache(sessions.CacheConfig{Life: time.Second}))
		time.Sleep(4 * time.Second) // an event that was not delivered would be announced by others from now on
		u, err := other.Use(t.Context(), "after-one")
		require.NoError(t, err)
		require.Equal(t, sessions.NoEvent, u.Event().Kind)
		u.Release()
	})
}

func TestASuccessorIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		u := b.use(t, "s")
		defer u.Release()
		for range 3 {
			require.NoError(t, u.Succeed(t.Context(), sessions.Successor{ID: "next"}))
		}
		elsewhere := "t"
		for b.once(t, elsewhere).Home == u.Session().Home {
			elsewhere += "t"
		}
		require.ErrorIs(t, u.Succeed(t.Context(), sessions.Successor{ID: elsewhere}), sessions.ErrExists)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, u.Succeed(gone, sessions.Successor{ID: "late"}), "the instance has told it already")
		b.store.down.Store(true)
		require.ErrorIs(t, u.Succeed(t.Context(), sessions.Successor{ID: "down"}), sessions.ErrUnavailable)
	})
}

func TestAPredecessorEndsSoonAfterItsLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rules()
		r.IdleTimeout = 0
		b := newBench(t, r, sessions.CacheConfig{})
		b.flushing(t)
		for id, instead := range map[string]bool{"cookie": true, "query": false} {
			u := b.use(t, id)
			require.NoError(t, u.Succeed(t.Context(), sessions.Successor{ID: "after-" + id, Instead: instead}))
			u.Release()
		}
		time.Sleep(sessions.PredecessorIdle / 2)
		b.once(t, "cookie")
		time.Sleep(sessions.PredecessorIdle / 2)
		_, err := b.get(t, "cookie")
		require.NoError(t, err, "it is in use")
		time.Sleep(sessions.PredecessorIdle)
		_, err = b.get(t, "cookie")
		require.ErrorIs(t, err, sessions.ErrNotFound)
		for _, id := range []string{"query", "after-query", "after-cookie"} {
			_, err = b.get(t, id)
			require.NoError(t, err, id)
		}
	})
}

func TestWithoutASecondSlotTheSuccessorTakesTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := full(t, 10*time.Second)
		u := b.use(t, "first")
		defer u.Release()
		require.ErrorIs(t, u.Succeed(t.Context(), sessions.Successor{ID: "second"}), sessions.ErrFull, "where both IDs are to live on there is no room")
		_, err := b.get(t, "first")
		require.NoError(t, err)

		waiting := b.join(t.Context(), "stranger")
		require.NoError(t, u.Succeed(t.Context(), sessions.Successor{ID: "second", Instead: true}))
		require.Equal(t, "first", u.Session().ID)
		next, err := b.UseExisting(t.Context(), "second")
		require.NoError(t, err)
		require.Equal(t, u.Session().Home, next.Session().Home)
		next.Release()
		_, err = b.get(t, "first")
		require.ErrorIs(t, err, sessions.ErrNotFound)
		require.ErrorIs(t, <-waiting, sessions.ErrFull, "who waits for a slot does not come in between")
	})
}

func TestNothingIsEndedForASuccessorThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := full(t, 0)
		u := b.use(t, "first")
		defer u.Release()
		b.pool.candidates = nil // as when the home drains: its sessions stay, and it takes no new one
		require.ErrorIs(t, u.Succeed(t.Context(), sessions.Successor{ID: "second", Instead: true}), sessions.ErrFull)
		got, err := b.get(t, "first")
		require.NoError(t, err)
		require.Equal(t, first.Epoch, got.Epoch)
	})
}
