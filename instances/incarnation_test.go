package instances_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// The program came back without a proof that it kept its state. Until the registry has answered, its sessions must
// not reach it; afterwards they know.
func TestReturnFromALossIsAnotherIncarnation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		old := w.home("a")
		w.set("a", host{err: errRefused})
		w.rounds(8)
		require.False(t, w.registry.record("a").LostAt.IsZero(), "the store must know of the loss")

		w.registry.hang(true)
		w.set("a", host{})
		w.rounds(3)
		require.Equal(t, instances.StateReady, w.view("a").State)
		require.Equal(t, sessions.HomeSuspect, w.state(old))
		require.Empty(t, w.candidates())

		w.registry.hang(false)
		w.rounds(1)
		require.Equal(t, sessions.HomeReplaced, w.state(old))
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")))
		require.Greater(t, w.home("a").Incarnation, old.Incarnation)
		require.Equal(t, []string{"a"}, w.candidates())
		w.stop()
	})
}

func TestReturnFromALossWithTheSameNonceKeepsTheHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.set("a", host{start: "one"})
		w.run()
		old := w.home("a")
		w.set("a", host{err: errTimeout})
		w.rounds(8)
		require.Equal(t, sessions.HomeLost, w.state(old))

		w.registry.hang(true) // the nonce is proof enough without the store
		w.set("a", host{start: "one"})
		w.rounds(3)
		require.Equal(t, sessions.HomeUp, w.state(old))
		w.registry.hang(false)
		w.rounds(1)
		require.Equal(t, sessions.HomeUp, w.state(old))
		require.Equal(t, old, w.home("a"))
		w.stop()
	})
}

// The store never heard of the loss, so its incarnation cannot have changed: a store outage and a network that
// hiccups at the same time must not stop sessions for the length of the outage.
func TestReturnFromALossThatTheStoreNeverSawKeepsTheHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		old := w.home("a")
		w.registry.outage(true)
		w.set("a", host{err: errTimeout})
		w.rounds(6)
		require.Equal(t, sessions.HomeLost, w.state(old))
		w.set("a", host{})
		w.rounds(3)
		require.Equal(t, sessions.HomeUp, w.state(old))
		w.stop()
	})
}

func TestAnotherNonceIsAnotherIncarnation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.set("a", host{start: "one"})
		w.run()
		old := w.home("a")
		require.Equal(t, "one", w.registry.said("a").Start)

		w.set("a", host{}) // an answer without nonce proves nothing
		w.rounds(2)
		require.Equal(t, sessions.HomeUp, w.state(old))
		require.Empty(t, w.registry.said("a").Start, "a nonce that the probe did not give must not be claimed")

		w.registry.hang(true)
		w.set("a", host{start: "two"})
		w.rounds(2)
		require.Equal(t, sessions.HomeSuspect, w.state(old), "routed, the session would meet a program without its state")
		require.Empty(t, w.candidates())

		changed := w.pool.Changed()
		w.registry.hang(false)
		w.rounds(1)
		require.Equal(t, sessions.HomeReplaced, w.state(old))
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")))
		require.True(t, closed(changed))
		w.stop()
	})
}

// The nonce changes once more while the report of the first change is under way: its answer settles nothing.
func TestALateAnswerSettlesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.set("a", host{start: "one"})
		w.run()
		old := w.home("a")
		w.registry.onReport(func(r sessions.Report) {
			if r.Instances[0].Start == "two" {
				w.set("a", host{start: "three"})
				w.instance("a").Refused() // probes at once
				w.registry.hang(true)     // the report of three gets no answer
				time.Sleep(time.Millisecond)
			}
		})
		w.set("a", host{start: "two"})
		w.rounds(1)
		require.Equal(t, sessions.HomeReplaced, w.state(old))
		require.Equal(t, sessions.HomeSuspect, w.state(w.home("a")), "that is the incarnation of two, and three is here")
		require.Empty(t, w.candidates())
		w.registry.hang(false)
		w.rounds(2)
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")))
		require.Equal(t, []string{"a"}, w.candidates())
		w.stop()
	})
}

// The registry looks at a nonce only when the instance is up, so its answer to any other report settles nothing.
func TestAnAnswerToADoubtfulReportSettlesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.set("a", host{start: "one"})
		w.run()
		old := w.home("a")
		w.registry.outage(true)
		w.set("a", host{err: errTimeout})
		w.rounds(5)
		require.Equal(t, sessions.HomeLost, w.state(old))

		before := w.probed("a")
		w.set("a", host{start: "two"})
		for w.probed("a") == before {
			w.pass(50 * time.Millisecond)
		}
		w.registry.outage(false) // the report in between says unknown
		w.pass(time.Second)
		require.Equal(t, sessions.HealthUnknown, w.registry.said("a").Health)
		w.registry.hang(true)
		w.rounds(1)
		require.Equal(t, instances.StateReady, w.view("a").State)
		require.Equal(t, sessions.HomeSuspect, w.state(old))
		w.registry.hang(false)
		w.rounds(1)
		require.Equal(t, sessions.HomeReplaced, w.state(old))
		w.stop()
	})
}

func TestALaggingReplicaGoesByHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		ahead := w.home("a")
		ahead.Incarnation += 5 // another replica pinned a session to a program this one has not heard of
		require.Equal(t, sessions.HomeUp, w.state(ahead))
		require.Equal(t, sessions.HomeUnknown, w.state(sessions.Home{ID: "never"}))
		w.stop()
	})
}

// Another replica has seen the new program first, and the registry has told: sessions of it are not held back when this
// one's own probe sees it too.
func TestProgramThatTheRegistryNamedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.set("a", host{start: "one"})
		w.run()
		defer w.stop()
		w.registry.apply(sessions.Report{Version: "LATEST"}, sessions.InstanceReport{ID: "a", Start: "two", Health: sessions.HealthUp})
		w.pool.Refresh()
		synctest.Wait()
		now := w.home("a")
		w.set("a", host{start: "two"})
		w.registry.hang(true) // no answer would end a doubt
		w.rounds(1)
		require.Equal(t, sessions.HomeUp, w.state(now))
		w.set("a", host{start: "three"})
		w.rounds(1)
		require.Equal(t, sessions.HomeSuspect, w.state(now))
		later := now
		later.Incarnation++
		require.Equal(t, sessions.HomeUp, w.state(later), "who pinned it there knew the program that is in doubt here")
		w.registry.hang(false)
	})
}
