package proxy_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestOneTransportForAnInstance(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { c.RequestsPerInstance = 7 }, named("a"), named("b"))
	transports := w.function().Transports
	a, _ := w.pool.Lookup(sessions.Home{ID: "a"})
	b, _ := w.pool.Lookup(sessions.Home{ID: "b"})
	of := func(inst *instances.Instance, incarnation uint64) *http.Transport {
		tr, err := transports.For(inst, incarnation)
		require.NoError(t, err)
		return tr
	}
	tr := of(a, 1)
	require.Same(t, tr, of(a, 1))
	require.NotSame(t, tr, of(b, 1))
	require.NotSame(t, tr, of(a, 2), "no connection is shared with another program")
	_, err := transports.For(a, 1)
	require.ErrorIs(t, err, instances.ErrReplaced)
	require.Nil(t, tr.Proxy, "an instance is dialled directly, whatever HTTP_PROXY says")
	require.True(t, tr.DisableCompression)
	require.Equal(t, 7, tr.MaxIdleConnsPerHost, "else all but two connections would be closed after each burst")
}

// The connections to an instance that is gone are closed: another program may get its address.
func TestConnectionsToAGoneInstanceAreClosed(t *testing.T) {
	var open atomic.Int64
	leaving := httptest.NewUnstartedServer(healthy(named("z")))
	leaving.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	leaving.Start()
	t.Cleanup(leaving.Close)
	w := start(t, func(c *proxy.FunctionConfig) {
		slowProbes(c)
		c.Instances.Static = append(c.Instances.Static, instances.StaticInstance{ID: "z", URL: leaving.URL})
	}, named("a"))
	require.Eventually(t, func() bool { return open.Load() == 0 }, patience, time.Millisecond, "the probe's is not kept")
	id := "s"
	for w.get("/", id).Header.Get("Instance") != "z" {
		id += "s"
	}
	require.EqualValues(t, 1, open.Load(), "kept for the next request")
	cfg := w.cfg.Instances
	cfg.Static = nil
	for _, place := range w.cfg.Instances.Static {
		if place.ID != "z" {
			cfg.Static = append(cfg.Static, place)
		}
	}
	require.NoError(t, w.pool.Apply(instances.PoolConfig{
		Function: "f", Version: "LATEST", Config: cfg, RequestsPerInstance: w.cfg.RequestsPerInstance, Registry: w.store,
	}))
	require.Eventually(t, func() bool { return open.Load() == 0 }, patience, time.Millisecond)
	moved := w.get("/", id)
	require.Equal(t, "a", moved.Header.Get("Instance"))
	require.Contains(t, moved.Header.Get("Limpet-Session-Event"), "instance gone")
}

// A reload may change the protocol of an instance that stays.
func TestTransportFollowsTheProtocol(t *testing.T) {
	protos := make(chan string, 1)
	w := start(t, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { protos <- r.Proto }))
	for _, c := range []struct {
		protocol instances.Protocol
		want     string
	}{{instances.HTTP1, "HTTP/1.1"}, {instances.H2C, "HTTP/2.0"}, {instances.HTTP1, "HTTP/1.1"}} {
		cfg := w.cfg.Instances
		cfg.Protocol = c.protocol
		require.NoError(t, w.pool.Apply(instances.PoolConfig{
			Function: "f", Version: "LATEST", Config: cfg, RequestsPerInstance: w.cfg.RequestsPerInstance, Registry: w.store,
		}))
		require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode)
		require.Equal(t, c.want, <-protos)
	}
}
