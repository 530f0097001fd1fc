package redisstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// TestSentinelFailover: acknowledged sessions survive the master, and the store finds the next one by itself.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	servers := redistest.NewSentinel(t, redistest.Options{})
	cfg := configOf(servers.Addrs()...)
	cfg.MasterName = redistest.MasterName
	s := open(t, topology{config: cfg})
	var pinned []sessions.Session
	for i := range 200 {
		pinned = append(pinned, pin(t, s, numbered(i)))
	}
	replicas := servers.Servers[1:]
	for _, r := range replicas {
		require.NoError(t, r.Pause())
	}
	start := time.Now()
	_, _, err := s.Pin(t.Context(), request(t, "alone"))
	require.ErrorIs(t, err, sessions.ErrUnavailable, "a write that no replica has is not acknowledged")
	require.Less(t, time.Since(start), slowest)
	_, err = s.Update(t.Context(), sessions.UpdateRequest{Key: pinned[0].Key})
	require.ErrorIs(t, err, sessions.ErrUnavailable)
	_, err = s.Once(t.Context(), "nonce", time.Minute)
	require.ErrorIs(t, err, sessions.ErrUnavailable)
	for _, r := range replicas {
		require.NoError(t, r.Resume())
	}
	require.Eventually(t, func() bool { _, _, err := s.Pin(t.Context(), request(t, "later")); return err == nil },
		recovery, 20*time.Millisecond)

	servers.Servers[0].Kill()
	require.Eventually(t, func() bool { _, _, err := s.Pin(t.Context(), request(t, "after")); return err == nil },
		redistest.StartTimeout, 20*time.Millisecond)
	for _, want := range pinned {
		got, created, err := s.Pin(t.Context(), request(t, want.ID))
		require.NoError(t, err)
		require.False(t, created, "an acknowledged session was lost")
		require.Equal(t, want.Home, got.Home)
	}
}

// TestMasterWithoutReplicas: a Sentinel deployment that has lost its replicas goes on.
func TestMasterWithoutReplicas(t *testing.T) {
	t.Parallel()
	servers := redistest.NewSentinel(t, redistest.Options{})
	cfg := configOf(servers.Addrs()...)
	cfg.MasterName = redistest.MasterName
	s := open(t, topology{config: cfg})
	pin(t, s, "x")
	for _, r := range servers.Servers[1:] {
		r.Kill()
	}
	require.Eventually(t, func() bool { _, _, err := s.Pin(t.Context(), request(t, "y")); return err == nil },
		recovery, 20*time.Millisecond)
}
