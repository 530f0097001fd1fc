package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// shop is an application that keeps its sessions in memory, by a cookie that it sets itself and changes at a login.
type shop struct {
	name string

	mu     sync.Mutex
	issued int
	counts map[string]int
}

func newShop(name string) *shop { return &shop{name: name, counts: map[string]int{}} }

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := r.URL.Query().Get("set"); set != "" {
		w.Header()["Set-Cookie"] = []string{set}
		fmt.Fprint(w, s.name)
		return
	}
	id := ""
	if c, err := r.Cookie("sid"); err == nil {
		id = c.Value
	}
	switch _, known := s.counts[id]; {
	case r.URL.Path == "/plain":
	case !known:
		id = s.issue(w, 0)
	case r.URL.Path == "/login":
		id = s.issue(w, s.counts[id])
	case r.URL.Path == "/logout":
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "deleted", MaxAge: -1})
	}
	s.counts[id]++
	fmt.Fprintf(w, "%s %d %s", s.name, s.counts[id], r.Header.Get("Limpet-Session-Event"))
}

func (s *shop) issue(w http.ResponseWriter, count int) string {
	s.issued++
	id := fmt.Sprintf("%s-%d", s.name, s.issued)
	s.counts[id] = count
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/", HttpOnly: true})
	return id
}

func shopFunction(c *proxy.FunctionConfig) {
	c.Affinity.Sources = []affinity.Source{{Cookie: "sid"}}
}

// browse asks as a browser does that has this cookie, "" for none, and returns the cookie that it has then.
func (w *world) browse(path, sid string) (answer, string) {
	w.t.Helper()
	var headers []string
	if sid != "" {
		headers = []string{"Cookie", "sid=" + sid}
	}
	a := w.do(w.request(http.MethodGet, path, nil, headers...))
	for _, c := range a.Cookies() {
		if c.Name == "sid" && c.MaxAge >= 0 {
			sid = c.Value
		}
	}
	return a, sid
}

func TestAnApplicationsCookieLeadsHome(t *testing.T) {
	w := start(t, shopFunction, newShop("a"), newShop("b"), newShop("c"))
	for range 9 {
		a, sid := w.browse("/", "")
		require.NotEmpty(t, sid)
		home := strings.Fields(a.body)[0]
		require.Equal(t, home+" 1 ", a.body)
		require.Equal(t, "private", a.Header.Get("Cache-Control"))
		require.NotContains(t, fmt.Sprint(a.Header["X-Session-Id"], a.Header["Limpet-Session-Id"]), sid, "told in the cookie only, which is HttpOnly")
		for n := 2; n < 5; n++ {
			a, sid = w.browse("/", sid)
			require.Equal(t, fmt.Sprintf("%s %d ", home, n), a.body)
			require.Empty(t, a.Header["Limpet-Session-Event"])
		}
	}
	require.Equal(t, map[string]int{"a": 3, "b": 3, "c": 3}, w.sessionCounts())
}

func TestWithoutACookieThereIsNoSession(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { shopFunction(c); c.Sessions.PerInstance = 1 }, newShop("a"))
	for range 5 {
		a, sid := w.browse("/plain", "")
		require.Empty(t, sid)
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Empty(t, a.Header["Limpet-Session-Epoch"])
		w.slots(0)
	}
}

// TestACookieIsBoundBeforeTheFirstByte: as long as the table does not know the session its client does not know it either.
func TestACookieIsBoundBeforeTheFirstByte(t *testing.T) {
	w := start(t, shopFunction, newShop("a"))
	asked, know := make(chan struct{}), make(chan struct{})
	w.onBind(func() error { close(asked); <-know; return nil })
	c, r := w.dial()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-asked
	require.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := r.ReadByte()
	require.Error(t, err, "not one byte before")
	close(know)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	res, err := http.ReadResponse(bufio.NewReader(r), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: res.Cookies()[0].Value})
	require.NoError(t, err)
}

// TestALoginKeepsItsHome: a response that changes the cookie leads on to the same instance, and so does the old cookie, which
// requests may have that are on their way.
func TestALoginKeepsItsHome(t *testing.T) {
	w := start(t, shopFunction, newShop("a"), newShop("b"), newShop("c"))
	for range 6 {
		first, before := w.browse("/", "")
		home := strings.Fields(first.body)[0]
		a, after := w.browse("/login", before)
		require.NotEqual(t, before, after)
		require.Equal(t, home+" 2 ", a.body)
		require.Equal(t, "private", a.Header.Get("Cache-Control"))
		for n := 3; n < 6; n++ {
			a, _ = w.browse("/", after)
			require.Equal(t, fmt.Sprintf("%s %d ", home, n), a.body, "the state is there, and nobody is told otherwise")
		}
		a, _ = w.browse("/", before)
		require.Equal(t, home+" 2 ", a.body)
		got, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: before})
		require.NoError(t, err)
		require.Equal(t, sessions.PredecessorIdle, got.IdleTimeout, "and ends when it is used no more")
	}
}

func TestALoginOnAFullInstanceTakesTheSlotOver(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { shopFunction(c); c.Sessions.PerInstance = 1 }, newShop("a"), newShop("b"))
	first, before := w.browse("/", "")
	home := strings.Fields(first.body)[0]
	a, after := w.browse("/login", before)
	require.Equal(t, home+" 2 ", a.body)
	a, _ = w.browse("/", after)
	require.Equal(t, home+" 3 ", a.body)
	w.slots(1)
}

func TestALogoutEndsNothing(t *testing.T) {
	w := start(t, shopFunction, newShop("a"), newShop("b"))
	_, sid := w.browse("/", "")
	a, kept := w.browse("/logout", sid)
	require.Equal(t, sid, kept)
	require.Contains(t, a.Header.Get("Set-Cookie"), "Max-Age=0")
	_, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: sid})
	require.NoError(t, err)
}

// TestACookieThatIsNoID: the response passes, the log says so once, and not what the cookie was.
func TestACookieThatIsNoID(t *testing.T) {
	w := start(t, shopFunction, newShop("a"))
	said := w.listen()
	for range 3 {
		a, _ := w.browse("/?set=sid%3Ds%253Asecret.signature", "")
		require.Equal(t, "a", a.body)
		require.Equal(t, []string{"sid=s%3Asecret.signature"}, a.Header["Set-Cookie"])
		require.Empty(t, a.Header["Limpet-Session-Epoch"])
		w.slots(0)
	}
	_, sid := w.browse("/", "")
	a, _ := w.browse("/?set=sid%3Ds%253Asecret.signature", sid)
	require.Equal(t, "a", a.body)
	require.Equal(t, 1, strings.Count(said(), "session ID not used"))
	require.Contains(t, said(), "cookie sid has ")
	require.NotContains(t, said(), "secret")
	a, _ = w.browse("/", "s%3Asecret.signature")
	a.fails(t, "InvalidArgument", http.StatusBadRequest)
}

// listen collects what the handler logs, until the end of the test.
func (w *world) listen() (said func() string) {
	var mu sync.Mutex
	var log bytes.Buffer
	handler := proxy.NewHandler(slog.New(slog.NewTextHandler(locked{&mu, &log}, nil)), nil)
	w.shutdown(patience)
	w.handler = handler
	w.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{w.function()})})
	w.serve(proxy.LimitsConfig{HeaderBytes: proxy.DefaultHeaderBytes, HeaderTimeout: proxy.DefaultHeaderTimeout})
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
}

// locked is a Writer for several goroutines.
type locked struct {
	mu *sync.Mutex
	io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Writer.Write(p)
}

// TestACookieOfAnotherSession: the client follows the session that has the ID.
func TestACookieOfAnotherSession(t *testing.T) {
	w := start(t, shopFunction, newShop("a"), newShop("b"))
	said := w.listen()
	first, sid := w.browse("/", "")
	home := strings.Fields(first.body)[0]
	for range 2 { // one of them is elsewhere
		a, _ := w.browse("/?set=sid%3D"+sid, "")
		require.Equal(t, http.StatusOK, a.StatusCode)
		_, other := w.browse("/", "")
		a, _ = w.browse("/?set=sid%3D"+sid, other)
		require.Equal(t, http.StatusOK, a.StatusCode)
	}
	require.Contains(t, said(), "session not bound")
	a, _ := w.browse("/", sid)
	require.Equal(t, home+" 2 ", a.body)
}

// TestAnIDThatIsNamedOtherwiseToo: the cookie leads to the session that another place has named, which goes on as it was.
func TestAnIDThatIsNamedOtherwiseToo(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) {
		c.Affinity.Sources = []affinity.Source{{Query: "s"}, {Cookie: "sid"}}
	}, newShop("a"), newShop("b"), newShop("c"))
	for _, id := range []string{"x", "y", "z"} {
		first, sid := w.browse("/?s="+id, "")
		home := strings.Fields(first.body)[0]
		require.Equal(t, home+" 1 created", first.body)
		a, _ := w.browse("/", sid)
		require.Equal(t, home+" 2 ", a.body)
		got, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: id})
		require.NoError(t, err)
		require.Equal(t, w.cfg.Sessions.IdleTimeout, got.IdleTimeout)
	}
}

// TestAnOutageAtALogin: to hand on a cookie that leads nowhere would part the client from its state.
func TestAnOutageAtALogin(t *testing.T) {
	w := start(t, shopFunction, newShop("a"))
	_, sid := w.browse("/", "")
	w.onPin(func() error { return fmt.Errorf("test: %w", sessions.ErrUnavailable) })
	a, kept := w.browse("/login", sid)
	require.Equal(t, sid, kept)
	a.fails(t, "StoreUnavailable", http.StatusServiceUnavailable)
}
