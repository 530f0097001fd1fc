package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func listChecks() []Check {
	return []Check{
		{"List/order and pages", listPages},
		{"List/exact last page", listLastPage},
		{"List/ended records of one ID", listSameID},
		{"List/by qualifier and function", listScopes},
		{"List/an ill-formed cursor lists from the start", listBadCursor},
		{"List/under churn", listChurn},
		{"List/of an instance under churn", listChurnInstance},
	}
}

func inOrder(tb testing.TB, all []sessions.Session) {
	tb.Helper()
	require.True(tb, slices.IsSortedFunc(all, func(a, b sessions.Session) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}), "not in order of creation, then ID")
}

func listPages(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	want := map[string]sessions.Session{}
	ids := numbered("x", 23)
	for _, id := range ids {
		want[id] = w.pin(w.request(id))
	}
	for _, state := range []sessions.State{sessions.Active, sessions.Ended} {
		for _, limit := range []int{1, 7, 22, 23, 24, 1000} {
			all := w.list(state, limit)
			require.Len(tb, all, len(want))
			inOrder(tb, all)
			for _, s := range all {
				w.same(want[s.ID], s)
				require.False(tb, s.ReadAt.IsZero())
			}
		}
		if state == sessions.Active {
			for _, id := range slices.Backward(ids) { // ended in another order than created
				want[id] = w.end(want[id], true)
			}
		}
	}
	require.Empty(tb, w.list(sessions.Active, 10))
}

func listLastPage(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	q := sessions.Query{Function: w.fn, Qualifier: sessions.LatestQualifier, Limit: 5}
	page, err := w.List(tb.Context(), q)
	require.NoError(tb, err)
	require.Empty(tb, page.Sessions)
	require.Empty(tb, page.Cursor)
	for _, id := range numbered("x", 5) {
		w.pin(w.request(id))
	}
	page, err = w.List(tb.Context(), q)
	require.NoError(tb, err)
	require.Len(tb, page.Sessions, 5)
	require.Empty(tb, page.Cursor, "the last page is full and still the last")
	w.pin(w.request("more"))
	page, err = w.List(tb.Context(), q)
	require.NoError(tb, err)
	require.Len(tb, page.Sessions, 5)
	require.NotEmpty(tb, page.Cursor)
}

func listSameID(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	var want []sessions.Session
	for range 5 {
		want = append(want, w.end(w.pin(w.request("x")), true))
	}
	live := w.pin(w.request("x"))
	for _, limit := range []int{1, 2, 10} {
		got := w.list(sessions.Ended, limit)
		require.Len(tb, got, len(want))
		inOrder(tb, got)
		slices.SortFunc(got, func(a, b sessions.Session) int { return cmp.Compare(a.Epoch, b.Epoch) })
		for i := range want {
			w.same(want[i], got[i])
		}
	}
	active := w.list(sessions.Active, 10)
	require.Len(tb, active, 1)
	w.same(live, active[0])
}

func listScopes(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	other := worldOn(tb, w.Store, "a")
	w.pin(w.request("x"))
	r := w.request("x")
	r.Qualifier = "v2"
	w.pin(r)
	other.pin(other.request("y"))
	page, err := w.List(tb.Context(), sessions.Query{Function: w.fn, Qualifier: "v2", Limit: 10})
	require.NoError(tb, err)
	require.Len(tb, page.Sessions, 1)
	require.Equal(tb, r.Key, page.Sessions[0].Key)
	require.Len(tb, w.list(sessions.Active, 10), 1)
	require.Len(tb, other.list(sessions.Active, 10), 1)
	page, err = w.List(tb.Context(), sessions.Query{Function: w.fn, Qualifier: "v3", Limit: 10})
	require.NoError(tb, err)
	require.Empty(tb, page.Sessions)
}

func listBadCursor(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	for _, id := range numbered("x", 3) {
		w.pin(w.request(id))
	}
	for _, cursor := range []string{"?", "\x00\xff", "zzzz", "[", "(", "+", "-", "AAAA", "\xff", "0", "[\x00"} {
		page, err := w.List(tb.Context(), sessions.Query{Function: w.fn, Qualifier: sessions.LatestQualifier, After: cursor, Limit: 10})
		require.NoError(tb, err, "%q", cursor)
		require.Len(tb, page.Sessions, 3, "%q", cursor)
	}
}

// listChurn walks listings while sessions come and go: none may be listed twice, and none that was there all the
// time may be missing.
func listChurn(tb testing.TB, h Harness) {
	churned(newWorld(tb, h, "a", "b"), sessions.Query{Qualifier: sessions.LatestQualifier, Limit: 7})
}

func listChurnInstance(tb testing.TB, h Harness) {
	churned(newWorld(tb, h, "a"), sessions.Query{Version: sessions.LatestQualifier, Instance: "a", Limit: 7})
}

func churned(w *world, q sessions.Query) {
	w.Helper()
	survivors := map[string]bool{}
	doomed := make(chan sessions.Session, 300)
	for i := range 120 {
		s := w.pin(w.request(fmt.Sprintf("x%d", i)))
		if i%3 == 0 {
			doomed <- s
			continue
		}
		survivors[s.ID] = true
	}
	stop := make(chan struct{})
	failed := make(chan error, 1)
	var all sync.WaitGroup
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := comeAndGo(w, doomed, i); err != nil {
				failed <- err
				return
			}
		}
	})
	for range 5 {
		seen := map[string]bool{}
		for _, s := range w.walk(q) {
			require.False(w, seen[s.ID], "%s is listed twice", s.ID)
			seen[s.ID] = true
		}
		for id := range survivors {
			require.True(w, seen[id], "%s was there all the time and is missing", id)
		}
	}
	close(stop)
	all.Wait()
	require.Empty(w, failed)
}

// comeAndGo pins one session and ends one.
func comeAndGo(w *world, doomed chan sessions.Session, i int) error {
	s, _, err := w.Pin(w.Context(), w.request(fmt.Sprintf("new%d", i)))
	if err != nil {
		return err
	}
	doomed <- s
	_, err = w.End(w.Context(), <-doomed, i%2 == 0)
	return err
}
