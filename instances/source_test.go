package instances_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/sourcetest"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestStaticConforms(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{Named: true, Open: func(tb testing.TB) sourcetest.World {
		s, err := instances.NewStatic(config("a", "b").Static)
		require.NoError(tb, err)
		return sourcetest.World{New: func() instances.Source { return s }}
	}})
}

// withSources is a world whose pool has these sources beside its static list.
func withSources(t *testing.T, static []string, all ...instances.Source) *world {
	t.Helper()
	w := newWorld(t, "x")
	w.cfg.Config, w.cfg.Sources = config(static...), all
	require.NoError(t, w.pool.Apply(w.cfg))
	return w
}

func TestASourceMovesThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := heard()
		w := withSources(t, nil, source).run()
		require.Empty(t, w.candidates())
		for _, now := range [][]string{{"x", "y"}, {"y", "z"}} {
			source.list(at(now...)...)
			require.ElementsMatch(t, now, w.candidates())
		}
		require.Equal(t, sessions.HomeGone, w.state(sessions.Home{ID: "x"}))
		w.stop()
	})
}

func TestSourcesStandTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := heard("b"), heard("c", "d")
		w := withSources(t, []string{"a"}, one, other).run()
		require.ElementsMatch(t, []string{"a", "b", "c", "d"}, w.candidates())
		views := w.pool.Snapshot()
		require.Equal(t, "a", views[0].ID, "the static list is the first")
		b := w.instance("b")
		other.list()
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates())
		require.Same(t, b, w.instance("b"), "what one source says is nothing to another's instances")
		w.stop()
	})
}

func TestTheFirstSourceCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		first, second := heard("a", "b"), heard()
		w := withSources(t, nil, first, second)
		w.cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
		require.NoError(t, w.pool.Apply(w.cfg))
		w.run()
		alias := instances.Place{ID: "alias", URL: at("b")[0].URL}
		elsewhere := instances.Place{ID: "a", URL: at("z")[0].URL}
		a := w.instance("a")
		second.list(elsewhere, alias, at("c")[0])
		require.Same(t, a, w.instance("a"))
		require.ElementsMatch(t, []string{"a", "b", "c"}, w.candidates(), "an address under two IDs would have twice its slots")
		require.Equal(t, 2, strings.Count(out.String(), "two sources list the same instance"), out.String())
		w.rounds(3)
		second.list(elsewhere, alias)
		require.Equal(t, 2, strings.Count(out.String(), "two sources list"), "told once")

		first.list(at("b")...)
		require.Equal(t, "http://z.test:80", w.instance("a").URL().String(), "the second one's counts now, as another program")
		require.ErrorIs(t, a.Gone().Err(), context.Canceled)
		w.stop()
	})
}

func TestWhatASourceSaysOfAPlaceIsObeyed(t *testing.T) {
	for name, mark := range map[string]func(*instances.Place){
		"draining": func(p *instances.Place) { p.Draining = true },
		"unready":  func(p *instances.Place) { p.Unready = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := heard("a", "b")
				w := withSources(t, nil, source).run()
				a, home := w.instance("a"), w.home("a")
				marked := at("a", "b")
				mark(&marked[0])
				source.list(marked...)
				require.Equal(t, []string{"b"}, w.candidates(), "no new session goes there")
				require.Same(t, a, w.instance("a"))
				require.Equal(t, sessions.HomeUp, w.state(home), "those that it has stay")
				require.Equal(t, marked[0].Draining, w.view("a").State == instances.StateDraining)
				for range 50 {
					i, ok := w.pool.Pick(nil)
					require.True(t, ok)
					require.Equal(t, "b", i.ID())
				}
				changed := w.pool.Changed()
				source.list(at("a", "b")...)
				require.ElementsMatch(t, []string{"a", "b"}, w.candidates())
				require.True(t, closed(changed), "who waits for a slot must hear of it")
				w.stop()
			})
		})
	}
}

func TestAReloadKeepsASourceThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stays, goes := heard("a"), heard("b")
		w := withSources(t, []string{"s"}, stays, goes).run()
		a := w.instance("a")
		require.True(t, a.Acquire())
		comes := heard("c")
		w.cfg.Config, w.cfg.Sources = config("t"), []instances.Source{comes, stays}
		require.NoError(t, w.pool.Apply(w.cfg))
		synctest.Wait()
		now, begun := stays.running()
		require.Equal(t, []int{1, 1}, []int{now, begun}, "it runs on, and was not run anew")
		now, _ = goes.running()
		require.Zero(t, now)
		now, _ = comes.running()
		require.Equal(t, 1, now)
		require.Same(t, a, w.instance("a"))
		require.Equal(t, 1, a.InFlight())
		require.ElementsMatch(t, []string{"t", "a", "c"}, w.candidates())
		w.stop()
		now, _ = stays.running()
		require.Zero(t, now, "Run waits for its sources")
	})
}

// A name that a reload changes is not known at once. Until it is, nothing may go.
func TestAReloadThatSwapsASourceKeepsItsInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := withSources(t, []string{"s"}, heard("a", "b")).run()
		a, b := w.instance("a"), w.instance("b")
		require.True(t, a.Acquire())
		next := unheard()
		w.cfg.Config, w.cfg.Sources = config("t"), []instances.Source{next}
		require.NoError(t, w.pool.Apply(w.cfg))
		w.rounds(3)
		require.ElementsMatch(t, []string{"t", "a", "b"}, w.candidates(), "what a static list lacks is gone at once")
		require.NoError(t, w.pool.Apply(w.cfg), "a second reload in between changes nothing")
		require.NoError(t, b.Gone().Err())

		next.list(at("a", "c")...)
		require.Same(t, a, w.instance("a"))
		require.Equal(t, 1, a.InFlight())
		require.ErrorIs(t, b.Gone().Err(), context.Canceled)
		require.ElementsMatch(t, []string{"t", "a", "c"}, w.candidates())
		w.stop()
	})
}

func TestReadyWaitsForTheSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := unheard()
		w := withSources(t, []string{"a"}, source).run()
		w.rounds(2)
		require.False(t, w.pool.Ready())
		source.list()
		require.True(t, w.pool.Ready(), "that there is nothing is an answer")
		w.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		w := withSources(t, nil, unheard()).run()
		w.pass(9 * time.Second)
		require.False(t, w.pool.Ready())
		w.pass(4 * time.Second)
		require.True(t, w.pool.Ready(), "the process has other functions to serve")
		w.stop()
	})
}
