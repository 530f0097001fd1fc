package instances_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
)

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u
}

func TestProbeOfRealServers(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	tests := map[string]struct {
		handler http.HandlerFunc
		start   string
		err     string // a part of it; "": none
	}{
		"healthy": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.RequestURI == "/live?deep=1" && r.Header.Get("User-Agent") == "limpet-health" {
				w.Header().Set("Limpet-Instance-Start", " n1 ")
				w.WriteHeader(http.StatusNoContent)
				return
			}
			w.WriteHeader(http.StatusTeapot)
		}, "n1", ""},
		"without a nonce": {func(http.ResponseWriter, *http.Request) {}, "", ""},
		"an ill-formed nonce is none": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Limpet-Instance-Start", "two words")
		}, "", ""},
		"500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "", "500"},
		"a redirect is not followed": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusFound)
		}, "", "302"},
		"hanging": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "", "deadline"},
		"hanging in its body": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "", "reading"},
		"closing": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", "EOF"},
		"an endless body is cut": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, "", ""},
		"an endless head is cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		}, "", "header"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(test.handler)
			server.Config.ErrorLog = nil
			server.Start()
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start, err := instances.Probe(ctx, parse(t, server.URL), instances.HealthConfig{Path: "/live?deep=1"})
			require.Equal(t, test.start, start)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
		})
	}
	require.Zero(t, elsewhere.Load())
}

func TestProbeAsksWhatIsConfigured(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Limpet-Instance-Start", "n1")
		w.Header().Set("Location", "/elsewhere")
		if r.Method != http.MethodHead || r.URL.Path != "/up" {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	head := instances.HealthConfig{Path: "/up", Method: http.MethodHead}
	_, err := instances.Probe(t.Context(), parse(t, server.URL), head)
	require.ErrorContains(t, err, "health answer 302, 200-299 is healthy")
	head.Status = instances.Statuses{First: 302, Last: 302}
	start, err := instances.Probe(t.Context(), parse(t, server.URL), head)
	require.NoError(t, err)
	require.Equal(t, "n1", start)
	head.Method = http.MethodPost
	_, err = instances.Probe(t.Context(), parse(t, server.URL), head)
	require.ErrorContains(t, err, "health answer 405, 302 is healthy")
}

func TestStatuses(t *testing.T) {
	for text, want := range map[string]instances.Statuses{"200": {200, 200}, "200-299": {200, 299}, "200-599": {200, 599}} {
		var got instances.Statuses
		require.NoError(t, got.UnmarshalText([]byte(text)))
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
	for _, text := range []string{"", "2xx", "199", "600", "0200", "299-200", "200-", "-200", "200-299-300", "+20", "200 "} {
		var got instances.Statuses
		require.ErrorContains(t, got.UnmarshalText([]byte(text)), "accepted is a status such as 200", text)
		require.Zero(t, got)
	}
}

func TestProbeRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	u := parse(t, "http://"+l.Addr().String())
	require.NoError(t, instances.ProbeTCP(t.Context(), u), "a TCP connect is the probe")
	require.NoError(t, l.Close())
	require.ErrorIs(t, instances.ProbeTCP(t.Context(), u), syscall.ECONNREFUSED)
	_, err = instances.Probe(t.Context(), u, instances.DefaultHealthConfig())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestEveryProbeHasAConnectionOfItsOwn(t *testing.T) {
	var conns, probes atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		probes.Add(1)
		_, _ = io.WriteString(w, "fine")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	cfg := instances.DefaultConfig()
	cfg.Static = []instances.StaticInstance{{ID: "a", URL: server.URL}}
	cfg.Health = &instances.HealthConfig{Interval: time.Millisecond}
	pool, err := instances.NewPool(instances.PoolConfig{Function: "f", Version: "v", Registry: newRegistry(), Config: cfg})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pool.Run(ctx)
	}()
	require.Eventually(t, func() bool { return probes.Load() >= 5 }, 10*time.Second, time.Millisecond)
	cancel()
	<-done
	server.Close()
	require.GreaterOrEqual(t, conns.Load(), probes.Load())
}

func TestPoolWithRealServers(t *testing.T) {
	var nonce atomic.Value
	nonce.Store("one")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Limpet-Instance-Start", nonce.Load().(string))
	}))
	defer server.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = tcp.Close() }()

	cfg := instances.PoolConfig{Function: "f", Version: "v", Registry: newRegistry(), Config: instances.Config{
		Static: []instances.StaticInstance{{ID: "a", URL: server.URL}},
		Health: &instances.HealthConfig{Interval: 5 * time.Millisecond},
	}}
	pool, err := instances.NewPool(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pool.Run(ctx)
	}()
	until := func(what string, ok func() bool) {
		t.Helper()
		require.Eventually(t, ok, 10*time.Second, time.Millisecond, what)
	}
	until("a candidate", func() bool { return len(pool.Candidates(0)) == 1 })
	old := pool.Candidates(0)[0]
	nonce.Store("two")
	until("another incarnation", func() bool {
		c := pool.Candidates(0)
		return len(c) == 1 && c[0].Incarnation > old.Incarnation
	})
	server.Close()
	until("lost", func() bool { return pool.Snapshot()[0].State == instances.StateUnhealthy })

	cfg.Config = instances.Config{Static: []instances.StaticInstance{{ID: "t", URL: "http://" + tcp.Addr().String()}}}
	require.NoError(t, pool.Apply(cfg))
	until("a TCP candidate", func() bool { return len(pool.Candidates(0)) == 1 })
	cancel()
	<-done
}

func TestParseStart(t *testing.T) {
	for value, want := range map[string]string{
		"":                       "",
		"abc":                    "abc",
		" \t abc \t":             "abc",
		"a b":                    "",
		"a\x7f":                  "",
		"caf\u00e9":              "",
		strings.Repeat("x", 128): strings.Repeat("x", 128),
		strings.Repeat("x", 129): "",
	} {
		require.Equal(t, want, instances.ParseStart(value), "%q", value)
	}
}

func FuzzParseStart(f *testing.F) {
	for _, seed := range []string{"", "abc", " a ", "a b", "\x00", strings.Repeat("y", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := instances.ParseStart(value)
		require.LessOrEqual(t, len(got), 128)
		require.Contains(t, value, got)
		for _, b := range []byte(got) {
			require.True(t, b > 0x20 && b < 0x7f)
		}
		require.Equal(t, got, instances.ParseStart(got))
	})
}
