package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func idChecks() []Check {
	return []Check{{"ID/any visible ASCII, up to 1,024 bytes", anyID}}
}

// oddIDs are what an instance may choose: visible ASCII, such as means something in a key, a path, a page or a script.
func oddIDs() []string {
	ids := []string{
		":", "{", "}", "/", "%", `"`, `\`, "<", "a:b", "{tag}", "}:x", "a/../b", "%2F", "%00", `\x00`, "<script>", "'", "?a=b&c", "#",
		"*", "[a]", "~", "!", "drain", "block", strings.Repeat("~", 1024), strings.Repeat("!", 1023) + "a", strings.Repeat("!", 1023) + "b",
		strings.Repeat("{:}", 341),
	}
	slices.Sort(ids)
	return ids
}

// anyID looks at sessions of odd IDs in every way, and sees each where it belongs.
func anyID(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	made := map[string]sessions.Session{}
	for i, id := range oddIDs() {
		if i%2 == 0 {
			made[id] = w.pin(w.request(id))
		} else {
			made[id] = w.bind(w.bindAs(w.pin(w.reservation()), id))
		}
		w.same(made[id], w.get(id))
	}
	there := sessions.Query{Version: w.homes[0].Version, Instance: "a", Limit: 3}
	all := func(state sessions.State) {
		here := there
		here.State = state
		for _, listed := range [][]sessions.Session{w.list(state, 3), w.walk(here)} {
			seen := map[string]int{}
			for _, s := range listed {
				w.same(made[s.ID], s)
				seen[s.ID]++
			}
			require.Len(w, seen, len(made))
			require.Len(w, listed, len(made), "listed twice")
		}
	}
	all(sessions.Active)
	require.Equal(tb, len(made), w.load("a"))
	for id, s := range made {
		stale, err := w.Touch(tb.Context(), []sessions.Touch{{Key: s.Key, Epoch: s.Epoch}})
		require.NoError(tb, err)
		require.Empty(tb, stale)
		made[id] = w.end(s, true)
		history, err := w.History(tb.Context(), s.Key)
		require.NoError(tb, err)
		require.Len(tb, history, 1)
		w.same(made[id], history[0])
	}
	all(sessions.Ended)
	require.Zero(tb, w.load("a"))
}
