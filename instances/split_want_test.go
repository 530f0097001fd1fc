package instances_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
)

// An alias's demand goes to a version that can grow; that of a session which stays with its version to that one.
func TestSplitWants(t *testing.T) {
	pools, sources := map[string]*instances.Pool{}, map[string]*elastic{}
	for _, name := range []string{"blue", "green", "fixed"} {
		cfg := instances.PoolConfig{Function: "f", Version: name, Config: config(), Registry: newRegistry()}
		if name == "fixed" {
			cfg.Config = config("x")
		} else {
			sources[name] = newElastic()
			cfg.Sources = []instances.Source{sources[name]}
		}
		pool, err := instances.NewPool(cfg)
		require.NoError(t, err)
		pools[name] = pool
	}
	s, err := instances.NewSplit(instances.SplitConfig{Pools: pools, Weights: map[string]int{"blue": 3, "green": 0, "fixed": 1000}})
	require.NoError(t, err)
	defer s.Close()
	for range 10 {
		s.Want("", 2)
	}
	require.Len(t, sources["blue"].wants, 10, "fixed cannot grow, and green gets no new sessions")
	require.Empty(t, sources["green"].wants)
	s.Want("green", 3)
	require.Equal(t, []int{3}, sources["green"].wants)
	s.Want("gone", 1)
	require.Len(t, sources["blue"].wants, 11, "a session of a version that is no more may go anywhere")
	require.False(t, s.Occupied())
}
