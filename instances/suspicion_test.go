package instances_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestMostInstancesFailingAtOnceIsThisReplicasOwnFault(t *testing.T) {
	timeout, refused := host{err: errTimeout}, host{err: errRefused}
	tests := map[string]struct {
		ids  []string
		fail map[string]host
		want map[string]sessions.HomeState
	}{
		"one of three": {[]string{"a", "b", "c"}, map[string]host{"a": timeout},
			map[string]sessions.HomeState{"a": sessions.HomeLost, "b": sessions.HomeUp}},
		"two of three": {[]string{"a", "b", "c"}, map[string]host{"a": timeout, "b": timeout},
			map[string]sessions.HomeState{"a": sessions.HomeSuspect, "b": sessions.HomeSuspect, "c": sessions.HomeUp}},
		"two of four, not more than half": {[]string{"a", "b", "c", "d"}, map[string]host{"a": timeout, "b": timeout},
			map[string]sessions.HomeState{"a": sessions.HomeLost, "b": sessions.HomeLost}},
		"two of two, too few to tell": {[]string{"a", "b"}, map[string]host{"a": timeout, "b": timeout},
			map[string]sessions.HomeState{"a": sessions.HomeLost, "b": sessions.HomeLost}},
		"all refuse: their hosts live": {[]string{"a", "b", "c"}, map[string]host{"a": refused, "b": refused, "c": refused},
			map[string]sessions.HomeState{"a": sessions.HomeLost, "b": sessions.HomeLost, "c": sessions.HomeLost}},
		"a refusal is proof in any company": {[]string{"a", "b", "c", "d"},
			map[string]host{"a": refused, "b": timeout, "c": timeout, "d": timeout},
			map[string]sessions.HomeState{"a": sessions.HomeLost, "b": sessions.HomeSuspect}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, test.ids...).run()
				for id, h := range test.fail {
					w.set(id, h)
				}
				w.rounds(6)
				for id, want := range test.want {
					require.Equal(t, want, w.state(w.home(id)), id)
					lost := w.registry.saidEver(id, sessions.HealthLost)
					require.Equal(t, want == sessions.HomeLost, lost > 0, id)
					require.Equal(t, want == sessions.HomeSuspect, w.view(id).Suspect, id)
				}
				w.stop()
			})
		})
	}
}

// The replica's network comes back: what was only suspected is ready with the first success, and nothing was lost.
func TestSuspicionEndsWithTheFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c").run()
		homes := map[string]sessions.Home{}
		for _, id := range []string{"a", "b", "c"} {
			homes[id] = w.home(id)
			w.set(id, host{err: errTimeout})
		}
		w.rounds(20)
		require.Empty(t, w.candidates())
		for id := range homes {
			require.Equal(t, sessions.HomeSuspect, w.state(homes[id]))
		}
		w.set("a", host{})
		w.set("b", host{})
		w.rounds(1)
		require.Equal(t, sessions.HomeUp, w.state(homes["a"]))
		require.Equal(t, sessions.HomeUp, w.state(homes["b"]))
		require.Equal(t, sessions.HomeLost, w.state(homes["c"]), "one of three is the instance's own fault")
		w.stop()
	})
}

func TestAnInstanceLostLongAgoIsNotFailingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c").run()
		w.set("a", host{err: errTimeout})
		w.rounds(10)
		require.Equal(t, sessions.HomeLost, w.state(w.home("a")))
		w.set("b", host{err: errTimeout})
		w.rounds(6)
		require.Equal(t, sessions.HomeLost, w.state(w.home("b")))
		require.Equal(t, sessions.HomeLost, w.state(w.home("a")))
		w.stop()
	})
}

// With one failure enough, the first of the instances to be probed after this replica lost its network would be lost
// before the others were probed.
func TestNobodyIsLostBeforeTheOthersWereAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c", "d")
		w.cfg.Config.Health.Failures = 1
		require.NoError(t, w.pool.Apply(w.cfg))
		w.run()
		for _, id := range []string{"a", "b", "c", "d"} {
			w.set(id, host{err: errTimeout})
		}
		w.rounds(5)
		for _, id := range []string{"a", "b", "c", "d"} {
			require.Equal(t, sessions.HomeSuspect, w.state(w.home(id)))
			require.Zero(t, w.registry.saidEver(id, sessions.HealthLost), id)
		}
		for _, id := range []string{"b", "c", "d"} {
			w.set(id, host{})
		}
		w.rounds(1)
		require.Equal(t, sessions.HomeLost, w.state(w.home("a")))
		w.stop()
	})
}

// Nobody waits an interval for that: who was not asked since is asked at once. And where the others were asked in the
// meantime, as they are when it takes several failures, nobody is asked out of turn.
func TestTheOthersAreAskedAtOnceAndOnlyIfNeedBe(t *testing.T) {
	for failures, extra := range map[int]int{1: 1, 3: 0} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "a", "b", "c", "d")
			w.cfg.Config.Health.Failures, w.cfg.Config.Health.Interval = failures, time.Minute
			require.NoError(t, w.pool.Apply(w.cfg))
			w.run()
			w.set("a", host{err: errTimeout})
			for range failures {
				before := w.probed("a")
				for w.probed("a") == before {
					w.pass(10 * time.Millisecond)
				}
			}
			require.Equal(t, sessions.HomeLost, w.state(w.home("a")))
			asked := w.probed("b") + w.probed("c") + w.probed("d")
			require.LessOrEqual(t, asked, 3*(1+failures+extra), "the first round, the interval's, and the extra one")
			w.stop()
		})
	}
}

// A refusal is the instance's own affair: it makes no majority with two others.
func TestARefusalIsNoReasonForSuspicion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c", "d").run()
		w.set("b", host{err: errTimeout})
		w.set("c", host{err: errTimeout})
		for w.view("b").State != instances.StateUnhealthy || w.view("c").State != instances.StateUnhealthy {
			w.set("a", host{err: errRefused})
			w.instance("a").Refused() // probes at once
			synctest.Wait()
			w.pass(10 * time.Millisecond)
			require.False(t, w.view("b").Suspect || w.view("c").Suspect)
			if w.probed("a")%3 == 0 {
				w.set("a", host{})
				w.rounds(1)
			}
		}
		w.stop()
	})
}
