package instances_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestApplyKeepsWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		a, home := w.instance("a"), w.home("a")
		require.True(t, a.Acquire())
		w.set("a", host{err: errTimeout})
		a.Unreachable(errTimeout)
		synctest.Wait()

		w.cfg.Config = config("a", "c")
		w.cfg.RequestsPerInstance = 1
		require.NoError(t, w.pool.Apply(w.cfg))
		require.Same(t, a, w.instance("a"))
		require.Equal(t, 1, a.InFlight())
		require.False(t, a.Acquire(), "the new limit counts at once")
		require.Equal(t, sessions.HomeSuspect, w.state(home), "the circuit stays open")
		require.NoError(t, a.Gone().Err())
		synctest.Wait()
		require.Equal(t, []string{"c"}, w.candidates())

		w.cfg.Config.Static = nil
		require.ErrorIs(t, w.pool.Apply(w.cfg), instances.ErrConfig)
		require.Same(t, a, w.instance("a"), "a bad configuration changes nothing")
		require.Equal(t, []string{"c"}, w.candidates())
		w.stop()
	})
}

func TestRemovedInstanceIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		b, home := w.instance("b"), w.home("b")
		require.True(t, b.Acquire())
		probes := w.probed("b")
		w.registry.outage(true) // the registry hears of it later
		w.cfg.Config = config("a")
		require.NoError(t, w.pool.Apply(w.cfg))
		removed := time.Now()

		require.ErrorIs(t, b.Gone().Err(), context.Canceled)
		_, ok := w.pool.Lookup(home)
		require.False(t, ok)
		w.rounds(2)
		state, since := w.pool.State(home)
		require.Equal(t, sessions.HomeGone, state)
		require.Equal(t, removed, since)
		require.Equal(t, probes, w.probed("b"), "probed no more")

		views := w.pool.Snapshot()
		require.Len(t, views, 2)
		require.Equal(t, instances.StateGone, views[1].State)
		require.Equal(t, 1, views[1].InFlight)
		b.Release()
		require.Len(t, w.pool.Snapshot(), 1)

		w.registry.outage(false)
		w.rounds(3)
		require.False(t, w.registry.record("b").GoneAt.IsZero())
		require.Equal(t, 1, w.registry.saidEver("b", sessions.HealthGone), "once: another replica may list it again")
		w.stop()
	})
}

func TestAnotherURLIsAnotherProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		old, home := w.instance("a"), w.home("a")
		w.registry.outage(true)
		w.cfg.Config.Static[0].URL = "http://elsewhere.test:81"
		require.NoError(t, w.pool.Apply(w.cfg))
		synctest.Wait()
		require.Error(t, old.Gone().Err())
		require.NotSame(t, old, w.instance("a"))
		require.Equal(t, "http://elsewhere.test:81", w.instance("a").URL().String())
		require.Equal(t, sessions.HomeReplaced, w.state(home), "not even before the registry has heard of it")
		require.Empty(t, w.candidates())

		w.registry.outage(false)
		w.rounds(2)
		require.Equal(t, sessions.HomeReplaced, w.state(home))
		require.Greater(t, w.home("a").Incarnation, home.Incarnation)
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")))
		require.Equal(t, []string{"a"}, w.candidates())
		w.stop()
	})
}

func TestAnotherURLBeforeTheRegistryEverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.registry.outage(true)
		w.run()
		w.cfg.Config.Static[0].URL = "http://elsewhere.test:81"
		require.NoError(t, w.pool.Apply(w.cfg))
		require.Equal(t, sessions.HomeSuspect, w.state(sessions.Home{ID: "a", Incarnation: 9}),
			"pinned to which of the two programs, nobody here can tell")
		w.registry.outage(false)
		w.rounds(2)
		require.Equal(t, sessions.HomeUp, w.state(w.home("a")))
		w.stop()
	})
}

func TestAnIDThatComesBackIsAnotherIncarnation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		home := w.home("b")
		for _, ids := range [][]string{{"a"}, {"a", "b"}} {
			w.cfg.Config = config(ids...)
			require.NoError(t, w.pool.Apply(w.cfg))
			synctest.Wait()
		}
		w.rounds(1)
		require.Equal(t, sessions.HomeReplaced, w.state(home))
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates())
		w.stop()
	})
}

// A name server's answer left an address out for once. Its start nonce proves that the program never ended.
func TestAnIDThatComesBackWithTheSameNonceIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.set("b", host{start: "one"})
		w.run()
		home := w.home("b")
		leave := func() {
			w.cfg.Config = config("a")
			require.NoError(t, w.pool.Apply(w.cfg))
			synctest.Wait()
			require.Equal(t, sessions.HomeGone, w.state(home))
		}
		back := func(url string) {
			w.cfg.Config = config("a", "b")
			w.cfg.Config.Static[1].URL = url
			require.NoError(t, w.pool.Apply(w.cfg))
		}
		leave()
		w.registry.hang(true)
		back("http://b.test:80")
		w.rounds(1)
		require.Equal(t, sessions.HomeSuspect, w.state(home), "nobody has compared the nonce yet")
		require.Equal(t, []string{"a"}, w.candidates())
		w.registry.hang(false)
		w.rounds(1)
		require.Equal(t, sessions.HomeUp, w.state(home))
		require.Equal(t, home, w.home("b"))
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates())

		leave()
		w.registry.edit("b", func(r *sessions.InstanceRecord) { r.GoneAt = time.Time{} }) // another replica lists it
		w.set("b", host{start: "one", takes: 500 * time.Millisecond})
		back("http://b.test:80")
		w.pass(100 * time.Millisecond)
		require.Equal(t, sessions.HomeSuspect, w.state(home), "the registry has answered, but not to a nonce")
		w.rounds(1)
		require.Equal(t, sessions.HomeUp, w.state(home))

		leave()
		w.set("b", host{start: "two"})
		back("http://b.test:80")
		w.rounds(1)
		require.Equal(t, sessions.HomeReplaced, w.state(home), "another program")

		home = w.home("b")
		leave()
		w.set("elsewhere", host{start: "two"})
		back("http://elsewhere.test:81")
		w.rounds(1)
		require.Equal(t, sessions.HomeReplaced, w.state(home), "another address")
		w.stop()
	})
}

func TestRemovedIDsAreRememberedWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		for n := range instances.MaxRemovals + 10 {
			w.cfg.Config = config("a", fmt.Sprint("n", n))
			require.NoError(t, w.pool.Apply(w.cfg))
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, sessions.HomeUnknown, w.state(sessions.Home{ID: "n0"}), "the oldest was forgotten")
		require.Equal(t, sessions.HomeGone, w.state(sessions.Home{ID: "n100"}))
		time.Sleep(sessions.DefaultRetention + time.Second)
		require.NoError(t, w.pool.Apply(w.cfg))
		require.Equal(t, sessions.HomeUnknown, w.state(sessions.Home{ID: "n100"}))
	})
}

func TestApplyReplacesTheProbeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.cfg.Config.Health.Interval = time.Hour
		require.NoError(t, w.pool.Apply(w.cfg))
		w.run()
		before := w.probed("a")
		w.cfg.Config.Health.Interval = time.Second
		require.NoError(t, w.pool.Apply(w.cfg))
		w.pass(5 * time.Second)
		require.GreaterOrEqual(t, w.probed("a"), before+5)
		w.stop()
	})
}
