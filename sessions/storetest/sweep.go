package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func sweepChecks() []Check {
	return []Check{
		{"Sweep/ends what has expired", sweepEnds},
		{"Sweep/of one function only", sweepOneFunction},
	}
}

func sweepEnds(tb testing.TB, h Harness) {
	s := h.Open(tb)
	var w *world
	var short map[string]sessions.Session
	worldOn(tb, s).until("the machine pins 25 sessions before the first expires", func() bool {
		w, short = worldOn(tb, s, "a", "b"), map[string]sessions.Session{}
		start, r := time.Now(), w.request("")
		r.TTL = 3 * shortLife
		for _, r.ID = range numbered("x", 25) {
			short[r.ID] = w.pin(r)
		}
		return time.Since(start) < r.TTL // else a pin may have ended one, which Sweep then does not count
	})
	long := w.pin(w.request("long"))
	swept := 0
	w.until("all short sessions are swept", func() bool {
		n, err := w.Sweep(tb.Context(), w.fn)
		require.NoError(tb, err)
		swept += n
		return swept >= len(short) // other operations, which could end some uncounted, keep away meanwhile
	})
	require.Equal(tb, len(short), swept)
	n, err := w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.Zero(tb, n, "nothing is ended twice")
	active := w.list(sessions.Active, 10)
	require.Len(tb, active, 1)
	w.same(long, active[0])
	ended := w.list(sessions.Ended, 10)
	require.Len(tb, ended, len(short))
	for _, e := range ended {
		s := short[e.ID]
		require.Equal(tb, sessions.Ended, e.State)
		require.Equal(tb, s.Epoch, e.Epoch)
		require.True(tb, e.EndedAt.Equal(s.Deadline), "ended at %v, not at the deadline %v", e.EndedAt, s.Deadline)
	}
	require.Equal(tb, 1, w.load("a")+w.load("b"))
}

func sweepOneFunction(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	other := worldOn(tb, w.Store, "a")
	s := other.pinShort("x")
	other.expired(s)
	n, err := w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.Zero(tb, n)
	n, err = w.Sweep(tb.Context(), uniqueName())
	require.NoError(tb, err, "a function that nobody has heard of")
	require.Zero(tb, n)
	_, err = other.Sweep(tb.Context(), other.fn)
	require.NoError(tb, err)
	require.Len(tb, other.list(sessions.Ended, 10), 1)
}
