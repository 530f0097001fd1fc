package instances_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// hearing is how long a replica may take to be told of a mark: the longest pause between two reports.
const hearing = instances.DefaultHealthInterval * 11 / 10

func TestDrainingInstanceTakesNoNewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		defer w.stop()
		w.registry.drain("a", time.Hour)
		w.pass(hearing)
		require.Equal(t, []string{"b"}, w.candidates())
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")), "its sessions stay")
		require.Empty(t, w.pool.Drained())
		v := w.view("a")
		require.Equal(t, instances.StateDraining, v.State)
		require.WithinDuration(t, time.Now().Add(-hearing), v.Since, time.Millisecond)
		require.WithinDuration(t, time.Now().Add(time.Hour-hearing), v.DrainUntil, time.Millisecond)
		require.Zero(t, w.view("b").DrainUntil)
		changed := w.pool.Changed()
		w.registry.drain("a", -1)
		w.pass(hearing)
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates())
		require.True(t, closed(changed), "who waits for a slot is woken")
		require.Equal(t, instances.StateReady, w.view("a").State)
	})
}

func TestRefreshHearsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		defer w.stop()
		w.registry.drain("a", time.Hour)
		require.Len(t, w.candidates(), 2)
		w.pool.Refresh()
		synctest.Wait()
		require.Equal(t, []string{"b"}, w.candidates())
	})
}

// The deadline is asked about when it comes, whatever the probes' pace, and only the registry says that it has passed.
func TestDrainDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		defer w.stop()
		w.registry.drain("a", 11*time.Second)
		w.pass(hearing)
		w.pass(11*time.Second - hearing - time.Millisecond)
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")))
		w.pass(20 * time.Millisecond)
		require.Equal(t, sessions.HomeDrained, w.state(w.home("a")))
		require.Equal(t, []sessions.Home{w.home("a")}, w.pool.Drained())
		newer := w.home("a")
		newer.Incarnation++
		require.Equal(t, sessions.HomeUp, w.state(newer), "another program, of which this replica has not heard")
		w.registry.drain("a", time.Minute)
		w.pass(hearing)
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")), "put off")
		require.Empty(t, w.pool.Drained())
	})
}

func TestDrainDeadlineWhileTheRegistryIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		defer w.stop()
		w.registry.drain("a", 10*time.Second)
		w.pass(hearing)
		w.registry.outage(true)
		w.pass(time.Minute)
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")), "it may have been put off, or taken back")
		require.Equal(t, []string{"b"}, w.candidates())
		w.registry.outage(false)
		w.pass(hearing)
		require.Equal(t, sessions.HomeDrained, w.state(w.home("a")))
	})
}

func TestDrainedAndLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		defer w.stop()
		w.registry.drain("a", 0)
		w.pass(hearing)
		home := w.home("a")
		w.instance("a").Unreachable(errTimeout)
		require.Equal(t, sessions.HomeDrained, w.state(home), "its sessions leave in any case")
		w.set("a", host{err: errRefused})
		w.rounds(4)
		require.Equal(t, sessions.HomeLost, w.state(home))
		require.Empty(t, w.pool.Drained())
		require.Equal(t, instances.StateUnhealthy, w.view("a").State)
	})
}

// A program that is replaced takes the drain along.
func TestRestartEndsTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.set("a", host{start: "one"})
		w.run()
		defer w.stop()
		w.registry.drain("a", time.Hour)
		w.pass(hearing)
		old := w.home("a")
		w.set("a", host{start: "two"})
		w.rounds(2)
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates())
		require.Equal(t, sessions.HomeReplaced, w.state(old))
		require.Zero(t, w.view("a").DrainUntil)
	})
}

func TestPickAvoidsDrainingInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		defer w.stop()
		w.registry.drain("a", 0)
		w.pass(hearing)
		picked := func() string {
			i, ok := w.pool.Pick(nil)
			require.True(t, ok)
			return i.ID()
		}
		for range 20 {
			require.Equal(t, "b", picked())
		}
		w.set("b", host{err: errRefused})
		w.rounds(4)
		require.Equal(t, "a", picked(), "rather than none")
		require.Empty(t, w.candidates(), "but no session begins there")
	})
}
