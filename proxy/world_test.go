package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sample"
	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// patience bounds every wait of a test for something that must happen.
const patience = 10 * time.Second

// world is a proxy on a real socket with real instances behind it.
type world struct {
	t         *testing.T
	cfg       proxy.FunctionConfig
	protocols proxy.Protocols // of its listener
	store     sessions.Store
	cache     *sessions.Cache
	pool      *instances.Pool
	table     *sessions.Table
	handler   *proxy.Handler
	server    *proxy.Server
	addr      string
	backs     []*httptest.Server
	served    chan error
	leave     sync.Once

	reservation time.Duration // Rules.ReservationLife
}

// start runs a proxy for one function whose instances are the handlers, named a, b and so on. configure, if not nil,
// changes what the function says.
func start(t *testing.T, configure func(*proxy.FunctionConfig), handlers ...http.Handler) *world {
	t.Helper()
	return speaking(t, proxy.Protocols{}, configure, handlers...)
}

// speaking is start for a proxy that speaks protocols.
func speaking(t *testing.T, protocols proxy.Protocols, configure func(*proxy.FunctionConfig), handlers ...http.Handler) *world {
	t.Helper()
	w := &world{t: t, protocols: protocols, cfg: proxy.DefaultFunctionConfig(), served: make(chan error, 1), reservation: time.Minute}
	w.cfg.Name = "f"
	health := instances.HealthConfig{Path: "/healthz", Interval: 20 * time.Millisecond, Timeout: time.Second, Failures: 3, Successes: 1}
	w.cfg.Instances.Health = &health
	for i, h := range handlers {
		back := httptest.NewUnstartedServer(healthy(h))
		back.Config.Protocols = bothHTTP()
		// By default one request that a program does not read takes all that the program lets the connection hold.
		back.Config.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: 64 << 10}
		back.Start()
		t.Cleanup(func() { back.CloseClientConnections(); back.Close() })
		w.backs = append(w.backs, back)
		w.cfg.Instances.Static = append(w.cfg.Instances.Static, instances.StaticInstance{ID: string(rune('a' + i)), URL: back.URL})
	}
	if configure != nil {
		configure(&w.cfg)
	}
	var err error
	w.store, err = embeddedstore.Open(embeddedstore.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.store.Close()) })
	w.cache = sessions.NewCache(sessions.CacheConfig{Life: sessions.DefaultCacheLife})
	w.runTouches()
	w.runPool()
	w.handler = proxy.NewHandler(slog.New(slog.DiscardHandler), nil)
	w.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{w.function()})})
	w.serve(proxy.LimitsConfig{HeaderBytes: proxy.DefaultHeaderBytes, HeaderTimeout: proxy.DefaultHeaderTimeout})
	return w
}

// bothHTTP are what the instances of tests speak without TLS.
func bothHTTP() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// healthy answers health probes for h, unless h is a sample instance, which answers them itself with its start nonce.
func healthy(h http.Handler) http.Handler {
	if s, ok := h.(*sample.Server); ok {
		return s
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			h.ServeHTTP(w, r)
		}
	})
}

// runTouches writes what the cache knows of use to the store: without it the two would part.
func (w *world) runTouches() {
	ctx, stop := context.WithCancel(context.Background())
	ended, store := make(chan struct{}), w.store
	go func() { defer close(ended); w.cache.Run(ctx, store, func(int, error) {}) }()
	w.t.Cleanup(func() { stop(); <-ended })
}

func (w *world) runPool() {
	loss := time.Duration(0)
	if w.cfg.OnInstanceLoss == sessions.LossFail {
		loss = w.cfg.LossGrace
	}
	var err error
	w.pool, err = instances.NewPool(instances.PoolConfig{
		Function: w.cfg.Name, Version: w.cfg.Qualifier, Config: w.cfg.Instances,
		RequestsPerInstance: w.cfg.RequestsPerInstance, LossGrace: loss, Registry: w.store,
	})
	require.NoError(w.t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.pool.Run(ctx) }()
	w.t.Cleanup(func() { stop(); <-ended })
	require.Eventually(w.t, func() bool {
		return w.pool.Ready() && len(w.pool.Candidates(0)) == len(w.cfg.Instances.Static)
	}, patience, time.Millisecond)
}

// function makes the function of the world's configuration.
func (w *world) function() *proxy.Function {
	keys, err := affinity.NewKeys([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(w.t, err)
	rule, err := affinity.New(w.cfg.Affinity, affinity.Scope{Function: w.cfg.Name, Qualifier: w.cfg.Qualifier, Keys: keys})
	require.NoError(w.t, err)
	f := &proxy.Function{
		Config: w.cfg, Rule: rule, Pool: w.pool,
		Transports: &proxy.Transports{Timeouts: w.cfg.Timeouts, PerInstance: w.cfg.RequestsPerInstance},
	}
	w.t.Cleanup(f.Transports.CloseIdle)
	if w.cfg.Affinity.Type != sessions.AffinityNone {
		w.table = sessions.NewTable(sessions.TableConfig{Cache: w.cache, Store: w.store, Pool: w.pool, Rules: sessions.Rules{
			Function: w.cfg.Name, Qualifier: w.cfg.Qualifier, Config: w.cfg.Sessions, Affinity: w.cfg.Affinity.Type,
			OnLoss: w.cfg.OnInstanceLoss, LossGrace: w.cfg.LossGrace, Wait: w.cfg.WhenFull.Wait,
			AliveWithin: w.cfg.Instances.AliveWithin(),
			Immovable:   w.cfg.Affinity.Type == sessions.AffinityMCPStreamable || w.cfg.Affinity.Type == sessions.AffinityMCPSSE,
			CutEnded:    w.cfg.Affinity.Type == sessions.AffinityMCPSSE, ReservationLife: w.reservation,
		}})
		f.Table = w.table
	}
	return f
}

// serve takes requests; once more after a shutdown.
func (w *world) serve(limits proxy.LimitsConfig) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	w.addr, w.leave = l.Addr().String(), sync.Once{}
	w.server = proxy.NewServer(w.handler, limits, slog.New(slog.DiscardHandler))
	w.server.Speak(w.protocols)
	go func() { w.served <- w.server.Serve(l) }()
	w.t.Cleanup(func() { w.shutdown(0) })
}

// shutdown ends the server, once, and says how many requests were cut.
func (w *world) shutdown(deadline time.Duration) (cut int) {
	w.leave.Do(func() {
		cut = w.server.Shutdown(deadline)
		require.NoError(w.t, <-w.served)
		require.Zero(w.t, w.handler.InFlight(), "every exchange has ended")
	})
	return cut
}

func (w *world) url(path string) string { return "http://" + w.addr + path }

// request makes a request with headers, given as name and value in turn.
func (w *world) request(method, path string, body io.Reader, headers ...string) *http.Request {
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url(path), body)
	require.NoError(w.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// client sends no more than it is told to: no cookies, no redirects, no compression.
func (w *world) client() *http.Client {
	tr := &http.Transport{DisableCompression: true, ExpectContinueTimeout: time.Minute}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is a response, read whole.
type answer struct {
	*http.Response
	body string
}

// do sends a request and reads the response.
func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	res, err := w.client().Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return answer{res, string(body)}
}

// get is a GET with the session's header.
func (w *world) get(path, session string) answer {
	w.t.Helper()
	return w.do(w.request(http.MethodGet, path, nil, "X-Session-Id", session))
}

// fails checks that a is Limpet's own answer of this code and status.
func (a answer) fails(t *testing.T, code string, status int) {
	t.Helper()
	require.Equal(t, status, a.StatusCode, a.body)
	require.Equal(t, code, a.Header.Get("Limpet-Error"))
	require.Equal(t, "application/json", a.Header.Get("Content-Type"))
	var body struct {
		Code, Message string
		RequestID     string `json:"RequestId"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &body), a.body)
	require.Equal(t, code, body.Code)
	require.NotEmpty(t, body.Message)
	require.Equal(t, a.Header.Get("X-Request-Id"), body.RequestID)
	require.NotContains(t, a.body, "127.0.0.1", "an instance's address never shows")
	retry := status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
	require.Equal(t, retry, a.Header.Get("Retry-After") != "", "Retry-After goes with 503 and 429")
}

// named answers with the instance's name and what it was told.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Instance", name)
		fmt.Fprintf(w, "%s %s", name, r.Header.Get("Limpet-Session-Event"))
	})
}

// idle waits until the proxy has no request in flight.
func (w *world) idle() {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return w.handler.InFlight() == 0 }, patience, time.Millisecond)
}
