package redisstore_test

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// functionOn returns the name of a function whose keys are on the i-th node.
func functionOn(t *testing.T, servers *redistest.Cluster, i int) string {
	t.Helper()
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: servers.Addrs()})
	defer c.Close()
	s := open(t, topology{config: configOf(servers.Addrs()...)})
	return onNode(t, s, c, servers.Servers[i].Addr).Function
}

func (r *replica) lost() bool { return r.store.Fresh(r.Rules().Function).Lost }

// TestFallenMasterSilencesItsOwnFunctionsOnly: the others' sessions need no look-up because of it.
func TestFallenMasterSilencesItsOwnFunctionsOnly(t *testing.T) {
	t.Parallel()
	servers := redistest.NewCluster(t, redistest.Options{AOF: true, Config: []string{"cluster-require-full-coverage no"}})
	it := topology{config: configOf(servers.Addrs()...)}
	lost, kept := newReplica(t, it, functionOn(t, servers, 0)), newReplica(t, it, functionOn(t, servers, 1))
	lost.settled(t, "x")
	kept.settled(t, "x")
	was := lost.use(t, "x")
	servers.Servers[0].Kill()
	require.Eventually(t, lost.lost, recovery, time.Millisecond)
	for end := time.Now().Add(2 * sessions.NewsMaxAge); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		require.False(t, kept.lost())
		require.Equal(t, was.Epoch, lost.use(t, "x").Epoch, "stale")
	}
	require.NoError(t, servers.Servers[0].Restart())
	recovers(t, lost.store, was)
	lost.settled(t, "x")
	require.Equal(t, was.Epoch, lost.use(t, "x").Epoch)
}

// TestSlotThatMovesIsHeardWhereItGoes: sessions are ended through one replica while another goes by what it hears, before,
// during and after the move of their slot to another master.
func TestSlotThatMovesIsHeardWhereItGoes(t *testing.T) {
	t.Parallel()
	servers := redistest.NewCluster(t, redistest.Options{})
	it := topology{config: configOf(servers.Addrs()...)}
	function := functionOn(t, servers, 0)
	a, b := newReplica(t, it, function), newReplica(t, it, function)
	ids := []string{"before", "after", "long after"}
	a.settled(t, ids...)
	b.settled(t, ids...)
	end := func(id string) {
		was := b.use(t, id)
		require.Eventually(t, func() bool {
			_, err := a.End(t.Context(), was, false)
			return err == nil
		}, recovery, time.Millisecond)
		require.Less(t, b.stops(t, id, func(now sessions.Session) bool { return now.Epoch > was.Epoch }), time.Second)
	}
	end("before")
	was := b.store.Fresh(function)
	moveSlot(t, servers, redisstore.MarksKey(b.store, function), 0, 1)
	end("after")
	require.Eventually(t, func() bool { return b.store.Fresh(function).Since.After(was.At) && !b.lost() }, recovery, time.Millisecond,
		"the new master's news begin anew")
	a.settled(t, ids...)
	b.settled(t, ids...)
	servers.Servers[0].Kill() // which has no part in it any more
	for _, id := range ids {
		end(id)
	}
}

// moveSlot moves a key's slot, with all that is in it.
func moveSlot(t *testing.T, servers *redistest.Cluster, key string, from, to int) {
	t.Helper()
	ctx := t.Context()
	source, target := admin(t, servers.Servers[from].Addr), admin(t, servers.Servers[to].Addr)
	slot, err := source.ClusterKeySlot(ctx, key).Result()
	require.NoError(t, err)
	ids := []string{source.Do(ctx, "CLUSTER", "MYID").Val().(string), target.Do(ctx, "CLUSTER", "MYID").Val().(string)}
	require.NoError(t, target.Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0]).Err())
	require.NoError(t, source.Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1]).Err())
	host, port, err := net.SplitHostPort(servers.Servers[to].Addr)
	require.NoError(t, err)
	for {
		keys, err := source.ClusterGetKeysInSlot(ctx, int(slot), 100).Result()
		require.NoError(t, err)
		if len(keys) == 0 {
			break
		}
		args := []any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}
		for _, k := range keys {
			args = append(args, k)
		}
		require.NoError(t, source.Do(ctx, args...).Err())
	}
	for _, i := range slices.Compact([]int{to, from, 2}) {
		require.NoError(t, admin(t, servers.Servers[i].Addr).Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", ids[1]).Err())
	}
}
