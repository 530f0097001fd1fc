package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func epochChecks() []Check {
	return []Check{
		{"Epoch/greater after an end", epochAfterEnd},
		{"Epoch/greater after expiry", epochAfterExpiry},
		{"Epoch/one more per re-home, greater after re-use", epochAfterRehome},
	}
}

func epochAfterEnd(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	last := uint64(0)
	for i := range 20 {
		s := w.pin(w.request("x"))
		require.Greater(tb, s.Epoch, last, "of two pins of one key the later has the greater epoch")
		last = w.end(s, i%2 == 0).Epoch
		require.Equal(tb, s.Epoch, last, "to end is not to pin")
	}
}

func epochAfterExpiry(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pinShort("x")
	w.expired(s)
	again := w.pin(w.request("x"))
	require.Greater(tb, again.Epoch, s.Epoch)
	require.Equal(tb, sessions.Event{Kind: sessions.EventCreated}, again.Event)
	require.False(tb, again.CreatedAt.Before(s.Deadline), "a new session, not the old one")
}

// epochAfterRehome re-homes quickly and often before the ID is used again, so that an epoch that came from the
// clock alone could fall behind.
func epochAfterRehome(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	for i := range 6 {
		s := w.pin(w.request("x"))
		for range 10 {
			moved, err := w.Rehome(tb.Context(), sessions.RehomeRequest{Session: s, Reason: sessions.ReasonLost, Certain: true, Placement: w.anywhere()})
			require.NoError(tb, err)
			require.Equal(tb, s.Epoch+1, moved.Epoch)
			s = moved
		}
		w.end(s, i%2 == 0)
		again := w.pin(w.request("x"))
		require.Greater(tb, again.Epoch, s.Epoch)
		w.end(again, false)
	}
}
