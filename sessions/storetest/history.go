package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func historyChecks() []Check {
	return []Check{
		{"History/by epoch, the Active one last", historyOrder},
		{"History/of one ID in one qualifier", historyScopes},
		{"History/an expired session has ended", historyExpired},
		{"Qualifiers/sorted, of one function", qualifiersSorted},
	}
}

func (w *world) history(k sessions.Key) []sessions.Session {
	w.Helper()
	all, err := w.History(w.Context(), k)
	require.NoError(w, err)
	for _, s := range all {
		require.Equal(w, k, s.Key)
	}
	return all
}

func historyOrder(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	require.Empty(tb, w.history(w.key("x")))
	var want []sessions.Session
	for i := range 12 {
		s := w.pin(w.request("x"))
		if i%3 == 0 {
			s = w.rehome(w.refused(s))
		}
		keep := i%4 != 0
		ended := w.end(s, keep)
		if keep {
			want = append(want, ended)
		}
	}
	live := w.pin(w.request("x"))
	for _, with := range [][]sessions.Session{append(want, live), want} {
		got := w.history(live.Key)
		require.Len(tb, got, len(with))
		for i := range with {
			w.same(with[i], got[i])
			require.False(tb, got[i].ReadAt.IsZero())
			require.True(tb, i == 0 || got[i-1].Epoch < got[i].Epoch, "not by epoch")
		}
		if len(with) > len(want) {
			w.end(live, false)
		}
	}
}

func historyScopes(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	other := worldOn(tb, w.Store, "a")
	mine := w.pin(w.request("x"))
	v2 := w.request("x")
	v2.Qualifier = "v2"
	w.end(w.pin(v2), true)
	w.pin(w.request("x2"))
	other.pin(other.request("x"))
	got := w.history(mine.Key)
	require.Len(tb, got, 1)
	w.same(mine, got[0])
	require.Len(tb, w.history(v2.Key), 1)
	require.Len(tb, other.history(other.key("x")), 1)
	require.Empty(tb, w.history(w.key("none")))
	require.Empty(tb, w.history(sessions.Key{Function: uniqueName(), Qualifier: "none", ID: "x"}))
}

func historyExpired(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pinShort("x")
	w.expired(s)
	for range 2 {
		got := w.history(s.Key)
		require.Len(tb, got, 1)
		require.Equal(tb, sessions.Ended, got[0].State)
		require.True(tb, got[0].EndedAt.Equal(s.Deadline), "ended at %v, not at the deadline %v", got[0].EndedAt, s.Deadline)
		_, err := w.Sweep(tb.Context(), w.fn)
		require.NoError(tb, err)
	}
	live := w.pin(w.request("x"))
	got := w.history(s.Key)
	require.Len(tb, got, 2)
	w.same(live, got[1])
}

func qualifiersSorted(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	other := worldOn(tb, w.Store, "a")
	other.pin(other.request("x"))
	qualifiers := func(of *world) []string {
		got, err := of.Qualifiers(tb.Context(), of.fn)
		require.NoError(tb, err)
		return got
	}
	require.Empty(tb, qualifiers(w))
	want := []string{"LATEST", "a-1", "v.1", "v10", "v2", "{q}:"}
	for i, q := range []string{"v2", "LATEST", "{q}:", "v10", "a-1", "v.1", "v2"} {
		r := w.request(uniqueName())
		r.Qualifier = q
		if s := w.pin(r); i%2 == 0 {
			w.end(s, true)
		}
	}
	require.Equal(tb, want, qualifiers(w))
	_, err := w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.Equal(tb, want, qualifiers(w))
	require.Equal(tb, []string{"LATEST"}, qualifiers(other))
	got, err := w.Qualifiers(tb.Context(), uniqueName())
	require.NoError(tb, err, "a function that nobody has heard of")
	require.Empty(tb, got)
}
