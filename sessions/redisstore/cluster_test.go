package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// onNode returns a request of a function whose keys are on this node.
func onNode(t *testing.T, s *redisstore.Store, c *redis.ClusterClient, addr string) sessions.PinRequest {
	for i := range 1000 {
		r := request(t, "x")
		r.Function += numbered(i)
		master, err := c.MasterForKey(t.Context(), keysFor(s, r.Key).Record)
		require.NoError(t, err)
		if master.Options().Addr == addr {
			return r
		}
	}
	require.Fail(t, "no function is on "+addr)
	return sessions.PinRequest{}
}

// TestFallenMasterHarmsItsOwnFunctionsOnly: its functions are refused at once, the others' never.
func TestFallenMasterHarmsItsOwnFunctionsOnly(t *testing.T) {
	t.Parallel()
	servers := redistest.NewCluster(t, redistest.Options{AOF: true, Config: []string{"cluster-require-full-coverage no"}})
	s := open(t, topology{config: configOf(servers.Addrs()...)})
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: servers.Addrs()})
	defer c.Close()
	lost, kept := onNode(t, s, c, servers.Servers[0].Addr), onNode(t, s, c, servers.Servers[1].Addr)
	for _, r := range []sessions.PinRequest{lost, kept} {
		_, _, err := s.Pin(t.Context(), r)
		require.NoError(t, err)
	}
	servers.Servers[0].Kill()
	const quick = 20 * time.Millisecond
	require.Eventually(t, func() bool {
		start := time.Now()
		_, err := s.Get(t.Context(), lost.Key)
		require.ErrorIs(t, err, sessions.ErrUnavailable)
		return time.Since(start) < quick
	}, recovery, time.Millisecond, "the breaker of its functions opens")
	stale, err := s.Touch(t.Context(), []sessions.Touch{{Key: lost.Key, Epoch: 1}, {Key: kept.Key, Epoch: 1}})
	require.ErrorIs(t, err, sessions.ErrUnavailable)
	require.Equal(t, []int{1}, stale, "what is known nevertheless")
	for range 3 * redisstore.BreakerFailures {
		_, err := s.Get(t.Context(), lost.Key)
		require.ErrorIs(t, err, sessions.ErrUnavailable)
		_, err = s.Get(t.Context(), kept.Key)
		require.NoError(t, err)
	}
	require.NoError(t, servers.Servers[0].Restart())
	require.EventuallyWithT(t, func(c *assert) {
		_, err := s.Get(t.Context(), lost.Key)
		require.NoError(c, err)
	}, redistest.StartTimeout, 20*time.Millisecond)
}
