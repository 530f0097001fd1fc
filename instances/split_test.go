package instances_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// version is a world whose pool is that of one version.
func version(t *testing.T, name string, ids ...string) *world {
	t.Helper()
	w := newWorld(t, ids...)
	w.cfg.Version = name
	pool, err := instances.NewPool(w.cfg)
	require.NoError(t, err)
	pool.WithProbe(w.probe)
	w.pool = pool
	return w
}

func split(t *testing.T, weights map[string]int, versions ...*world) *instances.Split {
	t.Helper()
	cfg := instances.SplitConfig{Pools: map[string]*instances.Pool{}, Weights: weights, Removed: map[string]time.Time{"v0": time.Now()}}
	for _, w := range versions {
		cfg.Pools[w.pool.Version()] = w.pool
	}
	s, err := instances.NewSplit(cfg)
	require.NoError(t, err)
	return s
}

// requireShare wants n of all to be a share of p, within eight standard deviations: by chance that fails once in 10^15.
func requireShare(t *testing.T, p float64, n, all int) {
	t.Helper()
	require.InDelta(t, p*float64(all), n, 8*math.Sqrt(float64(all)*p*(1-p)))
}

const draws = 20_000

// drawn counts the versions that new sessions are offered first, and those that are picked for requests.
func drawn(s *instances.Split) (offered, picked map[string]int) {
	offered, picked = map[string]int{}, map[string]int{}
	for range draws {
		for homes := range s.Offers("") {
			offered[homes[0].Version]++
			break
		}
		if i, ok := s.Pick(nil); ok {
			picked[i.Home().Version]++
		}
	}
	return offered, picked
}

func TestSplitDrawsByWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v1, v2, v3 := version(t, "v1", "a", "b").run(), version(t, "v2", "a").run(), version(t, "v3", "a").run()
		defer func() { v1.stop(); v2.stop(); v3.stop() }()
		s := split(t, map[string]int{"v1": 95, "v2": 5, "v3": 0}, v1, v2, v3)
		defer s.Close()
		offered, picked := drawn(s)
		require.Equal(t, draws, offered["v1"]+offered["v2"])
		require.Equal(t, draws, picked["v1"]+picked["v2"])
		requireShare(t, 0.05, offered["v2"], draws)
		requireShare(t, 0.05, picked["v2"], draws)
	})
}

// Of three versions one is lost: its share goes to the other two, by their weights.
func TestSplitLeavesOutWhatHasNoCandidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v1, v2, v3 := version(t, "v1", "a"), version(t, "v2", "a"), version(t, "v3", "a")
		v1.set("a", host{err: errRefused})
		for _, w := range []*world{v1, v2, v3} {
			w.run()
			defer w.stop()
		}
		s := split(t, map[string]int{"v1": 800, "v2": 50, "v3": 150}, v1, v2, v3)
		defer s.Close()
		offered, picked := drawn(s)
		require.Zero(t, offered["v1"]+picked["v1"])
		requireShare(t, 0.25, offered["v2"], draws)
		requireShare(t, 0.25, picked["v2"], draws)
		require.Equal(t, "a", s.Candidates(1)[0].ID)
	})
}

// What has no room is followed by each of the others, once, and every offer is of one version.
func TestSplitOffersEachVersionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v1, v2, v3 := version(t, "v1", "a", "b").run(), version(t, "v2", "c", "d").run(), version(t, "v3", "e").run()
		defer func() { v1.stop(); v2.stop(); v3.stop() }()
		s := split(t, map[string]int{"v1": 1, "v2": 998, "v3": 1}, v1, v2, v3)
		defer s.Close()
		second := map[string]int{}
		for range draws {
			var order []string
			for homes := range s.Offers("") {
				for _, h := range homes {
					require.Equal(t, homes[0].Version, h.Version)
				}
				order = append(order, homes[0].Version)
			}
			require.ElementsMatch(t, []string{"v1", "v2", "v3"}, order)
			if order[0] == "v2" {
				second[order[1]]++
			}
		}
		requireShare(t, 0.5, second["v1"], second["v1"]+second["v3"])
	})
}

// The same ID in two versions is two places: no pool takes another's home for its own.
func TestAPoolDoesNotKnowOtherVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := version(t, "v1", "a").run()
		defer w.stop()
		h := w.home("a")
		h.Version = "v1"
		require.Equal(t, sessions.HomeUp, w.state(h))
		h.Version, h.Incarnation = "v2", h.Incarnation+1
		require.Equal(t, sessions.HomeUnknown, w.state(h))
	})
}

// A session that comes from a version of the alias is offered that alone, also where it has weight 0 or no candidate.
func TestSplitKeepsToTheVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v1, v2, v3 := version(t, "v1", "a", "b").run(), version(t, "v2", "a").run(), version(t, "v3", "a").run()
		defer func() { v1.stop(); v2.stop(); v3.stop() }()
		s := split(t, map[string]int{"v1": 0, "v2": 1}, v1, v2, v3)
		defer s.Close()
		from := func(version string) (all []sessions.Home) {
			for homes := range s.Offers(version) {
				all = append(all, homes...)
			}
			return all
		}
		require.Len(t, from("v1"), 2)
		require.Equal(t, "v1", from("v1")[0].Version)
		for _, other := range []string{"v3", "v0", "", "v9"} {
			require.Len(t, from(other), 1, other)
			require.Equal(t, "v2", from(other)[0].Version, other)
		}
		v2.set("a", host{err: errRefused})
		v2.rounds(4)
		require.Empty(t, from("v2"))
		require.Empty(t, from(""), "weight 0 is no share, whatever the others are")
		_, ok := s.Pick(nil)
		require.False(t, ok)
	})
}

func TestSplitKnowsTheHomesOfAllVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v1, v2 := version(t, "v1", "a").run(), version(t, "v2", "a").run()
		defer func() { v1.stop(); v2.stop() }()
		s := split(t, map[string]int{"v2": 1}, v1, v2)
		defer s.Close()
		of := func(version string) sessions.HomeState {
			h := v1.home("a")
			h.Version = version
			state, _ := s.State(h)
			return state
		}
		require.Equal(t, sessions.HomeUp, of("v1"), "it has no weight any more, and sessions")
		require.Equal(t, sessions.HomeUp, of("v2"))
		require.Equal(t, sessions.HomeGone, of("v0"), "a reload took it away")
		require.Equal(t, sessions.HomeUnknown, of("v9"), "another replica has reloaded already")
		h := v1.home("a")
		h.Version = "v1"
		i, ok := s.Lookup(h)
		require.True(t, ok)
		require.Equal(t, "v1", i.Home().Version)
		h.Version = "v9"
		_, ok = s.Lookup(h)
		require.False(t, ok)
		v1.set("a", host{err: errRefused})
		v1.rounds(4)
		require.Equal(t, sessions.HomeLost, of("v1"))
		require.Equal(t, sessions.HomeUp, of("v2"), "an instance of the same ID is another's")
	})
}

func TestSplitPicksWhatDrainsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v1, v2 := version(t, "v1", "a").run(), version(t, "v2", "a").run()
		defer func() { v1.stop(); v2.stop() }()
		s := split(t, map[string]int{"v1": 1000, "v2": 1}, v1, v2)
		defer s.Close()
		v1.registry.drain("a", time.Hour)
		v1.rounds(1)
		_, picked := drawn(s)
		require.Equal(t, map[string]int{"v2": draws}, picked)
		v2.set("a", host{err: errRefused})
		v2.rounds(4)
		i, ok := s.Pick(nil)
		require.True(t, ok)
		require.Equal(t, "v1", i.Home().Version)
		v1.registry.drain("a", 0)
		v1.rounds(1)
		require.Len(t, s.Drained(), 1)
	})
}
