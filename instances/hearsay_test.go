package instances_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// others makes other replicas report this of x, and returns what the registry has of it.
func (w *world) others(h sessions.Health, url, start string) sessions.Home {
	return w.registry.applyAll(sessions.Report{Function: "f", Version: "LATEST", Instances: []sessions.InstanceReport{
		{ID: "x", URL: url, Start: start, Health: h},
	}})[0].Home
}

const urlX = "http://x.test:80"

// overheard is a pool that has found x, which it does not list.
func overheard(t *testing.T) (w *world, x sessions.Home) {
	t.Helper()
	w = newWorld(t, "a").run()
	x = w.others(sessions.HealthUp, urlX, "one")
	w.set("x", host{start: "one"})
	require.Equal(t, sessions.HomeUnknown, w.state(x))
	w.pool.Find(t.Context(), x)
	synctest.Wait()
	return w, x
}

func TestAHomeThatOtherReplicasKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, x := overheard(t)
		require.Equal(t, sessions.HomeUp, w.state(x))
		require.Equal(t, urlX, w.instance("x").URL().String())
		older := x
		older.Incarnation--
		require.Equal(t, sessions.HomeReplaced, w.state(older))
		w.rounds(3)
		require.GreaterOrEqual(t, w.probed("x"), 3)
		require.Equal(t, []string{"a"}, w.candidates(), "no new session goes there")
		for range 30 {
			i, ok := w.pool.Pick(nil)
			require.True(t, ok)
			require.Equal(t, "a", i.ID())
		}
		require.Equal(t, 1, w.registry.saidEver("x", sessions.HealthUp), "who lists it reports it")
		require.Zero(t, w.registry.saidEver("x", sessions.HealthUnknown))
		require.True(t, w.view("x").Hearsay)
		require.True(t, w.pool.Ready())
		w.stop()
	})
}

func TestHearsayFollowsTheRegistry(t *testing.T) {
	for name, change := range map[string]func(*world){
		"gone":  func(w *world) { w.others(sessions.HealthGone, urlX, "") },
		"moved": func(w *world) { w.others(sessions.HealthUp, "http://y.test:80", "one") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, x := overheard(t)
				inst := w.instance("x")
				change(w)
				w.rounds(1)
				require.Equal(t, sessions.HomeUnknown, w.state(x), "to be asked for anew")
				require.ErrorIs(t, inst.Gone().Err(), context.Canceled)
				w.rounds(1)
				require.LessOrEqual(t, w.registry.saidEver("x", sessions.HealthGone), 1, "not by this replica")
				w.stop()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w, x := overheard(t)
		w.set("x", host{start: "two"})
		w.rounds(2)
		require.Equal(t, sessions.HomeSuspect, w.state(x), "another nonce, and the registry has not heard of it yet")
		next := w.others(sessions.HealthUp, urlX, "two")
		w.rounds(1)
		require.Equal(t, sessions.HomeReplaced, w.state(x))
		require.Equal(t, sessions.HomeUp, w.state(next))
		w.stop()
	})
}

func TestHearsayIsLostByOwnProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, x := overheard(t)
		w.instance("x").Unreachable(errTimeout)
		require.Equal(t, sessions.HomeSuspect, w.state(x))
		w.set("x", host{err: errTimeout})
		w.rounds(4)
		require.Equal(t, sessions.HomeLost, w.state(x), "the store decides whether others still reach it")
		require.Zero(t, w.registry.saidEver("x", sessions.HealthLost))
		w.stop()
	})
}

func TestHearsayIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, x := overheard(t)
		require.True(t, w.instance("x").Acquire())
		w.pass(2 * time.Minute)
		require.Equal(t, sessions.HomeUp, w.state(x), "not while a request is there")
		w.instance("x").Release()
		w.rounds(2)
		require.Equal(t, sessions.HomeUnknown, w.state(x))
		w.pool.Find(t.Context(), x)
		require.Equal(t, sessions.HomeUp, w.state(x))
		w.stop()
	})
}

func TestHearsayThatIsListedAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, x := overheard(t)
		inst := w.instance("x")
		require.True(t, inst.Acquire())
		w.cfg.Config = config("a", "x")
		require.NoError(t, w.pool.Apply(w.cfg))
		require.Same(t, inst, w.instance("x"))
		w.rounds(1)
		require.Equal(t, sessions.HomeUp, w.state(x))
		require.ElementsMatch(t, []string{"a", "x"}, w.candidates())
		require.Greater(t, w.registry.saidEver("x", sessions.HealthUp), 1)
		require.False(t, w.view("x").Hearsay)
		w.cfg.Config = config("a")
		require.NoError(t, w.pool.Apply(w.cfg))
		require.Equal(t, sessions.HomeGone, w.state(x), "its own source's word counts from then on")
		w.stop()
	})
	for name, change := range map[string]instances.StaticInstance{
		"its ID elsewhere":      {ID: "x", URL: "http://y.test:80"},
		"its address elsewhere": {ID: "y", URL: urlX},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, x := overheard(t)
				inst := w.instance("x")
				w.cfg.Config.Static = append(w.cfg.Config.Static, change)
				require.NoError(t, w.pool.Apply(w.cfg))
				w.rounds(1)
				require.ErrorIs(t, inst.Gone().Err(), context.Canceled)
				require.Zero(t, w.registry.saidEver("x", sessions.HealthGone))
				if change.ID != x.ID {
					w.pass(2 * time.Second)
					w.pool.Find(t.Context(), x)
					require.Equal(t, sessions.HomeUnknown, w.state(x), "one program under two IDs is a mistake")
				}
				w.stop()
			})
		})
	}
}

// A replica that has dropped a place may lag behind those that list it anew. What is pinned there since is not gone.
func TestAPlaceThatWasDroppedHereAndIsListedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "x").run()
		old := w.home("x")
		w.cfg.Config = config("a")
		require.NoError(t, w.pool.Apply(w.cfg))
		synctest.Wait()
		next := w.others(sessions.HealthUp, urlX, "")
		require.Greater(t, next.Incarnation, old.Incarnation)
		require.Equal(t, sessions.HomeGone, w.state(old))
		require.Equal(t, sessions.HomeUnknown, w.state(next))
		w.pool.Find(t.Context(), next)
		require.Equal(t, sessions.HomeUp, w.state(next))
		require.Equal(t, sessions.HomeReplaced, w.state(old))
		w.stop()
	})
}

func TestTheRegistryIsNotFloodedByQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		nowhere := sessions.Home{Version: "LATEST", ID: "nowhere", Incarnation: 1}
		for range 100 {
			w.pool.Find(t.Context(), nowhere)
		}
		require.Equal(t, 1, w.registry.timesListed(), "what was not found is not looked for again at once")
		w.pass(time.Second)
		nowhere.Version = "v2"
		w.pool.Find(t.Context(), nowhere)
		require.Equal(t, 2, w.registry.timesListed())

		x := w.others(sessions.HealthUp, urlX, "")
		w.registry.outage(true)
		w.pool.Find(t.Context(), x)
		require.Equal(t, sessions.HomeUnknown, w.state(x))
		w.registry.outage(false)
		var together sync.WaitGroup
		for range 50 {
			together.Go(func() { w.pool.Find(t.Context(), x) })
		}
		together.Wait()
		require.Equal(t, sessions.HomeUp, w.state(x), "an outage is no answer")
		require.Len(t, w.pool.Snapshot(), 2)
		w.stop()
	})
}
