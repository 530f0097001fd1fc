package proxy_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestHeaderSessionStaysAtItsHome(t *testing.T) {
	w := start(t, nil, named("a"), named("b"), named("c"))
	for i := range 30 {
		id := fmt.Sprint("s", i)
		first := w.get("/", id)
		require.Equal(t, "created", first.Header.Get("Limpet-Session-Event"))
		require.Equal(t, first.Header.Get("Instance")+" created", first.body, "the instance is told too")
		require.Equal(t, []string{id}, first.Header["X-Session-Id"])
		require.NotEmpty(t, first.Header.Get("Limpet-Session-Epoch"))
		for range 3 {
			next := w.get("/", id)
			require.Equal(t, first.Header.Get("Instance")+" ", next.body, "home, and no event twice")
			require.Empty(t, next.Header["Limpet-Session-Event"])
			require.Equal(t, first.Header.Get("Limpet-Session-Epoch"), next.Header.Get("Limpet-Session-Epoch"))
		}
	}
	var counts []int
	for _, v := range w.sessionCounts() {
		counts = append(counts, v)
	}
	require.Equal(t, []int{10, 10, 10}, counts, "least loaded first")
}

func (w *world) sessionCounts() map[string]int {
	records, err := w.store.Instances(w.t.Context(), "f")
	require.NoError(w.t, err)
	counts := map[string]int{}
	for _, r := range records {
		counts[r.ID] = r.Sessions
	}
	return counts
}

func TestAClientWithoutIDGetsOne(t *testing.T) {
	w := start(t, nil, named("a"), named("b"))
	first := w.do(w.request(http.MethodGet, "/", nil))
	id := first.Header.Get("X-Session-Id")
	require.Regexp(t, "^[0-9a-f]{32}$", id)
	require.Equal(t, first.Header.Get("Instance"), w.get("/", id).Header.Get("Instance"))
	require.NotEqual(t, id, w.do(w.request(http.MethodGet, "/", nil)).Header.Get("X-Session-Id"))
}

func TestIllFormedIDs(t *testing.T) {
	w := start(t, nil, named("a"))
	for _, id := range []string{"-a", "a b", "a/b", strings.Repeat("x", 65), "ä", "a,b", ""} {
		w.get("/", id).fails(t, "InvalidArgument", http.StatusBadRequest)
	}
	w.do(w.request(http.MethodGet, "/", nil, "X-Session-Id", "a", "X-Session-Id", "a")).fails(t, "InvalidArgument", http.StatusBadRequest)
	require.Zero(t, w.sessionCounts()["a"], "nobody's slot was taken")
	require.Equal(t, http.StatusOK, w.get("/", strings.Repeat("x", 64)).StatusCode)
}

func TestInstanceSeesTheSession(t *testing.T) {
	seen := make(chan http.Header, 1)
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		// what only Limpet may say
		w.Header().Set("Limpet-Error", "BadGateway")
		w.Header().Set("Limpet-Session-Event", `rehomed; reason="a lie"`)
		w.Header().Set("X-Session-Id", "other")
	}))
	w.get("/", "s") // takes the event
	<-seen
	// Named in Connection, a header is hop-by-hop: a proxy removes it on the way. None of these may be lost or forged.
	a := w.do(w.request(http.MethodGet, "/", nil, "X-Session-Id", "s",
		"Connection", "X-Session-Id, Limpet-Session-Id, Limpet-Session-Epoch, X-Forwarded-For",
		"Limpet-Session-Id", "forged", "limpet_session_id", "forged", "Limpet-Session-Event", "created", "Limpet-Anything", "forged",
		"X_session_id", "forged",
		"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https", "Forwarded", "for=203.0.113.9",
		"X-Request-Id", "my-request", "Traceparent", "00-1-2-01"))
	h := <-seen
	require.Equal(t, []string{"s"}, h["Limpet-Session-Id"])
	require.Equal(t, []string{"s"}, h["X-Session-Id"])
	require.Equal(t, a.Header["Limpet-Session-Epoch"], h["Limpet-Session-Epoch"])
	require.Equal(t, []string{"127.0.0.1"}, h["X-Forwarded-For"])
	require.Equal(t, []string{"http"}, h["X-Forwarded-Proto"])
	require.Equal(t, []string{w.addr}, h["X-Forwarded-Host"])
	require.Equal(t, []string{"my-request"}, h["X-Request-Id"])
	require.Equal(t, []string{"00-1-2-01"}, h["Traceparent"])
	for _, gone := range []string{"Limpet-Session-Event", "Limpet-Anything", "Limpet_session_id", "X_session_id", "Forwarded"} {
		require.Empty(t, h[gone], gone)
	}
	require.Equal(t, "my-request", a.Header.Get("X-Request-Id"))
	require.Equal(t, []string{"s"}, a.Header["X-Session-Id"], "the instance does not choose the ID")
	require.Empty(t, a.Header["Limpet-Error"])
	require.Empty(t, a.Header["Limpet-Session-Event"])
}

func TestCookieSession(t *testing.T) {
	var sawCookie atomic.Value
	back := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sawCookie.Store(r.Header.Get("Cookie"))
			named(name).ServeHTTP(w, r)
		})
	}
	w := start(t, func(c *proxy.FunctionConfig) { c.Affinity.Type = sessions.AffinityCookie }, back("a"), back("b"))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := w.client()
	client.Jar = jar
	send := func() *http.Response {
		res, err := client.Do(w.request(http.MethodGet, "/", nil, "Cookie", "mine=1"))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res
	}
	first := send()
	set := first.Header.Get("Set-Cookie")
	require.Contains(t, set, "limpet-session=")
	require.Contains(t, set, "HttpOnly")
	require.Contains(t, set, "Max-Age=21600")
	require.NotContains(t, set, "Secure", "the client came without TLS")
	require.Contains(t, first.Header.Get("Cache-Control"), "private")
	for range 5 {
		next := send()
		require.Equal(t, first.Header.Get("Instance"), next.Header.Get("Instance"))
		require.Empty(t, next.Header["Set-Cookie"], "set once")
		require.Equal(t, "mine=1", sawCookie.Load(), "Limpet's own is taken out")
	}
	a := w.do(w.request(http.MethodGet, "/", nil, "Cookie", "limpet-session=v1.forged"))
	require.NotEmpty(t, a.Header["Set-Cookie"], "a made-up value is never adopted")
}

// A browser cannot mend its cookie: where its ID may not be used again it gets a new session, not a 410.
func TestCookieOfAnEndedSession(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) {
		c.Affinity.Type, c.Sessions.DisableIDReuse = sessions.AffinityCookie, true
	}, named("a"))
	first := w.do(w.request(http.MethodGet, "/", nil))
	value, _, _ := strings.Cut(first.Header.Get("Set-Cookie"), ";")
	w.endAll()
	a := w.do(w.request(http.MethodGet, "/", nil, "Cookie", value))
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.NotEmpty(t, a.Header["Set-Cookie"])
	require.NotContains(t, a.Header.Get("Set-Cookie"), value)
}

// endAll ends every session, kept as ended.
func (w *world) endAll() {
	page, err := w.store.List(w.t.Context(), sessions.Query{Function: "f", Qualifier: "LATEST", Limit: 100})
	require.NoError(w.t, err)
	for _, s := range page.Sessions {
		_, err := w.table.End(w.t.Context(), s, true)
		require.NoError(w.t, err)
	}
}

func TestEndedIDIsRefusedWhereReuseIsDisabled(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { c.Sessions.DisableIDReuse = true }, named("a"))
	w.get("/", "s")
	w.endAll()
	w.get("/", "s").fails(t, "SessionExpired", http.StatusGone)
}

func TestNoAffinity(t *testing.T) {
	seen := map[string]int{}
	w := start(t, func(c *proxy.FunctionConfig) { c.Affinity.Type = sessions.AffinityNone }, named("a"), named("b"))
	for range 40 {
		a := w.get("/", "same")
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Empty(t, a.Header["Limpet-Session-Epoch"])
		require.Empty(t, a.Header["X-Session-Id"])
		seen[a.Header.Get("Instance")]++
	}
	require.Len(t, seen, 2, "nothing holds a request to one instance")
}

func TestCapacityIsRefusedWithRetryAfter(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 2 }, named("a"), named("b"))
	for i := range 4 {
		require.Equal(t, http.StatusOK, w.get("/", fmt.Sprint("s", i)).StatusCode)
	}
	w.get("/", "s4").fails(t, "NoCapacity", http.StatusServiceUnavailable)
	require.Equal(t, http.StatusOK, w.get("/", "s0").StatusCode, "who has a home keeps it")
	require.Equal(t, map[string]int{"a": 2, "b": 2}, w.sessionCounts())
}

func TestRequestsPerInstance(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- struct{}{}
			<-finish
		}
	})
	w := start(t, func(c *proxy.FunctionConfig) { c.RequestsPerInstance = 1 }, slow, named("b"))
	var id string
	for i := 0; id == ""; i++ {
		if try := fmt.Sprint("s", i); w.get("/", try).Header.Get("Instance") == "" {
			id = try
		}
	}
	done := make(chan answer, 1)
	go func() { done <- w.get("/slow", id) }()
	<-entered
	w.get("/", id).fails(t, "ResourceExhausted", http.StatusTooManyRequests)
	close(finish)
	require.Equal(t, http.StatusOK, (<-done).StatusCode)
	w.idle()
	require.Equal(t, http.StatusOK, w.get("/", id).StatusCode, "the slot was given back")
}

func TestUnmatched(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { c.Match.Path = "/f" }, named("a"))
	w.get("/other", "s").fails(t, "FunctionNotFound", http.StatusNotFound)
	require.Equal(t, http.StatusOK, w.get("/f/x", "s").StatusCode)
}

func TestConnectIsRefused(t *testing.T) {
	w := start(t, nil, named("a"))
	c, err := net.Dial("tcp", w.addr)
	require.NoError(t, err)
	defer c.Close()
	fmt.Fprintf(c, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.Equal(t, "InvalidArgument", res.Header.Get("Limpet-Error"))
	require.NoError(t, res.Body.Close())
}

// A request that arrives under new routes is served by them; one in flight finishes on the old.
func TestSwapLeavesRequestsInFlightAlone(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- struct{}{}
			<-finish
		}
		fmt.Fprint(w, "done")
	}))
	done := make(chan answer, 1)
	go func() { done <- w.get("/slow", "s") }()
	<-entered
	w.cfg.Match.Path = "/new"
	w.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{w.function()})})
	w.get("/slow", "s").fails(t, "FunctionNotFound", http.StatusNotFound)
	close(finish)
	require.Equal(t, "done", (<-done).body)
}

func TestSessionExpiresWhenIdle(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) {
		c.Sessions.IdleTimeout = 200 * time.Millisecond
	}, named("a"), named("b"))
	first := w.get("/", "s")
	require.Eventually(t, func() bool {
		_, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
		return err != nil
	}, patience, 10*time.Millisecond)
	again := w.get("/", "s")
	require.Equal(t, "created", again.Header.Get("Limpet-Session-Event"))
	require.Greater(t, again.Header.Get("Limpet-Session-Epoch"), first.Header.Get("Limpet-Session-Epoch"))
}
