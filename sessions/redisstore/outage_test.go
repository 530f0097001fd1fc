package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

const (
	// slowest is how long one operation may take to find out that Redis does not answer: two attempts, each with a
	// time-out to connect and one to read, and room for a busy machine.
	slowest = 2*(redisstore.DialTimeout+redisstore.ReadTimeout) + time.Second
	// recovery bounds how long a store may need to notice that Redis is back.
	recovery = 10 * time.Second
)

// ownServer is a standalone server that the test may harm.
func ownServer(t *testing.T, o redistest.Options) (*redistest.Server, *redisstore.Store) {
	server := redistest.Standalone(t, o)
	return server, open(t, topology{config: configOf(server.Addr), options: redisstore.Options{TLS: server.TLSConfig()}})
}

// refusesFast calls until the breaker is open, each within its time-outs, and then at once.
func refusesFast(t *testing.T, s *redisstore.Store, id string) {
	t.Helper()
	for range redisstore.BreakerFailures {
		start := time.Now()
		_, _, err := s.Pin(t.Context(), request(t, id))
		require.ErrorIs(t, err, sessions.ErrUnavailable)
		require.Less(t, time.Since(start), slowest)
	}
	start := time.Now()
	const calls = 100
	for range calls {
		_, err := s.Get(t.Context(), request(t, id).Key)
		require.ErrorIs(t, err, sessions.ErrUnavailable)
	}
	require.Less(t, time.Since(start), redisstore.ReadTimeout, "an open breaker answers at once")
}

func recovers(t *testing.T, s *redisstore.Store, want sessions.Session) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert) {
		got, err := s.Get(t.Context(), want.Key)
		require.NoError(c, err)
		require.Equal(c, want.Epoch, got.Epoch)
		require.Equal(c, want.Home, got.Home)
	}, recovery, 20*time.Millisecond)
}

func TestKilledServerIsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	server, s := ownServer(t, redistest.Options{AOF: true})
	pinned := pin(t, s, "x")
	server.Kill()
	refusesFast(t, s, "x")
	require.NoError(t, server.Restart())
	recovers(t, s, pinned)
}

func TestPausedServerIsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	server, s := ownServer(t, redistest.Options{})
	pinned := pin(t, s, "x")
	require.NoError(t, server.Pause())
	refusesFast(t, s, "x")
	require.NoError(t, server.Resume())
	recovers(t, s, pinned)
}

func TestOpenNeedsNoServer(t *testing.T) {
	t.Parallel()
	server := redistest.Standalone(t, redistest.Options{})
	server.Kill()
	s := open(t, topology{config: configOf(server.Addr)})
	require.ErrorIs(t, s.Ping(t.Context()), sessions.ErrUnavailable)
	_, err := s.Secret(t.Context(), "cookie")
	require.ErrorIs(t, err, sessions.ErrUnavailable)
	require.NoError(t, server.Restart())
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, recovery, 20*time.Millisecond)
	pin(t, s, "x")
}

// TestCallersOwnEndIsNoOutage: a caller that hangs up, or that has less time than Redis takes, is told so, and
// opens no breaker for the others.
func TestCallersOwnEndIsNoOutage(t *testing.T) {
	t.Parallel()
	server, s := ownServer(t, redistest.Options{})
	pin(t, s, "x")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(cancelled, request(t, "x").Key)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, sessions.ErrUnavailable)
	require.NoError(t, server.Pause())
	for range 2 * redisstore.BreakerFailures {
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err = s.Get(short, request(t, "x").Key)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, sessions.ErrUnavailable)
	}
	require.NoError(t, server.Resume())
	require.EventuallyWithT(t, func(c *assert) {
		_, err = s.Get(t.Context(), request(t, "x").Key)
		require.NoError(c, err)
	}, recovery, time.Millisecond)
}

func TestFullServerRefusesNewSessionsAndEndsOld(t *testing.T) {
	t.Parallel()
	_, s := ownServer(t, redistest.Options{Config: []string{"maxmemory 3mb"}})
	var last sessions.Session
	var err error
	for i := 0; err == nil; i++ {
		require.Less(t, i, 20_000, "the server never was full")
		var got sessions.Session
		if got, _, err = s.Pin(t.Context(), request(t, numbered(i))); err == nil {
			last = got
		}
	}
	require.ErrorIs(t, err, sessions.ErrUnavailable)
	_, err = s.End(t.Context(), last, true)
	require.NoError(t, err, "ending sessions is what frees memory")
	_, err = s.Touch(t.Context(), []sessions.Touch{{Key: last.Key, Epoch: last.Epoch, InFlight: true}})
	require.NoError(t, err)
}

func TestWrongPasswordIsUnavailable(t *testing.T) {
	t.Parallel()
	_, s := ownServer(t, redistest.Options{Config: []string{"requirepass something"}})
	_, _, err := s.Pin(t.Context(), request(t, "x"))
	require.ErrorIs(t, err, sessions.ErrUnavailable)
	require.ErrorContains(t, err, "unauthenticated")
	require.ErrorIs(t, s.Ping(t.Context()), sessions.ErrUnavailable)
}

// TestCallersThatGiveUpLateOpenTheBreaker: a caller whose own time-out is little longer than one attempt never sees
// the store give up.
func TestCallersThatGiveUpLateOpenTheBreaker(t *testing.T) {
	t.Parallel()
	server, s := ownServer(t, redistest.Options{})
	pin(t, s, "x")
	require.NoError(t, server.Pause())
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), redisstore.ReadTimeout+2*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := s.Get(ctx, request(t, "x").Key)
		return errors.Is(err, sessions.ErrUnavailable) && time.Since(start) < redisstore.ReadTimeout/2
	}, recovery, time.Millisecond)
}
