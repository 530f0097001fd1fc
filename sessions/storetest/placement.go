package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func placementChecks() []Check {
	return []Check{
		{"Placement/least loaded, first of equals", leastLoaded},
		{"Placement/full", full},
		{"Placement/refuses gone", refusesGone},
		{"Placement/refuses an older incarnation", refusesStale},
		{"Placement/isolation uses an instance up", isolation},
		{"Placement/versions are separate pools", versions},
	}
}

func leastLoaded(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b", "c")
	a, b, c := w.homes[0], w.homes[1], w.homes[2]
	put := func(id string, order ...sessions.Home) sessions.Session {
		r := w.request(id)
		r.Candidates = order
		return w.pin(r)
	}
	require.Equal(tb, b, put("1", b, a, c).Home, "first of equals")
	require.Equal(tb, a, put("2", b, a, c).Home)
	third := put("3", b, a, c)
	require.Equal(tb, c, third.Home)
	require.Equal(tb, a, put("4", a, c, b).Home)
	require.Equal(tb, b, put("5", a, b).Home, "only candidates count")
	w.end(third, false)
	require.Equal(tb, c, put("6", a, b, c).Home, "an ended session gave its slot back")
	require.Equal(tb, []int{2, 2, 1}, []int{w.load("a"), w.load("b"), w.load("c")})
}

func full(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	for _, id := range numbered("x", 4) {
		r := w.request(id)
		r.PerInstance = 2
		w.pin(r)
	}
	r := w.request("y")
	r.PerInstance = 2
	_, _, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull)
	r.PerInstance = 3
	w.pin(r)
	for _, keep := range []bool{true, false} {
		w.end(w.get("x"+map[bool]string{true: "0", false: "1"}[keep]), keep)
	}
	require.Equal(tb, 3, w.load("a")+w.load("b"))
	r = w.request("z")
	r.PerInstance = 2
	w.pin(r)
}

func refusesGone(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	w.say(is("a", sessions.HealthGone))
	for _, id := range numbered("x", 3) {
		require.Equal(tb, w.homes[1], w.pin(w.request(id)).Home)
	}
	r := w.request("y")
	r.Candidates = w.homes[:1]
	_, _, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull)
}

func refusesStale(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	old := w.say(started("a", "one")).Home
	now := w.say(started("a", "two")).Home
	require.Greater(tb, now.Incarnation, old.Incarnation)
	r := w.request("x")
	r.Candidates = []sessions.Home{old}
	_, _, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull)
	r.Candidates = []sessions.Home{old, now}
	require.Equal(tb, now, w.pin(r).Home)
}

func isolation(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	isolated := func(id string) sessions.PinRequest {
		r := w.request(id)
		r.Isolation = true
		return r
	}
	require.False(tb, w.instance(sessions.LatestQualifier, "a").Used)
	first := w.pin(isolated("1"))
	require.Equal(tb, w.homes[0], first.Home)
	require.True(tb, w.instance(sessions.LatestQualifier, "a").Used)
	second := w.pin(isolated("2"))
	require.Equal(tb, w.homes[1], second.Home, "a used instance takes no other")
	again, created, err := w.Pin(tb.Context(), isolated("1"))
	require.NoError(tb, err)
	require.False(tb, created)
	w.same(first, again)
	w.end(first, false)
	w.end(second, true)
	require.Zero(tb, w.load("a"))
	_, _, err = w.Pin(tb.Context(), isolated("3"))
	require.ErrorIs(tb, err, sessions.ErrFull, "one session in an instance's life, also after it ended")
	_, _, err = w.Pin(tb.Context(), w.request("3"))
	require.ErrorIs(tb, err, sessions.ErrFull, "used is used, whoever asks")
	w.homes = homesOf([]sessions.InstanceRecord{w.say(is("a", sessions.HealthGone)), w.say(up("a"))})[1:]
	require.Equal(tb, w.homes[0], w.pin(isolated("3")).Home, "a new incarnation is unused")
}

// versions: one function's qualifiers have instances of their own, which may bear the same IDs.
func versions(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	v2 := w.report(sessions.Report{Version: "v2", Instances: []sessions.InstanceReport{up("a")}})[0].Home
	require.Equal(tb, "v2", v2.Version)
	r := w.request("x")
	r.PerInstance = 1
	w.pin(r)
	other := r
	other.Qualifier, other.Candidates = "v2", []sessions.Home{v2}
	require.Equal(tb, v2, w.pin(other).Home, "the other pool's slot is free")
	require.Equal(tb, 1, w.load("a"))
	require.Equal(tb, 1, w.instance("v2", "a").Sessions)
	w.report(sessions.Report{Version: "v2", Instances: []sessions.InstanceReport{is("a", sessions.HealthGone)}})
	require.True(tb, w.instance(sessions.LatestQualifier, "a").GoneAt.IsZero())
	require.False(tb, w.instance("v2", "a").GoneAt.IsZero())
}
