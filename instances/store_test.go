package instances_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sample"
	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// Real programs, a real store: a session is pinned, its program restarts in place, then dies.
func TestPoolAndStoreAgree(t *testing.T) {
	store, err := embeddedstore.Open(embeddedstore.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	programs := map[string]*sample.Running{}
	cfg := instances.PoolConfig{Function: "f", Version: sessions.LatestQualifier, Registry: store}
	cfg.Config.Health = &instances.HealthConfig{Interval: 20 * time.Millisecond, Timeout: 500 * time.Millisecond, Failures: 2}
	for _, id := range []string{"a", "b", "c"} {
		programs[id], err = sample.Start("127.0.0.1:0", sample.Options{Name: id})
		require.NoError(t, err)
		defer func() { require.NoError(t, programs[id].Close()) }()
		cfg.Config.Static = append(cfg.Config.Static, instances.StaticInstance{ID: id, URL: programs[id].URL()})
	}
	pool, err := instances.NewPool(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pool.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	until := func(what string, ok func() bool) {
		t.Helper()
		require.Eventually(t, ok, 20*time.Second, time.Millisecond, what)
	}
	place := func() sessions.Placement {
		return sessions.Placement{Candidates: pool.Candidates(0), PerInstance: 1}
	}

	until("three candidates", func() bool { return len(pool.Candidates(0)) == 3 })
	until("ready", pool.Ready)
	s, created, err := store.Pin(ctx, sessions.PinRequest{
		Key:      sessions.Key{Function: "f", Qualifier: sessions.LatestQualifier, ID: "s"},
		Settings: sessions.Settings{TTL: time.Hour}, Placement: place(),
	})
	require.NoError(t, err)
	require.True(t, created)
	state, _ := pool.State(s.Home)
	require.Equal(t, sessions.HomeUp, state)
	until("the session is counted", func() bool { return count(pool, s.Home.ID) == 1 })

	programs[s.Home.ID].Restart()
	until("replaced", func() bool { st, _ := pool.State(s.Home); return st == sessions.HomeReplaced })
	moved, err := store.Rehome(ctx, sessions.RehomeRequest{
		Session: s, Reason: sessions.ReasonRestarted, AliveWithin: time.Second, Placement: place(),
	})
	require.NoError(t, err, "the store has the new incarnation when the pool calls the old one replaced")
	require.Equal(t, s.Epoch+1, moved.Epoch)
	state, _ = pool.State(moved.Home)
	require.Equal(t, sessions.HomeUp, state)

	require.NoError(t, programs[moved.Home.ID].Close())
	until("lost", func() bool { st, _ := pool.State(moved.Home); return st == sessions.HomeLost })
	var again sessions.Session
	until("re-homed once nobody saw it healthy", func() bool {
		again, err = store.Rehome(ctx, sessions.RehomeRequest{
			Session: moved, Reason: sessions.ReasonLost, AliveWithin: 540 * time.Millisecond, Placement: place(),
		})
		return !errors.Is(err, sessions.ErrAlive)
	})
	require.NoError(t, err)
	require.NotEqual(t, moved.Home.ID, again.Home.ID)
}

func count(pool *instances.Pool, id string) int {
	for _, v := range pool.Snapshot() {
		if v.ID == id {
			return v.Sessions
		}
	}
	return -1
}
