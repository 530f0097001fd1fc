package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func residentChecks() []Check {
	return []Check{
		{"List/of an instance, all qualifiers", residentsAll},
		{"List/of an instance, in pages", residentsPages},
		{"List/of an instance, after a re-home", residentsMoved},
		{"List/of an instance, all incarnations", residentsIncarnations},
		{"List/of an instance that has none", residentsNone},
		{"List/a cursor of another listing lists from the start", residentsCursor},
	}
}

// residents walks the listing of a place, and asserts its order where it has one.
func (w *world) residents(id string, state sessions.State, limit int) []sessions.Session {
	w.Helper()
	all := w.walk(sessions.Query{Version: sessions.LatestQualifier, Instance: id, State: state, Limit: limit})
	if state == sessions.Ended {
		inOrder(w, all)
	}
	return all
}

// holds asserts that a listing has these sessions and no others.
func (w *world) holds(got []sessions.Session, want ...sessions.Session) {
	w.Helper()
	require.Len(w, got, len(want))
	order := func(a, b sessions.Session) int { return cmp.Compare(a.Epoch, b.Epoch) }
	got, want = slices.SortedFunc(slices.Values(got), order), slices.SortedFunc(slices.Values(want), order)
	for i := range want {
		w.same(want[i], got[i])
	}
}

// residentsAll: another version's pool may have an instance of the same ID, and a session's qualifier need not be
// its home's version.
func residentsAll(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b", "a2")
	v2 := w.report(sessions.Report{Version: "v2", Instances: []sessions.InstanceReport{up("a")}})[0].Home
	pin := func(qualifier, id string, home sessions.Home) sessions.Session {
		r := w.request(id)
		r.Qualifier, r.Candidates = qualifier, []sessions.Home{home}
		return w.pin(r)
	}
	first, second := pin("LATEST", "x", w.homes[0]), pin("alias", "x", w.homes[0])
	other, elsewhere := pin("alias", "y", v2), pin("LATEST", "z", w.homes[1])
	third := pin("LATEST", "a", w.homes[2])
	w.holds(w.residents("a", sessions.Active, 10), first, second)
	w.holds(w.residents("a2", sessions.Active, 10), third)
	w.holds(w.walk(sessions.Query{Version: "v2", Instance: "a", Limit: 10}), other)
	require.Empty(tb, w.residents("a", sessions.Ended, 10))
	w.end(elsewhere, false)
	first, other = w.end(first, true), w.end(other, true)
	w.holds(w.residents("a", sessions.Active, 10), second)
	w.holds(w.residents("a", sessions.Ended, 10), first)
	w.holds(w.walk(sessions.Query{Version: "v2", Instance: "a", State: sessions.Ended, Limit: 10}), other)
	require.Empty(tb, w.residents("b", sessions.Ended, 10))
	expired := w.pinShort("short")
	w.expired(expired)
	_, err := w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.Empty(tb, w.residents("b", sessions.Active, 10))
	require.Len(tb, w.residents("b", sessions.Ended, 10), 1, "the sweep moves it too")
}

func residentsPages(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	var want []sessions.Session
	for i := range 23 {
		r := w.request(fmt.Sprintf("x%d", i/2))
		r.Qualifier = []string{"LATEST", "alias"}[i%2]
		want = append(want, w.pin(r))
	}
	for _, state := range []sessions.State{sessions.Active, sessions.Ended} {
		for _, limit := range []int{1, 7, 22, 23, 24, 1000} {
			w.holds(w.residents("a", state, limit), want...)
		}
		if state == sessions.Active {
			for i, s := range slices.Backward(want) { // ended in another order than created
				want[i] = w.end(s, true)
			}
		}
	}
	require.Empty(tb, w.residents("a", sessions.Active, 10))
}

func residentsMoved(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	w.holds(w.residents("a", sessions.Active, 10), s)
	moved := w.rehome(w.refused(s))
	require.Empty(tb, w.residents("a", sessions.Active, 10))
	w.holds(w.residents("b", sessions.Active, 10), moved)
	w.touch(use(moved, 0))
	moved = w.update(changes(s.Key, 2*longLife, -1))
	w.holds(w.residents("b", sessions.Active, 10), moved)
	ended := w.end(moved, true)
	require.Empty(tb, w.residents("a", sessions.Ended, 10), "it did not end there")
	w.holds(w.residents("b", sessions.Ended, 10), ended)
}

// residentsIncarnations: users know the place, not which of its programs a session saw.
func residentsIncarnations(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	var active, ended []sessions.Session
	for _, start := range []string{"one", "two"} {
		w.homes = []sessions.Home{w.say(started("a", start)).Home}
		active = append(active, w.pin(w.request("live"+start)))
		ended = append(ended, w.end(w.pin(w.request("dead"+start)), true))
	}
	require.NotEqual(tb, active[0].Home, active[1].Home)
	for _, limit := range []int{1, 10} {
		w.holds(w.residents("a", sessions.Active, limit), active...)
		w.holds(w.residents("a", sessions.Ended, limit), ended...)
	}
	moved := w.rehome(sessions.RehomeRequest{Session: active[0], Reason: sessions.ReasonRestarted, Placement: w.anywhere()})
	w.holds(w.residents("a", sessions.Active, 1), moved, active[1])
}

func residentsNone(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	w.pin(w.request("x"))
	for _, q := range []sessions.Query{
		{Version: sessions.LatestQualifier, Instance: "b"}, {Version: sessions.LatestQualifier, Instance: "none"},
		{Version: "v2", Instance: "a"}, {Version: sessions.LatestQualifier, Instance: "a", State: sessions.Ended},
	} {
		q.Limit = 10
		require.Empty(tb, w.walk(q), "%+v", q)
	}
}

func residentsCursor(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	for _, id := range numbered("x", 6) {
		w.end(w.pin(w.request(id)), true)
		w.pin(w.request(id))
	}
	for _, state := range []sessions.State{sessions.Active, sessions.Ended} {
		both := []sessions.Query{
			{Function: w.fn, Qualifier: sessions.LatestQualifier, State: state},
			{Function: w.fn, Version: sessions.LatestQualifier, Instance: "a", State: state},
		}
		for i, q := range both {
			q.Limit = 3
			page, err := w.List(tb.Context(), q)
			require.NoError(tb, err)
			require.NotEmpty(tb, page.Cursor)
			for _, cursor := range []string{page.Cursor, "?", "\x00\xff", "AAAA", "[", "0"} {
				foreign := both[1-i]
				foreign.After, foreign.Limit = cursor, 10
				page, err := w.List(tb.Context(), foreign)
				require.NoError(tb, err)
				require.Len(tb, page.Sessions, 6, "%q", cursor)
			}
		}
	}
}
