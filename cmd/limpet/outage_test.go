package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// requireUnavailable asks until Limpet says that its table cannot answer. Any other failure is wrong.
func (p *process) requireUnavailable(id string) {
	p.t.Helper()
	r, err := get(quick, p.listen, id)
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusServiceUnavailable, r.status, r)
	require.Equal(p.t, "StoreUnavailable", r.code())
	require.NotEmpty(p.t, r.header.Get("Retry-After"))
	require.Contains(p.t, string(r.body), `"Code":"StoreUnavailable"`)
}

// readyIs waits until /readyz has this status, and checks the rest of what it says then.
func (p *process) readyIs(status string, code int, reason string) {
	p.t.Helper()
	p.eventually(func() error {
		if _, body := p.readyz(); body.Status != status {
			return fmt.Errorf("readyz: %s (%s), not %s", body.Status, strings.Join(body.Reasons, ", "), status)
		}
		return nil
	})
	got, body := p.readyz()
	require.Equal(p.t, code, got, "%v", body)
	if reason != "" {
		require.Contains(p.t, body.Reasons, reason)
	}
}

const notAnswering = "the session store does not answer"

func TestAnOutageOfRedis(t *testing.T) {
	t.Parallel()
	const staleMax = 3 * time.Second
	redis := redistest.Standalone(t, redistest.Options{AOF: true, Config: []string{"appendfsync always"}})
	p := serve(t, setup{
		store:     fmt.Sprintf("{kind: redis, redis: {addrs: [%s], on_outage: bounded, stale_max: %s}}", redis.Addr, staleMax),
		functions: []function{{instances: samples(t, 2)}},
	}.file(t))
	known := p.answer("/", "known")
	require.Equal(t, 1, known.Count)

	redis.Kill()
	killed := time.Now()
	count := 1
	for time.Since(killed) < staleMax-time.Second {
		r := p.answer("/", "known")
		count++
		require.Equal(t, known.Instance, r.Instance)
		require.Equal(t, count, r.Count)
		p.requireUnavailable("new")
		time.Sleep(20 * time.Millisecond) // a pace, not a hope
	}
	p.readyIs("degraded", http.StatusOK, notAnswering)
	time.Sleep(time.Until(killed.Add(staleMax + 100*time.Millisecond)))
	p.requireUnavailable("known")
	p.requireUnavailable("new")

	require.NoError(t, redis.Restart())
	p.readyIs("ready", http.StatusOK, "")
	p.eventually(func() error {
		_, err := good(quick, p.listen, "new")
		return err
	})
	r := p.answer("/", "known")
	require.Equal(t, known.Instance, r.Instance)
	require.Equal(t, known.epoch, r.epoch)
	require.Equal(t, count+1, r.Count, "it is where it was")
}

func TestAStartWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Standalone(t, redistest.Options{})
	redis.Kill()
	s := setup{
		listen: freeAddr(t), admin: freeAddr(t),
		store:     fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr),
		functions: []function{{instances: samples(t, 1)}},
	}
	p := start(t, "serve", "-c", s.file(t))
	p.listen, p.admin = "http://"+s.listen, "http://"+s.admin
	p.readyIs("starting", http.StatusServiceUnavailable, "the session store has not answered yet")
	p.requireUnavailable("alice")
	require.NoError(t, redis.Restart())
	p.readyIs("ready", http.StatusOK, "")
	require.Equal(t, 1, p.answer("/", "alice").Count)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit())
}

// TestAStartWithoutRedisCanBeStopped is about a process that has not got as far as to serve.
func TestAStartWithoutRedisCanBeStopped(t *testing.T) {
	t.Parallel()
	s := setup{
		listen: freeAddr(t), admin: freeAddr(t), store: fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", freeAddr(t)),
		functions: []function{{instances: samples(t, 1)}},
	}
	p := start(t, "serve", "-c", s.file(t))
	p.listen, p.admin = "http://"+s.listen, "http://"+s.admin
	p.readyIs("starting", http.StatusServiceUnavailable, "")
	began := time.Now()
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit())
	require.Less(t, time.Since(began), 2*slack+time.Second, "the last touches have their own time-out")
}
