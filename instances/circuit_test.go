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
