package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func reuseChecks() []Check {
	return []Check{
		{"Reuse/allowed by default", reuseAllowed},
		{"Reuse/blocked after expiry", reuseAfterExpiry},
		{"Reuse/blocked after a kept end", reuseAfterEnd},
		{"Reuse/the ended session's settings decide", reuseOldSettings},
	}
}

func reuseAllowed(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pinShort("x")
	w.expired(s)
	w.end(w.pin(w.request("x")), true)
	w.pin(w.request("x"))
	_, err := w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.Len(tb, w.list(sessions.Ended, 10), 2, "all records of an ID are listed")
	require.Len(tb, w.list(sessions.Active, 10), 1)
}

// blocked asserts that the ID may not be used, by any mode, before and after a sweep.
func (w *world) blocked(id string) {
	w.Helper()
	for range 2 {
		for mode, want := range map[sessions.Mode]error{
			sessions.GetOrCreate: sessions.ErrIDReuse, sessions.Create: sessions.ErrIDReuse, sessions.Existing: sessions.ErrNotFound,
		} {
			r := w.request(id)
			r.Mode = mode
			_, created, err := w.Pin(w.Context(), r)
			require.ErrorIs(w, err, want)
			require.False(w, created)
		}
		_, err := w.Sweep(w.Context(), w.fn)
		require.NoError(w, err)
	}
	require.Zero(w, w.load("a"))
}

func reuseAfterExpiry(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.TTL, r.DisableIDReuse = shortLife, true
	w.expired(w.pin(r))
	w.blocked("x")
	w.pin(w.request("other"))
}

func reuseAfterEnd(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.DisableIDReuse = true
	w.end(w.pin(r), true)
	w.blocked("x")
	other := r
	other.Qualifier = "v2"
	w.pin(other) // another qualifier's session is another session
}

func reuseOldSettings(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.end(w.pin(w.request("x")), true)
	r := w.request("x")
	r.DisableIDReuse = true
	s := w.pin(r)
	w.end(s, true)
	w.blocked("x")
}
