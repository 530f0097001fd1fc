package instances_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestRefusedDialAsksTheNextProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		w.set("a", host{err: errRefused})
		before := w.probed("a")
		w.instance("a").Refused()
		require.Equal(t, []string{"b"}, w.candidates(), "at once, not after the probe")
		synctest.Wait()
		require.Equal(t, before+1, w.probed("a"), "probed at once")
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")), "the next dial tells")
		require.True(t, w.view("a").CircuitOpen)

		changed := w.pool.Changed()
		w.set("a", host{})
		w.rounds(1)
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates())
		require.True(t, closed(changed))
		w.stop()
	})
}

func TestUnreachableOpensTheCircuitUntilAProbeSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		w.set("a", host{err: errTimeout})
		w.instance("a").Unreachable(errTimeout)
		synctest.Wait()
		require.Equal(t, sessions.HomeSuspect, w.state(w.home("a")))
		require.Equal(t, []string{"b"}, w.candidates())
		picked, ok := w.pool.Pick(nil)
		require.True(t, ok)
		require.Equal(t, "b", picked.ID())

		w.set("a", host{})
		w.rounds(1)
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")))
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates())
		w.stop()
	})
}

// A probe connects, the instance's host dies, a request's dial fails, the probe's answer arrives late: it must not
// close the circuit.
func TestAProbeFromBeforeTheFailureClosesNoCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		w.set("a", host{takes: 500 * time.Millisecond})
		before := w.probed("a")
		for w.probed("a") == before {
			w.pass(10 * time.Millisecond)
		}
		w.set("a", host{err: errTimeout, takes: 900 * time.Millisecond})
		w.instance("a").Unreachable(errTimeout)
		w.pass(600 * time.Millisecond)
		require.Empty(t, w.view("a").Error, "the late success was taken in")
		require.Equal(t, sessions.HomeSuspect, w.state(w.home("a")))
		require.Equal(t, before+2, w.probed("a"), "and another probe followed at once")
		w.stop()
	})
}

func TestAFloodOfFailedDialsIsNoFloodOfProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		w.set("a", host{err: errRefused})
		before := w.probed("a")
		for range 1000 {
			w.instance("a").Refused()
			synctest.Wait()
		}
		require.Equal(t, before+1, w.probed("a"))
		require.Equal(t, instances.StateReady, w.view("a").State, "failures count by the interval")
		w.stop()
	})
}

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

// Two at a time reach for the one place, at the same moment as nearly as a spin can make it.
func TestAcquireNeverGivesMoreThanTheLimit(t *testing.T) {
	w := newWorld(t, "a")
	w.cfg.RequestsPerInstance = 1
	require.NoError(t, w.pool.Apply(w.cfg))
	i := w.instance("a")
	const rounds = 20_000
	var arrived, got atomic.Int64
	meet := func(n int64) { // until both have come n times
		arrived.Add(1)
		for arrived.Load() < 2*n {
			runtime.Gosched()
		}
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for n := range int64(rounds) {
				meet(3*n + 1)
				mine := i.Acquire()
				if mine {
					got.Add(1)
				}
				meet(3*n + 2)
				if g := got.Load(); g != 1 {
					t.Errorf("%d of two got the one place", g)
				}
				meet(3*n + 3)
				if mine {
					got.Add(-1)
					i.Release()
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, i.InFlight())
	require.True(t, i.Acquire())
	require.False(t, i.Acquire())
	i.Release()
	require.True(t, i.Acquire())
}

func TestNoLimitOnRequests(t *testing.T) {
	w := newWorld(t, "a")
	w.cfg.RequestsPerInstance = 0
	require.NoError(t, w.pool.Apply(w.cfg))
	for range 1000 {
		require.True(t, w.instance("a").Acquire())
	}
}
