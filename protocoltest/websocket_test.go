package protocoltest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// echoes is an instance that says on each connection who it is and what it was told of the session, and then echoes.
type echoes struct {
	URL string

	mu   sync.Mutex
	open map[string]context.Context // by session: done when its latest connection has ended
}

func newEchoes(t testing.TB, name string) *echoes {
	e := &echoes{open: map[string]context.Context{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			e.serve(name, w, r)
		}
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	e.URL = s.URL
	return e
}

func (e *echoes) serve(name string, w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	session := r.Header.Get("Limpet-Session-Id")
	ctx, ended := context.WithCancel(context.Background())
	defer ended()
	e.mu.Lock()
	e.open[session] = ctx
	e.mu.Unlock()
	event, _, _ := strings.Cut(r.Header.Get("Limpet-Session-Event"), ";")
	kind, message := websocket.MessageText, []byte(name+" "+session+" "+event)
	for err == nil {
		if err = c.Write(ctx, kind, message); err == nil {
			kind, message, err = c.Read(ctx)
		}
	}
}

// ended waits until the session's connection has ended, as the instance sees it.
func (e *echoes) ended(t *testing.T, session string) {
	t.Helper()
	e.mu.Lock()
	ctx := e.open[session]
	e.mu.Unlock()
	if ctx == nil {
		return // it was another instance's
	}
	select {
	case <-ctx.Done():
	case <-time.After(limpettest.Patience):
		t.Fatal("the instance was not told")
	}
}

// socket is a client's connection, and what the instance said of itself.
type socket struct {
	*websocket.Conn
	res                      *http.Response
	instance, session, event string
}

// openWebSocket opens a WebSocket and checks that it echoes.
func openWebSocket(t testing.TB, client *http.Client, url string, headers ...string) socket {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	c, res, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: client, HTTPHeader: h})
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	s := socket{Conn: c, res: res}
	hello := strings.Split(s.read(t), " ")
	require.Len(t, hello, 3)
	s.instance, s.session, s.event = hello[0], hello[1], hello[2]
	require.NoError(t, c.Write(t.Context(), websocket.MessageBinary, []byte("ping")))
	require.Equal(t, "ping", s.read(t))
	return s
}

func (s socket) read(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limpettest.Patience)
	defer cancel()
	_, message, err := s.Read(ctx)
	require.NoError(t, err)
	return string(message)
}

// closed waits for the end of the connection, as the client sees it.
func (s socket) closed(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limpettest.Patience)
	defer cancel()
	_, _, err := s.Read(ctx)
	require.Error(t, err)
	require.NoError(t, ctx.Err(), "the client was not told")
}

func TestWebSocket(t *testing.T) {
	a, b, c := newEchoes(t, "a"), newEchoes(t, "b"), newEchoes(t, "c")
	instances := fmt.Sprintf("{static: [{id: a, url: %q}, {id: b, url: %q}, {id: c, url: %q}], health: {path: /healthz}}", a.URL, b.URL, c.URL)
	p := serve(t, fmt.Sprintf(`shutdown: {delay: 0s, deadline: 1s}
functions:
  - {name: header, match: {path: /header}, affinity: {type: HEADER_FIELD, header: X-Session-Id},
     sessions: {per_instance: 100}, instances: %[1]s}
  - {name: cookie, match: {path: /cookie}, affinity: {type: GENERATED_COOKIE}, instances: %[1]s}
  - {name: alone, match: {path: /alone}, affinity: {type: HEADER_FIELD, header: X-Session-Id},
     sessions: {isolation: true, per_instance: 1}, instances: %[1]s}
`, instances))
	ended := func(t *testing.T, session string) {
		for _, e := range []*echoes{a, b, c} {
			e.ended(t, session)
		}
	}
	url := func(path string) string { return "ws://" + p.Listen + path }
	client := &http.Client{Transport: &http.Transport{}}

	t.Run("sessions return home", func(t *testing.T) { returnHome(t, client, url("/header")) })
	t.Run("cookie", func(t *testing.T) { returnByCookie(t, url("/cookie")) })
	t.Run("the end of an isolated session", func(t *testing.T) {
		s := openWebSocket(t, client, url("/alone"), "X-Session-Id", "alone")
		admin(t, p, http.MethodDelete, "/2023-03-30/functions/alone/sessions/alone", "")
		s.closed(t)
		ended(t, "alone")
	})
	t.Run("the drain deadline", func(t *testing.T) {
		s := openWebSocket(t, client, url("/header"), "X-Session-Id", "drained")
		admin(t, p, http.MethodPut, "/limpet/v1/functions/header/instances/"+s.instance+"/drain", `{"deadline":"0s"}`)
		s.closed(t)
		ended(t, "drained")
		next := openWebSocket(t, client, url("/header"), "X-Session-Id", "drained")
		require.NotEqual(t, s.instance, next.instance)
		require.Equal(t, "rehomed", next.event)
		require.Equal(t, fmt.Sprintf(`rehomed; reason="drained"; from=%q`, s.instance), next.res.Header.Get("Limpet-Session-Event"))
	})
	t.Run("shutdown", func(t *testing.T) {
		s := openWebSocket(t, client, url("/header"), "X-Session-Id", "last")
		stopped := make(chan error, 1)
		go func() { stopped <- p.Stop() }()
		s.closed(t)
		ended(t, "last")
		require.NoError(t, <-stopped)
	})
}

// returnHome connects fifty sessions, each of which comes back twice while the others stay.
func returnHome(t *testing.T, client *http.Client, url string) {
	homes := map[string]int{}
	for i := range 50 {
		id := fmt.Sprint("session-", i)
		first := openWebSocket(t, client, url, "X-Session-Id", id)
		require.Equal(t, id, first.session)
		require.Equal(t, "created", first.event)
		require.Equal(t, "created", first.res.Header.Get("Limpet-Session-Event"))
		require.Equal(t, id, first.res.Header.Get("X-Session-Id"))
		require.NoError(t, first.CloseNow())
		for range 2 {
			again := openWebSocket(t, client, url, "X-Session-Id", id)
			require.Equal(t, first.instance, again.instance)
			require.Empty(t, again.event)
			require.Equal(t, first.res.Header["Limpet-Session-Epoch"], again.res.Header["Limpet-Session-Epoch"])
		}
		homes[first.instance]++
	}
	require.Len(t, homes, 3, "they are spread")
}

// returnByCookie connects browsers, which keep the cookie that the first 101 gave them.
func returnByCookie(t *testing.T, url string) {
	for range 10 {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		browser := &http.Client{Transport: &http.Transport{}, Jar: jar}
		first := openWebSocket(t, browser, url)
		require.Len(t, first.res.Cookies(), 1)
		require.NoError(t, first.CloseNow())
		again := openWebSocket(t, browser, url)
		require.Equal(t, first.instance, again.instance)
		require.Equal(t, first.session, again.session)
		require.Empty(t, again.res.Cookies())
		require.NoError(t, again.CloseNow())
	}
}

// admin calls the admin listener.
func admin(t *testing.T, p *limpettest.Process, method, path, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.Admin+path, strings.NewReader(body))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
}
