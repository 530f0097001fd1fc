package instances_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestReportCarriesTheRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.cfg.LossGrace = 7 * time.Second
		require.NoError(t, w.pool.Apply(w.cfg))
		w.set("a", host{start: "one"})
		w.run()
		all := w.registry.all()
		require.Equal(t, sessions.Report{
			Function: "f", Version: "LATEST", AliveWithin: 7 * time.Second, LossGrace: 7 * time.Second,
			Instances: []sessions.InstanceReport{{ID: "a", URL: "http://a.test:80", Start: "one", Health: sessions.HealthUp}},
		}, all[len(all)-1])
		w.stop()
	})
}

func TestReportsOnceAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c").run()
		before := len(w.registry.all())
		w.pass(10 * instances.DefaultHealthInterval)
		require.InDelta(t, 10, len(w.registry.all())-before, 1.5, "not once for each instance")
		w.stop()
	})
}

func TestWithoutRegistryTheInstancesServeButTakeNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.registry.outage(true)
		w.run()
		require.True(t, w.pool.Ready(), "a store that is away does not keep a replica out of its balancer")
		require.Equal(t, sessions.HomeUp, w.state(sessions.Home{ID: "a", Incarnation: 4}))
		require.Empty(t, w.candidates())
		_, ok := w.pool.Pick(nil)
		require.True(t, ok)
		changed := w.pool.Changed()
		w.rounds(3)
		require.False(t, closed(changed))

		w.registry.outage(false)
		w.pass(time.Second)
		require.Equal(t, []string{"a"}, w.candidates())
		require.True(t, closed(changed))
		known := w.home("a")

		w.registry.outage(true)
		w.rounds(5)
		require.Equal(t, []string{"a"}, w.candidates(), "what the registry said last is kept")
		require.Equal(t, known, w.home("a"))
		w.stop()
	})
}

func TestAHangingRegistryBlocksNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		w.registry.hang(true)
		before := w.probed("a")
		w.rounds(10)
		require.GreaterOrEqual(t, w.probed("a"), before+10)
		require.Greater(t, w.registry.timesHung(), 3, "and is asked again and again, because each report has a timeout")
		w.set("a", host{err: errRefused})
		w.rounds(3)
		require.Equal(t, sessions.HomeLost, w.state(w.home("a")))
		w.stop()
	})
}

func TestReadyWaitsForTheSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.set("b", host{takes: 900 * time.Millisecond})
		w.run()
		require.Equal(t, []string{"a"}, w.candidates())
		require.False(t, w.pool.Ready())
		w.pass(899 * time.Millisecond)
		require.False(t, w.pool.Ready())
		w.pass(time.Millisecond)
		require.True(t, w.pool.Ready())

		w.set("c", host{takes: 900 * time.Millisecond})
		w.cfg.Config = config("a", "c")
		require.NoError(t, w.pool.Apply(w.cfg))
		synctest.Wait()
		require.True(t, w.pool.Ready(), "a reload makes no replica unready")
		w.stop()
	})
}

func TestReadyWhenEveryProbeFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.set("a", host{err: errRefused})
		w.set("b", host{err: errStatus, takes: 500 * time.Millisecond})
		w.run()
		require.False(t, w.pool.Ready())
		w.pass(500 * time.Millisecond)
		require.True(t, w.pool.Ready(), "the round is done; that nobody is healthy is another matter")
		w.stop()
	})
}

func TestChangedWhenASlotIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		for _, n := range []int{3, 4, 4} { // more of them free nothing
			changed := w.pool.Changed()
			w.registry.edit("a", func(r *sessions.InstanceRecord) { r.Sessions = n })
			w.rounds(1)
			require.False(t, closed(changed))
		}
		changed := w.pool.Changed()
		w.registry.edit("a", func(r *sessions.InstanceRecord) { r.Sessions = 2 })
		w.rounds(1)
		require.True(t, closed(changed))
		w.stop()
	})
}

func TestAnIncarnationOfAnotherReplicaIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		home, changed := w.home("a"), w.pool.Changed()
		w.registry.edit("a", func(r *sessions.InstanceRecord) { r.Incarnation += 10 })
		w.rounds(1)
		require.Equal(t, sessions.HomeReplaced, w.state(home))
		require.True(t, closed(changed), "a new incarnation is a new candidate")
		w.stop()
	})
}

// This replica reads the new incarnation from the registry while it still has the old nonce, and sees the new nonce
// afterwards. That must not make it take the new incarnation for the old one.
func TestANonceSeenAfterItsIncarnation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.set("a", host{start: "one"})
		w.run()
		old := w.home("a")
		_, err := w.registry.Report(t.Context(), sessions.Report{Version: "LATEST", Instances: []sessions.InstanceReport{
			{ID: "a", Start: "two", Health: sessions.HealthUp},
		}})
		require.NoError(t, err)
		w.rounds(1)
		renewed := w.home("a")
		require.Greater(t, renewed.Incarnation, old.Incarnation)

		w.set("a", host{start: "two"})
		w.rounds(2)
		require.Equal(t, renewed, w.home("a"))
		require.Equal(t, sessions.HomeUp, w.state(renewed))
		require.Equal(t, sessions.HomeReplaced, w.state(old))
		require.Equal(t, []string{"a"}, w.candidates())
		w.stop()
	})
}

// Another replica's source no longer lists the instance: Pin would refuse it, so it is no candidate.
func TestWhatTheRegistryHasGoneIsNoCandidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.set("a", host{err: errStatus})
		w.run()
		w.registry.edit("a", func(r *sessions.InstanceRecord) { r.GoneAt = time.Now() })
		w.rounds(1)
		w.registry.hang(true)
		w.set("a", host{})
		w.rounds(1)
		require.Equal(t, instances.StateReady, w.view("a").State)
		require.Equal(t, []string{"b"}, w.candidates())
		w.registry.hang(false)
		w.rounds(1)
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates())
		w.stop()
	})
}

// The registry hears that the program at an ID is gone before it hears of the next one, also when a reload comes
// between the two reports.
func TestAReloadBetweenTwoReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c").run()
		reloaded := false
		w.registry.onReport(func(r sessions.Report) {
			if len(r.Instances) == 1 && r.Instances[0].ID == "c" && !reloaded {
				reloaded = true
				w.cfg.Config.Static[0].URL = "http://elsewhere.test:81"
				require.NoError(t, w.pool.Apply(w.cfg))
			}
		})
		w.cfg.Config = config("a", "b")
		require.NoError(t, w.pool.Apply(w.cfg))
		w.rounds(1)
		require.True(t, reloaded)
		gone := false
		for _, r := range w.registry.all() {
			for _, i := range r.Instances {
				gone = gone || i.ID == "a" && i.Health == sessions.HealthGone
				require.True(t, gone || i.URL != "http://elsewhere.test:81")
			}
		}
		require.True(t, gone)
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates())
		w.stop()
	})
}

func TestAnAnswerThatIsTooShortIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.registry.short = true
		w.run()
		require.Empty(t, w.candidates())
		require.True(t, w.pool.Ready())
		w.stop()
	})
}
