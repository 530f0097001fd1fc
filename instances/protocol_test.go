package instances_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
)

// speaking is a program that speaks only p, without TLS.
func speaking(t *testing.T, p instances.Protocol) *url.URL {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(instances.StartHeader, r.Proto)
	}))
	s.Config.Protocols = p.HTTP()
	s.Start()
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	return u
}

func TestProbesSpeakTheProtocol(t *testing.T) {
	health := instances.DefaultHealthConfig()
	for _, p := range []instances.Protocol{instances.HTTP1, instances.H2C} {
		probe := instances.PoolConfig{Config: instances.Config{Protocol: p, Health: &health}}.Probe()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.NoError(t, probe(ctx, speaking(t, p)), p)
		other := instances.HTTP1
		if p == instances.HTTP1 {
			other = instances.H2C
		}
		require.Error(t, probe(ctx, speaking(t, other)), p)
	}
}

// Each probe has a connection of its own, in HTTP/2 too.
func TestHTTP2ProbesKeepNoConnection(t *testing.T) {
	remotes := make(chan string, 2)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { remotes <- r.RemoteAddr }))
	s.Config.Protocols = instances.H2C.HTTP()
	s.Start()
	defer s.Close()
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	health := instances.DefaultHealthConfig()
	probe := instances.PoolConfig{Config: instances.Config{Protocol: instances.H2C, Health: &health}}.Probe()
	for range 2 {
		require.NoError(t, probe(t.Context(), u))
	}
	require.NotEqual(t, <-remotes, <-remotes)
}
