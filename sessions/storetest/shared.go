package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func instanceChecks() []Check {
	return []Check{
		{"Instances/all of a function", instancesAll},
		{"Instances/shared by replicas", instancesShared},
	}
}

func instancesAll(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	other := worldOn(tb, w.Store, "c")
	v2 := w.report(sessions.Report{Version: "v2", Instances: []sessions.InstanceReport{up("a")}})[0]
	w.pin(w.request("x"))
	w.say(is("b", sessions.HealthGone))
	all, err := w.Instances(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.ElementsMatch(tb, append(w.homes, v2.Home), homesOf(all))
	require.Equal(tb, 1, w.load("a"))
	require.Equal(tb, 1, w.healthy("a")[0].Sessions, "Report tells the load too")
	require.Zero(tb, other.load("c"))
	all, err = w.Instances(tb.Context(), uniqueName())
	require.NoError(tb, err)
	require.Empty(tb, all)
}

func instancesShared(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, 2)
	w := worldOn(tb, replicas[0], "a")
	other := &world{TB: tb, Store: replicas[1], fn: w.fn, homes: w.homes}
	w.sameRecord(w.instance(sessions.LatestQualifier, "a"), other.instance(sessions.LatestQualifier, "a"))
	w.same(w.pin(w.request("x")), other.get("x"))
	require.Equal(tb, 1, other.load("a"))
	w.end(other.get("x"), false)
	require.Zero(tb, other.load("a"))
}

func sharedChecks() []Check {
	return []Check{
		{"Secret/same for all, forever", secretSame},
		{"Secret/one winner of a race", secretRace},
		{"Ping", ping},
	}
}

func secretSame(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, 2)
	name := uniqueName()
	first, err := replicas[0].Secret(tb.Context(), name)
	require.NoError(tb, err)
	require.Len(tb, first, 32)
	want := string(first)
	first[0]++ // the caller's copy is the caller's
	for _, s := range replicas {
		again, err := s.Secret(tb.Context(), name)
		require.NoError(tb, err)
		require.Equal(tb, []byte(want), again)
		other, err := s.Secret(tb.Context(), name+"2")
		require.NoError(tb, err)
		require.NotEqual(tb, []byte(want), other)
	}
}

func secretRace(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	type result struct {
		secret string
		err    error
	}
	name, results := uniqueName(), make(chan result, 2*raceReplicas)
	for i := range cap(results) {
		go func() {
			b, err := replicas[i%raceReplicas].Secret(tb.Context(), name)
			results <- result{string(b), err}
		}()
	}
	first := <-results
	require.NoError(tb, first.err)
	for range cap(results) - 1 {
		require.Equal(tb, first, <-results)
	}
}

func ping(tb testing.TB, h Harness) {
	require.NoError(tb, h.Open(tb).Ping(tb.Context()))
}

func nameChecks() []Check {
	return []Check{
		{"Names/every visible character", namesVisible},
		{"Names/no two keys meet", namesApart},
	}
}

// visible returns all characters that MCP allows in a session ID: 0x21 to 0x7E.
func visible() string {
	var b strings.Builder
	for c := byte(0x21); c <= 0x7E; c++ {
		b.WriteByte(c)
	}
	return b.String()
}

func namesVisible(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	ids := []string{visible(), strings.Repeat("~", 256), strings.Repeat("!", 255) + "~", "{", "}", "{x}", "|", ":", "%s", `\`, `"`, "*", "[", "-", "0"}
	for _, id := range ids {
		s := w.pin(w.request(id))
		w.same(s, w.get(id))
		told := use(s, 0)
		told.Delivered = true
		w.touch(told)
		moved := w.rehome(w.refused(w.get(id)))
		require.Equal(tb, id, moved.ID)
	}
	for _, limit := range []int{1, 4, 100} {
		require.Len(tb, w.list(sessions.Active, limit), len(ids))
	}
	for _, id := range ids {
		w.end(w.get(id), true)
	}
	require.Len(tb, w.list(sessions.Ended, 2), len(ids))
	require.Zero(tb, w.load("a")+w.load("b"))
}

// namesApart: whatever separator a store puts between the parts of its keys, an ID that contains it names no other
// session.
func namesApart(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	made := map[sessions.Key]sessions.Session{}
	for _, sep := range []string{":", "|", "{", "}", ",", "/", ".", "-", "#", "\\"} {
		for _, k := range [][2]string{{"q", "x" + sep + "y"}, {"q" + sep + "x", "y"}, {"q" + sep, "x" + sep + "y"}, {"q", sep + "x" + sep + "y"}} {
			r := w.request(k[1])
			r.Qualifier = k[0]
			made[r.Key] = w.pin(r)
		}
	}
	for k, s := range made {
		got, err := w.Get(tb.Context(), k)
		require.NoError(tb, err)
		w.same(s, got)
	}
	require.Equal(tb, len(made), w.load("a"))
	for k, s := range made {
		w.end(s, true)
		page, err := w.List(tb.Context(), sessions.Query{Function: w.fn, Qualifier: k.Qualifier, State: sessions.Ended, Limit: 100})
		require.NoError(tb, err)
		for _, e := range page.Sessions {
			require.Equal(tb, k.Qualifier, e.Qualifier)
		}
	}
	require.Zero(tb, w.load("a"))
}
