package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// BenchmarkHandler is the whole handler on a session that is known, beside a bare ReverseProxy with the same transport
// to the same instance: what affinity costs is the ratio of the two in one run.
func BenchmarkHandler(b *testing.B) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	defer back.Close()
	target, err := url.Parse(back.URL)
	require.NoError(b, err)
	timeouts := proxy.DefaultFunctionConfig().Timeouts
	b.Run("bare", func(b *testing.B) {
		transport := &http.Transport{MaxIdleConnsPerHost: proxy.DefaultRequestsPerInstance, DisableCompression: true}
		defer transport.CloseIdleConnections()
		bench(b, &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		}})
	})
	b.Run("limpet", func(b *testing.B) {
		store, err := embeddedstore.Open(embeddedstore.Config{})
		require.NoError(b, err)
		defer store.Close()
		cfg := proxy.DefaultFunctionConfig()
		cfg.Name, cfg.Sessions.PerInstance = "f", 1_000_000
		cfg.Instances.Static = []instances.StaticInstance{{ID: "a", URL: back.URL}}
		pool, err := instances.NewPool(instances.PoolConfig{
			Function: "f", Version: "LATEST", Config: cfg.Instances, RequestsPerInstance: 200, Registry: store,
		})
		require.NoError(b, err)
		ctx, stop := context.WithCancel(b.Context())
		defer stop()
		go pool.Run(ctx)
		require.Eventually(b, func() bool { return len(pool.Candidates(0)) == 1 }, time.Second, time.Millisecond)
		rule, err := affinity.New(cfg.Affinity, affinity.Scope{Function: "f"})
		require.NoError(b, err)
		h := proxy.NewHandler(slog.New(slog.DiscardHandler), nil)
		f := &proxy.Function{
			Config: cfg, Rule: rule, Pool: pool, Transports: &proxy.Transports{Timeouts: timeouts, PerInstance: 200},
			Table: sessions.NewTable(sessions.TableConfig{
				Cache: sessions.NewCache(sessions.CacheConfig{Life: sessions.DefaultCacheLife}), Store: store, Pool: pool,
				Rules: sessions.Rules{Function: "f", Qualifier: "LATEST", Config: cfg.Sessions, Affinity: sessions.AffinityHeader},
			}),
		}
		defer f.Transports.CloseIdle()
		h.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{f})})
		bench(b, h)
	})
}

// bench sends requests of a thousand sessions through h, in process: the client's side costs both the same.
func bench(b *testing.B, h http.Handler) {
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprintf("%032x", i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			r := httptest.NewRequest(http.MethodGet, "http://front/", nil)
			r.Header.Set("X-Session-Id", ids[i%len(ids)])
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Body)
			}
		}
	})
}
