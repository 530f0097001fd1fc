package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func expiryChecks() []Check {
	return []Check{
		{"Expiry/never early, by TTL", expiryTTL},
		{"Expiry/never early, by idle timeout", expiryIdle},
		{"Expiry/TTL bounds the idle deadline", expiryFirstOfBoth},
		{"Expiry/every operation sees it", expiryLazy},
		{"Expiry/gives the slot back without a sweep", expirySlot},
	}
}

// lives asserts that a session lives until its deadline and not much longer: both by the store's clock and by this
// machine's, which can only see it younger.
func (w *world) lives(r sessions.PinRequest) {
	w.Helper()
	before := time.Now()
	s := w.pin(r)
	life := r.Settings.Deadline(s.CreatedAt, s.CreatedAt).Sub(s.CreatedAt)
	require.WithinDuration(w, s.CreatedAt.Add(life), s.Deadline, grain)
	w.until("session expires", func() bool {
		got, err := w.Get(w.Context(), s.Key)
		if err == nil {
			require.False(w, got.ReadAt.After(s.Deadline), "served after its deadline")
			w.same(s, got)
			return false
		}
		require.ErrorIs(w, err, sessions.ErrNotFound)
		return true
	})
	require.GreaterOrEqual(w, time.Since(before), life-grain, "expired early")
}

func expiryTTL(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.TTL = shortLife
	w.lives(r)
}

func expiryIdle(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.IdleTimeout = shortLife
	w.lives(r)
	r = w.request("y")
	r.IdleTimeout = 3 * sessions.MinTouchInterval // a grace that is not a tenth
	w.lives(r)
}

func expiryFirstOfBoth(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.TTL, r.IdleTimeout = shortLife, shortLife
	w.lives(r)
	r = w.request("y")
	r.TTL, r.IdleTimeout = shortLife, longLife
	w.lives(r)
}

func expiryLazy(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	old := map[string]sessions.Session{}
	for _, id := range []string{"existing", "create", "getorcreate", "rehome", "end", "touch"} {
		old[id] = w.pinShort(id)
	}
	for _, s := range old {
		w.expired(s)
	}
	r := w.request("existing")
	r.Mode = sessions.Existing
	_, _, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	r = w.request("create")
	r.Mode = sessions.Create
	require.Greater(tb, w.pin(r).Epoch, old["create"].Epoch)
	require.Greater(tb, w.pin(w.request("getorcreate")).Epoch, old["getorcreate"].Epoch)
	_, err = w.Rehome(tb.Context(), w.refused(old["rehome"]))
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	_, err = w.End(tb.Context(), old["end"], false)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	s := old["touch"]
	_, err = w.Touch(tb.Context(), []sessions.Touch{{Key: s.Key, Epoch: s.Epoch}})
	require.NoError(tb, err)
	_, err = w.Get(tb.Context(), s.Key)
	require.ErrorIs(tb, err, sessions.ErrNotFound, "a touch revives nothing")
	_, err = w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.Len(tb, w.list(sessions.Ended, 4), len(old), "every expired session is kept, however its end was noticed")
	require.Equal(tb, 2, w.load("a")+w.load("b"))
}

// expirySlot: capacity never waits for the sweeper.
func expirySlot(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	full := func(id string) sessions.PinRequest {
		r := w.request(id)
		r.PerInstance = 2
		return r
	}
	for _, id := range numbered("x", 2) {
		r := full(id)
		r.TTL = shortLife
		w.pin(r)
	}
	var s sessions.Session
	w.until("a slot is free", func() bool {
		got, created, err := w.Pin(tb.Context(), full("y"))
		if err != nil {
			require.ErrorIs(tb, err, sessions.ErrFull)
			return false
		}
		require.True(tb, created)
		s = got
		return true
	})
	require.Equal(tb, "y", s.ID)
}
