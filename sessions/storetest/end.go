package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func endChecks() []Check {
	return []Check{
		{"End/kept", endKept},
		{"End/without a trace", endForgotten},
		{"End/by epoch", endByEpoch},
		{"End/retried", endRetried},
		{"End/not found", endNotFound},
	}
}

func endKept(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pin(w.request("x"))
	ended := w.end(s, true)
	require.Equal(tb, sessions.Ended, ended.State)
	require.Equal(tb, s.Key, ended.Key)
	require.Equal(tb, s.Home, ended.Home)
	require.Equal(tb, s.Settings, ended.Settings)
	require.True(tb, ended.CreatedAt.Equal(s.CreatedAt))
	require.False(tb, ended.EndedAt.Before(s.CreatedAt))
	require.True(tb, ended.EndedAt.Before(s.Deadline), "it ended now, not at its deadline")
	require.Zero(tb, w.load("a"), "the slot is given back at once")
	require.Empty(tb, w.list(sessions.Active, 10))
	listed := w.list(sessions.Ended, 10)
	require.Len(tb, listed, 1)
	w.same(ended, listed[0])
}

func endForgotten(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.DisableIDReuse = true
	s := w.pin(r)
	ended := w.end(s, false)
	require.Equal(tb, sessions.Ended, ended.State)
	require.False(tb, ended.EndedAt.IsZero())
	require.Zero(tb, w.load("a"))
	require.Empty(tb, w.list(sessions.Active, 10))
	require.Empty(tb, w.list(sessions.Ended, 10))
	w.pin(r)
}

func endByEpoch(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	moved := w.rehome(w.refused(s))
	for _, keep := range []bool{true, false} {
		_, err := w.End(tb.Context(), s, keep)
		require.ErrorIs(tb, err, sessions.ErrMoved)
	}
	w.same(moved, w.get("x"))
	w.end(moved, false)
	again := w.pin(w.request("x"))
	_, err := w.End(tb.Context(), moved, false)
	require.ErrorIs(tb, err, sessions.ErrMoved, "a delayed delete must not end the ID's next session")
	w.same(again, w.get("x"))
}

// endRetried: a client that lost the answer asks again and gets the same one; of a session without a trace there
// is nothing left to tell.
func endRetried(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pin(w.request("x"))
	ended := w.end(s, true)
	w.same(ended, w.end(s, true))
	require.Len(tb, w.list(sessions.Ended, 10), 1)
	require.Zero(tb, w.load("a"), "the slot is given back once")
	s = w.pin(w.request("y"))
	w.end(s, false)
	_, err := w.End(tb.Context(), s, false)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	require.Zero(tb, w.load("a"))
}

func endNotFound(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	_, err := w.End(tb.Context(), sessions.Session{Key: w.key("none"), Epoch: 1}, true)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	s := w.pinShort("x")
	w.expired(s)
	_, err = w.End(tb.Context(), s, true)
	require.ErrorIs(tb, err, sessions.ErrNotFound, "an expired session has ended already")
}
