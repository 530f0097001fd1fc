package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func reportChecks() []Check {
	return []Check{
		{"Report/new record", reportNew},
		{"Report/idempotent, in the order given", reportOrder},
		{"Report/healthy", reportHealthy},
		{"Report/another start is a new incarnation", reportRestart},
		{"Report/a late report of the start before", reportLate},
		{"Report/tells the start", reportStart},
		{"Report/empty and learned starts change nothing", reportNoStart},
		{"Report/gone", reportGone},
		{"Report/gone for good", reportGoneForGood},
		{"Report/gone beyond the grace", reportGoneBeyondGrace},
		{"Report/a new incarnation starts clean", reportClean},
		{"Report/incarnations only grow", reportGrow},
		{"Report/race makes one record", reportRace},
	}
}

func reportNew(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	for _, health := range []sessions.Health{sessions.HealthUnknown, sessions.HealthUp, sessions.HealthLost, sessions.HealthGone} {
		before := time.Now()
		got := w.say(is("i"+string('a'+rune(health)), health))
		require.Equal(tb, sessions.LatestQualifier, got.Version)
		require.NotEmpty(tb, got.ID)
		require.Equal(tb, "http://"+got.ID+".test", got.URL)
		require.WithinDuration(tb, before, time.UnixMicro(int64(got.Incarnation)), 10*time.Second, "an incarnation is the clock in µs")
		require.False(tb, got.CreatedAt.Before(before.Add(-grain)))
		require.Equal(tb, health == sessions.HealthUp, !got.LastHealthy.IsZero())
		require.Equal(tb, health == sessions.HealthLost, !got.LostAt.IsZero())
		require.Equal(tb, health == sessions.HealthGone, !got.GoneAt.IsZero())
		require.False(tb, got.Used)
		require.Zero(tb, got.Sessions)
		require.False(tb, got.ReadAt.Before(got.CreatedAt))
		w.sameRecord(got, w.instance(sessions.LatestQualifier, got.ID))
	}
}

func reportOrder(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	first := w.healthy("c", "a", "b")
	require.Equal(tb, []string{"c", "a", "b"}, []string{first[0].ID, first[1].ID, first[2].ID})
	again := w.healthy("b", "c", "a")
	require.Equal(tb, []sessions.Home{first[2].Home, first[0].Home, first[1].Home}, homesOf(again))
	require.True(tb, again[1].CreatedAt.Equal(first[0].CreatedAt))
	require.Empty(tb, w.report(sessions.Report{}))
	moved := up("a")
	moved.URL = "http://elsewhere.test"
	require.Equal(tb, moved.URL, w.say(moved).URL)
	require.Equal(tb, first[1].Home, w.instance(sessions.LatestQualifier, "a").Home, "a new URL is the same instance")
}

func reportHealthy(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	first := w.say(up("a")).LastHealthy
	require.False(tb, first.IsZero())
	w.until("LastHealthy follows the reports", func() bool { return w.say(up("a")).LastHealthy.After(first) })
	last := w.instance(sessions.LatestQualifier, "a").LastHealthy
	got := w.say(is("a", sessions.HealthUnknown))
	require.True(tb, got.LastHealthy.Equal(last), "not knowing is not a sight")
	require.True(tb, got.LostAt.IsZero())
	require.True(tb, got.GoneAt.IsZero())
}

func reportRestart(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	one := w.say(started("a", "one"))
	require.Equal(tb, one.Home, w.say(started("a", "one")).Home)
	two := w.say(started("a", "two"))
	require.Greater(tb, two.Incarnation, one.Incarnation)
	require.False(tb, two.CreatedAt.Before(one.CreatedAt))
	require.False(tb, two.LastHealthy.IsZero())
	require.Equal(tb, two.Home, w.say(started("a", "two")).Home)
	three := w.say(started("a", "three"))
	require.Greater(tb, three.Incarnation, two.Incarnation)
	require.Greater(tb, w.say(started("a", "one")).Incarnation, three.Incarnation, "only the start before is late")
}

func reportLate(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	w.say(started("a", "one"))
	two := w.say(started("a", "two"))
	for range 2 {
		require.Equal(tb, two.Home, w.say(started("a", "one")).Home, "a replica that probed before the restart reports late")
		require.Equal(tb, two.Home, w.say(started("a", "two")).Home)
	}
	require.Greater(tb, w.say(started("a", "three")).Incarnation, two.Incarnation)
}

func reportNoStart(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	first := w.say(up("a")).Home
	require.Equal(tb, first, w.say(started("a", "one")).Home, "a start that is learned")
	require.Equal(tb, first, w.say(up("a")).Home, "an empty start")
	require.Equal(tb, first, w.say(started("a", "one")).Home, "is not forgotten over an empty one")
	require.Greater(tb, w.say(started("a", "two")).Incarnation, first.Incarnation)
}

func reportStart(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	require.Empty(tb, w.say(up("a")).Start)
	require.Equal(tb, "one", w.say(started("a", "one")).Start, "learned")
	require.Equal(tb, "one", w.say(up("a")).Start)
	require.Equal(tb, "two", w.say(started("a", "two")).Start)
	require.Equal(tb, "two", w.say(started("a", "one")).Start, "a late report")
	require.Equal(tb, "two", w.instance(sessions.LatestQualifier, "a").Start)
	w.lose("a")
	require.Empty(tb, w.say(up("a")).Start, "of the new incarnation nothing is known")
}

func reportGone(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	first := w.say(started("a", "one"))
	gone := w.say(is("a", sessions.HealthGone))
	require.Equal(tb, first.Home, gone.Home)
	require.False(tb, gone.GoneAt.Before(first.CreatedAt))
	w.until("the clock moves", func() bool { return w.say(up("clock")).LastHealthy.Sub(gone.GoneAt) > grain })
	require.True(tb, w.say(is("a", sessions.HealthGone)).GoneAt.Equal(gone.GoneAt), "gone once")
	require.False(tb, w.say(is("a", sessions.HealthUnknown)).GoneAt.IsZero(), "not probed is not back")
	require.True(tb, w.instance(sessions.LatestQualifier, "a").GoneAt.Equal(gone.GoneAt), "gone records stay listed")
	back := w.say(started("a", "one"))
	require.Equal(tb, first.Home, back.Home, "the same start proves that the state is still there")
	require.True(tb, back.GoneAt.IsZero())
	require.True(tb, w.instance(sessions.LatestQualifier, "a").GoneAt.IsZero())
}

// reportGoneForGood: what returns without the proof of the same start at the same address is another instance.
func reportGoneForGood(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	elsewhere := started("moved", "one")
	elsewhere.URL = "http://elsewhere.test"
	for _, c := range []struct{ before, after sessions.InstanceReport }{
		{up("never"), up("never")},
		{started("forgotten", "one"), up("forgotten")},
		{up("learned"), started("learned", "one")},
		{started("restarted", "one"), started("restarted", "two")},
		{started("moved", "one"), elsewhere},
	} {
		id := c.before.ID
		first := w.say(c.before)
		w.say(is(id, sessions.HealthGone))
		back := w.say(c.after)
		require.Greater(tb, back.Incarnation, first.Incarnation, id)
		require.True(tb, back.GoneAt.IsZero(), id)
	}
}

// reportGoneBeyondGrace: with a grace sessions have waited for their home, and were ended after it.
func reportGoneBeyondGrace(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	const grace = 20 * time.Millisecond
	first := w.say(started("a", "one"))
	w.say(is("a", sessions.HealthGone))
	require.Equal(tb, first.Home, w.withGrace(longLife, started("a", "one")).Home)
	gone := w.say(is("a", sessions.HealthGone))
	w.until("the grace has passed", func() bool { return w.say(up("clock")).LastHealthy.Sub(gone.GoneAt) > grace+grain })
	require.Greater(tb, w.withGrace(grace, started("a", "one")).Incarnation, first.Incarnation)
}

func reportClean(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	w.homes = []sessions.Home{w.say(started("a", "one")).Home}
	r := w.request("x")
	r.Isolation = true
	s := w.pin(r)
	w.lose("a")
	w.say(is("a", sessions.HealthGone))
	now := w.say(started("a", "two"))
	require.Greater(tb, now.Incarnation, s.Home.Incarnation)
	require.False(tb, now.Used)
	require.True(tb, now.LostAt.IsZero())
	require.True(tb, now.GoneAt.IsZero())
	require.Zero(tb, now.Sessions, "sessions of the one before count against the one before")
	w.same(s, w.get("x"))
	w.homes = []sessions.Home{now.Home}
	r = w.request("y")
	r.PerInstance = 1
	w.pin(r)
	require.Equal(tb, 1, w.load("a"))
	w.end(s, false)
	require.Equal(tb, 1, w.load("a"), "a slot of the one before is not one of this one")
}

func reportGrow(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	last := uint64(0)
	for i := range 20 {
		got := w.say(started("a", numbered("n", 20)[i]))
		require.Greater(tb, got.Incarnation, last)
		last = got.Incarnation
	}
}

func reportRace(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0])
	report := sessions.Report{Function: w.fn, Version: sessions.LatestQualifier, Instances: []sessions.InstanceReport{started("a", "one")}}
	for range 2 {
		type result struct {
			home sessions.Home
			err  error
		}
		results := make(chan result, raceReplicas)
		for _, s := range replicas {
			go func() {
				got, err := s.Report(tb.Context(), report)
				if err != nil {
					results <- result{err: err}
					return
				}
				results <- result{home: got[0].Home}
			}()
		}
		first := <-results
		require.NoError(tb, first.err)
		for range raceReplicas - 1 {
			require.Equal(tb, first, <-results, "replicas that notice together agree on the incarnation")
		}
		report.Instances[0].Start = "two"
	}
}
