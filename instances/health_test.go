package instances_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestInstanceBeforeItsFirstProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		require.Equal(t, instances.StateStarting, w.view("a").State)
		require.Equal(t, sessions.HomeUp, w.state(sessions.Home{ID: "a", Incarnation: 7}), "the next dial tells")
		require.Empty(t, w.candidates())
		require.False(t, w.pool.Ready())
		_, ok := w.pool.Pick(nil)
		require.False(t, ok)

		changed := w.pool.Changed()
		w.run()
		require.True(t, w.pool.Ready())
		require.Equal(t, []string{"a"}, w.candidates())
		require.True(t, closed(changed))
		require.Equal(t, sessions.HealthUp, w.registry.said("a").Health)
		w.stop()
	})
}

// One instance of five, so that this replica has no reason to suspect itself.
func TestHealthFollowsProbes(t *testing.T) {
	up, failing := host{}, host{err: errStatus}
	refused := host{err: errRefused}
	type step struct {
		host      host
		rounds    int
		state     string
		home      sessions.HomeState
		candidate bool
		report    sessions.Health
	}
	tests := map[string][]step{
		"healthy":                         {{up, 3, "ready", sessions.HomeUp, true, sessions.HealthUp}},
		"one failure is a doubt":          {{up, 1, "ready", sessions.HomeUp, true, sessions.HealthUp}, {failing, 1, "ready", sessions.HomeUp, true, sessions.HealthUnknown}},
		"failures in a row are a loss":    {{up, 1, "ready", sessions.HomeUp, true, sessions.HealthUp}, {failing, 3, "unhealthy", sessions.HomeLost, false, sessions.HealthLost}},
		"a success begins the count anew": {{failing, 2, "starting", sessions.HomeUp, false, sessions.HealthUnknown}, {up, 1, "ready", sessions.HomeUp, true, sessions.HealthUp}, {failing, 2, "ready", sessions.HomeUp, true, sessions.HealthUnknown}},
		"a new one needs one success":     {{refused, 2, "starting", sessions.HomeUp, false, sessions.HealthUnknown}, {up, 1, "ready", sessions.HomeUp, true, sessions.HealthUp}},
		"a new one can be lost":           {{refused, 3, "unhealthy", sessions.HomeLost, false, sessions.HealthLost}},
		"a lost one needs two successes":  {{failing, 3, "unhealthy", sessions.HomeLost, false, sessions.HealthLost}, {up, 1, "unhealthy", sessions.HomeLost, false, sessions.HealthUnknown}, {up, 1, "ready", sessions.HomeUp, true, sessions.HealthUp}},
		"and they must be in a row":       {{failing, 3, "unhealthy", sessions.HomeLost, false, sessions.HealthLost}, {up, 1, "unhealthy", sessions.HomeLost, false, sessions.HealthUnknown}, {failing, 1, "unhealthy", sessions.HomeLost, false, sessions.HealthLost}, {up, 1, "unhealthy", sessions.HomeLost, false, sessions.HealthUnknown}},
		"a refused probe takes no session": {{up, 1, "ready", sessions.HomeUp, true, sessions.HealthUp}, {refused, 1, "ready", sessions.HomeUp, false, sessions.HealthUnknown},
			{up, 1, "ready", sessions.HomeUp, true, sessions.HealthUp}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "a", "b", "c", "d", "e")
				w.cfg.Config.Health.Interval = time.Minute
				require.NoError(t, w.pool.Apply(w.cfg))
				for n, s := range steps {
					w.set("a", s.host)
					for round := range s.rounds {
						if n == 0 && round == 0 {
							w.run()
							continue
						}
						before := w.probed("a")
						for w.probed("a") == before { // the round is jittered: stop at its probe, whenever that is
							w.pass(time.Second)
						}
						w.pass(time.Minute * 2 / 10) // and at the report, which has a jitter of its own
					}
					require.Equal(t, s.state, w.view("a").State, "step %d", n)
					require.Equal(t, s.home, w.state(w.home("a")), "step %d", n)
					require.Equal(t, s.candidate, contains(w.candidates(), "a"), "step %d", n)
					require.Equal(t, s.report, currentReport(w, "a"), "step %d", n)
				}
				w.stop()
			})
		})
	}
}

func contains(ids []string, id string) bool {
	for _, i := range ids {
		if i == id {
			return true
		}
	}
	return false
}

// currentReport makes the pool report and returns what it said. A reload with nothing new does.
func currentReport(w *world, id string) sessions.Health {
	require.NoError(w.t, w.pool.Apply(w.cfg))
	synctest.Wait()
	return w.registry.said(id).Health
}

func TestProbesKeepTheIntervalWithSomeJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		gaps := map[time.Duration]bool{}
		for range 20 {
			before, began := w.probed("a"), time.Now()
			for w.probed("a") == before {
				w.pass(time.Millisecond)
			}
			gap := time.Since(began)
			require.InDelta(t, instances.DefaultHealthInterval, gap, float64(instances.DefaultHealthInterval/10+time.Millisecond))
			gaps[gap] = true
		}
		require.Greater(t, len(gaps), 1)
		w.stop()
	})
}

func TestLossTellsSinceWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		w.set("a", host{err: errTimeout})
		for w.state(w.home("a")) != sessions.HomeLost {
			w.pass(100 * time.Millisecond)
		}
		declared := time.Now()
		w.rounds(5)
		_, since := w.pool.State(w.home("a"))
		require.WithinDuration(t, declared, since, 100*time.Millisecond)
		w.stop()
	})
}
