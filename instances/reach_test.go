package instances_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestWhereHearsayMayBeDialled(t *testing.T) {
	loopback := []string{"http://127.0.0.1:9001"}
	for name, c := range map[string]struct {
		url, forbidden string
		ranges, listed []string
		own            []string
	}{
		"a private network":             {url: "http://10.1.2.3:80"},
		"another":                       {url: "http://[fd00::1]:80"},
		"a carrier's":                   {url: "http://100.64.0.1"},
		"the internet":                  {url: "http://192.0.2.1:80", forbidden: "no allowed range"},
		"a metadata service":            {url: "http://169.254.169.254", forbidden: "no allowed range"},
		"loopback":                      {url: "http://127.0.0.1:80", forbidden: "no allowed range"},
		"mapped loopback":               {url: "http://[::ffff:127.0.0.1]:80", forbidden: "no allowed range"},
		"no address":                    {url: "http://0.0.0.0:80", forbidden: "no allowed range"},
		"loopback among its own":        {url: "http://127.0.0.1:80", listed: loopback},
		"the very address of another":   {url: "http://127.0.0.1:9001", listed: loopback, forbidden: "another ID"},
		"a range":                       {url: "http://192.0.2.1:80", ranges: []string{"192.0.2.0/24"}},
		"a range is all there is":       {url: "http://10.1.2.3:80", ranges: []string{"192.0.2.0/24"}, forbidden: "no allowed range"},
		"a mapped address of a range":   {url: "http://[::ffff:10.0.0.1]:80", ranges: []string{"10.0.0.0/8"}},
		"Limpet's own listener":         {url: "http://127.0.0.1:9090", listed: loopback, own: []string{"127.0.0.1:9090"}, forbidden: "own"},
		"Limpet's own, on all":          {url: "http://10.0.0.1:9090", own: []string{"[::]:9090"}, forbidden: "own"},
		"Limpet's own port, not its IP": {url: "http://10.0.0.2:9090", own: []string{"10.0.0.1:9090"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := instances.PoolConfig{Config: instances.Config{AllowedRanges: c.ranges}}
			for _, at := range c.own {
				cfg.Own = append(cfg.Own, netip.MustParseAddrPort(at))
			}
			err := instances.Reach(cfg, c.listed, parse(t, c.url))
			if c.forbidden == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, instances.ErrForbidden)
			require.ErrorContains(t, err, c.forbidden)
		})
	}
}

// A name is checked when it is dialled: who wrote it may have it lead anywhere, and elsewhere the next time.
func TestANameIsCheckedAtTheDial(t *testing.T) {
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	for _, path := range []string{"", "/healthz"} {
		r := newRegistry()
		cfg := instances.PoolConfig{Function: "f", Version: "LATEST", Registry: r, Config: instances.Config{
			Static: []instances.StaticInstance{{ID: "a", URL: "http://10.255.255.1:1"}}, AllowedRanges: []string{"10.0.0.0/8"},
		}}
		if path != "" {
			cfg.Config.Health = &instances.HealthConfig{Path: path}
		}
		pool, err := instances.NewPool(cfg)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			pool.Run(ctx)
		}()
		w := &world{t: t, pool: pool, registry: r}
		x := w.others(sessions.HealthUp, "http://localhost:"+port, "")
		pool.Find(t.Context(), x)
		require.Eventually(t, func() bool { return w.view("x").Error != "" }, 10*time.Second, time.Millisecond)
		require.Contains(t, w.view("x").Error, "address is in no allowed range")
		require.ErrorIs(t, w.instance("x").Control("tcp", "127.0.0.1:"+port, nil), instances.ErrForbidden)
		require.NoError(t, w.instance("x").Permits(netip.MustParseAddrPort("10.0.0.1:80")))
		cancel()
		<-done
	}
	require.Zero(t, hits.Load())
}
