package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func lossChecks() []Check {
	return []Check{
		{"Loss/another replica's sight overrules", lossOverruled},
		{"Loss/told once", lossOnce},
		{"Loss/same start proves the state", lossSameStart},
		{"Loss/without proof a new incarnation", lossNoProof},
		{"Loss/within the grace the same incarnation returns", lossWithinGrace},
		{"Loss/after the grace a new incarnation", lossAfterGrace},
		{"Loss/another start is a new incarnation", lossRestart},
	}
}

func lossOverruled(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	w.say(up("a"))
	lost := sessions.Report{AliveWithin: longLife, Instances: []sessions.InstanceReport{is("a", sessions.HealthLost)}}
	require.True(tb, w.report(lost)[0].LostAt.IsZero(), "another replica saw it healthy a moment ago")
	require.False(tb, w.lose("a").LostAt.IsZero())
}

func lossOnce(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	first := w.say(up("a"))
	lost := w.lose("a")
	require.Equal(tb, first.Home, lost.Home)
	require.True(tb, lost.LastHealthy.Equal(first.LastHealthy))
	w.until("the clock moves", func() bool { return w.say(up("clock")).LastHealthy.Sub(lost.LostAt) > grain })
	require.True(tb, w.lose("a").LostAt.Equal(lost.LostAt))
	require.True(tb, w.say(is("a", sessions.HealthUnknown)).LostAt.Equal(lost.LostAt), "not knowing is not a return")
}

func lossSameStart(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	first := w.say(started("a", "one"))
	w.lose("a")
	back := w.say(started("a", "one"))
	require.Equal(tb, first.Home, back.Home)
	require.True(tb, back.LostAt.IsZero())
	require.True(tb, w.instance(sessions.LatestQualifier, "a").LostAt.IsZero())
}

func lossNoProof(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	for _, c := range []struct{ id, before, after string }{
		{"never", "", ""}, {"forgotten", "one", ""}, {"learned", "", "one"},
	} {
		first := w.say(started(c.id, c.before))
		w.lose(c.id)
		back := w.say(started(c.id, c.after))
		require.Greater(tb, back.Incarnation, first.Incarnation, c.id)
		require.True(tb, back.LostAt.IsZero(), c.id)
	}
}

// withGrace reports one instance for a function whose sessions wait for their home.
func (w *world) withGrace(grace time.Duration, r sessions.InstanceReport) sessions.InstanceRecord {
	w.Helper()
	return w.report(sessions.Report{LossGrace: grace, Instances: []sessions.InstanceReport{r}})[0]
}

func lossWithinGrace(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	for _, start := range []string{"", "one"} {
		first := w.say(started("a"+start, start))
		w.lose("a" + start)
		back := w.withGrace(longLife, started("a"+start, start))
		require.Equal(tb, first.Home, back.Home)
		require.True(tb, back.LostAt.IsZero())
	}
}

func lossAfterGrace(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	const grace = 20 * time.Millisecond
	for _, start := range []string{"", "one"} {
		id := "a" + start
		first := w.say(started(id, start))
		lost := w.lose(id)
		w.until("the grace has passed", func() bool { return w.say(up("clock")).LastHealthy.Sub(lost.LostAt) > grace+grain })
		back := w.withGrace(grace, started(id, start))
		require.Greater(tb, back.Incarnation, first.Incarnation, "the sessions have been ended: %q proves nothing", start)
		require.True(tb, back.LostAt.IsZero())
	}
}

func lossRestart(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	first := w.say(started("a", "one"))
	w.lose("a")
	back := w.withGrace(longLife, started("a", "two"))
	require.Greater(tb, back.Incarnation, first.Incarnation, "the grace does not bring a program's memory back")
	require.True(tb, back.LostAt.IsZero())
}
