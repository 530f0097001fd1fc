package instances_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// followers counts the goroutines that wait for a change of a version.
func followers() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "created by github.com/limpet-proxy/limpet/instances.(*Split)")
}

// Whoever waits hears of a change in any version; what listens for it ends with the change, and with the split.
func TestSplitTellsOfChangesAndLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v1, v2 := version(t, "v1", "a"), version(t, "v2", "a")
		v2.set("a", host{err: errRefused})
		v1.run()
		v2.run()
		defer func() { v1.stop(); v2.stop() }()
		s := split(t, map[string]int{"v1": 1, "v2": 1}, v1, v2)
		changed := s.Changed()
		require.Equal(t, changed, s.Changed(), "many wait at the cost of one")
		synctest.Wait()
		require.False(t, closed(changed))
		require.Equal(t, 2, followers())
		v2.set("a", host{})
		v2.rounds(3)
		synctest.Wait()
		require.True(t, closed(changed))
		require.Zero(t, followers())

		next := s.Changed()
		synctest.Wait()
		require.False(t, closed(next))
		s.Close()
		synctest.Wait()
		require.True(t, closed(next), "nobody waits on for what is no more")
		require.Zero(t, followers())
		require.Nil(t, s.Changed(), "or its waiters would never sleep")
	})
}

func TestSplitRefuses(t *testing.T) {
	w := version(t, "v1", "a")
	pools := map[string]*instances.Pool{"v1": w.pool}
	for _, weights := range []map[string]int{nil, {}, {"v1": 0}, {"v1": -1}, {"v1": 1, "v2": 1}} {
		_, err := instances.NewSplit(instances.SplitConfig{Pools: pools, Weights: weights})
		require.ErrorIs(t, err, instances.ErrConfig, "%v", weights)
	}
}

// What each request asks costs no memory.
func TestSplitAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v1, v2 := version(t, "v1", "a").run(), version(t, "v2", "a").run()
		defer func() { v1.stop(); v2.stop() }()
		s := split(t, map[string]int{"v1": 1, "v2": 1}, v1, v2)
		defer s.Close()
		h := sessions.Home{Version: "v2", ID: "a", Incarnation: v2.view("a").Incarnation}
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			if state, _ := s.State(h); state != sessions.HomeUp {
				t.Fatal(state)
			}
			if _, ok := s.Lookup(h); !ok {
				t.Fatal("no instance")
			}
		}))
		require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { s.Pick(nil) }), 3.0)
	})
}
