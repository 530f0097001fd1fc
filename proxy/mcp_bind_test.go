package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// await waits for what must happen.
func await(t *testing.T, what <-chan struct{}) {
	t.Helper()
	select {
	case <-what:
	case <-time.After(patience):
		require.FailNow(t, "it did not happen")
	}
}

// TestMCPBindsBeforeTheFirstByte: as long as the table does not know the session its client does not know it either.
func TestMCPBindsBeforeTheFirstByte(t *testing.T) {
	a := newTools("a")
	a.initialize = func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set("Mcp-Session-Id", id)
		fmt.Fprint(w, strings.Repeat("x", 1<<16))
	}
	w := startMCP(t, nil, a)
	asked, know := make(chan struct{}), make(chan struct{})
	w.onBind(func() error { close(asked); <-know; return nil })
	bound := sync.OnceFunc(func() { close(know) })
	defer bound()
	c, r := w.dial()
	fmt.Fprintf(c, "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	await(t, asked)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := r.ReadByte()
	require.Error(t, err, "not one byte before")
	bound()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: res.Header.Get("Mcp-Session-Id")})
	require.NoError(t, err)
}

// TestMCPThatCannotBeBound: the client does not get an ID that nobody knows, and the instance is told to forget it.
func TestMCPThatCannotBeBound(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		code string
	}{
		"the table does not answer":   {sessions.ErrUnavailable, "StoreUnavailable"},
		"the reservation is over":     {sessions.ErrNotFound, "NoCapacity"},
		"nobody knows what this is":   {io.ErrNoProgress, "InternalError"},
		"the table answers in vain":   {fmt.Errorf("busy: %w", sessions.ErrUnavailable), "StoreUnavailable"},
		"the ID may not be used anew": {sessions.ErrIDReuse, "SessionExpired"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newTools("a")
			w := startMCP(t, nil, a)
			w.onBind(func() error { return tc.err })
			res := w.mcp(http.MethodPost, "", "Authorization", "Bearer x", "Mcp-Protocol-Version", "2025-06-18")
			require.Equal(t, tc.code, res.Header.Get("Limpet-Error"), res.body)
			require.NotContains(t, res.Header, "Mcp-Session-Id")
			require.Eventually(t, func() bool { return len(a.requests()) == 2 }, patience, time.Millisecond)
			del := a.requests()[1]
			require.Equal(t, http.MethodDelete, del.Method)
			require.Equal(t, "/mcp", del.URL.Path)
			require.Equal(t, "{a}/1:~!", del.Header.Get("Mcp-Session-Id"))
			require.Equal(t, "Bearer x", del.Header.Get("Authorization"), "or it is not let in")
			require.Zero(t, del.ContentLength)
			w.slots(0)
			w.idle()
		})
	}
}

// TestMCPOneIDForTwoSessions: the second instance to issue it is refused, and the first is not harmed. An instance that
// names its own session again, to whoever asked, has one.
func TestMCPOneIDForTwoSessions(t *testing.T) {
	a, b := newTools("same"), newTools("same")
	w := startMCP(t, nil, a, b)
	id, first := w.initialize()
	home, other := a, b
	if len(a.requests()) == 0 {
		home, other = b, a
	}
	w.mcp(http.MethodPost, "").failsMCP(t, "BadGateway", http.StatusBadGateway)
	w.idle()
	require.Len(t, home.requests(), 1)
	require.Equal(t, http.MethodDelete, other.requests()[1].Method)
	next := w.mcp(http.MethodPost, id)
	require.Equal(t, first.Header["Limpet-Session-Epoch"], next.Header["Limpet-Session-Epoch"])
	w.mark(w.homeOf(id), true, time.Hour)
	again := func(w http.ResponseWriter, _ *http.Request, _ string) { w.Header().Set("Mcp-Session-Id", id) }
	other.initialize = again
	w.mcp(http.MethodPost, "").failsMCP(t, "BadGateway", http.StatusBadGateway)
	w.mark(w.homeOf(id), false, time.Hour)
	w.kill(map[*tools]string{a: "a", b: "b"}[other])
	home.initialize = again
	require.Eventually(t, func() bool { return len(w.pool.Candidates(0)) == 1 }, patience, time.Millisecond)
	same, named := w.initialize()
	require.Equal(t, id, same)
	require.Equal(t, first.Header["Limpet-Session-Epoch"], named.Header["Limpet-Session-Epoch"])
	require.Empty(t, named.Header["Limpet-Session-Event"])
	require.Equal(t, "same 2", w.mcp(http.MethodPost, id).body)
	w.slots(1)
}

func (w *world) homeOf(id string) string {
	s, err := w.store.Get(w.t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: id})
	require.NoError(w.t, err)
	return s.Home.ID
}

// TestMCPLateResponse: what a former session's request brings ends no later session of the ID.
func TestMCPLateResponse(t *testing.T) {
	a, here, answer := newTools("a"), make(chan struct{}), make(chan struct{})
	const id = "{a}/1:~!"
	w := startMCP(t, nil, a)
	issued, _ := w.initialize()
	require.Equal(t, id, issued)
	a.other = func(w http.ResponseWriter, r *http.Request) {
		close(here)
		<-answer
		http.NotFound(w, r)
	}
	late := make(chan int)
	go func() { late <- w.mcp(http.MethodPost, id).StatusCode }()
	<-here
	w.endAll()
	a.other = nil
	a.initialize = func(w http.ResponseWriter, _ *http.Request, _ string) { w.Header().Set("Mcp-Session-Id", id) }
	again, _ := w.initialize()
	require.Equal(t, id, again, "a server that counts from 1 again")
	close(answer)
	require.Equal(t, http.StatusNotFound, <-late)
	require.Equal(t, http.StatusOK, w.mcp(http.MethodPost, id).StatusCode, "the new session is another one")
	w.slots(1)
}

// TestMCPHintsAndTrailersNameNoSession: only the head of the response does, which Limpet has read.
func TestMCPHintsAndTrailersNameNoSession(t *testing.T) {
	a := newTools("a")
	a.initialize = func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set("Mcp-Session-Id", "early")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Mcp-Session-Id", id)
		w.Header().Set("Trailer", "Mcp-Session-Id, Other")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		w.Header().Set("Mcp-Session-Id", "late")
		w.Header().Set("Other", "kept")
	}
	w := startMCP(t, nil, a)
	c, r := w.dial()
	fmt.Fprintf(c, "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	said, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Contains(t, string(said), "103 Early Hints")
	require.NotContains(t, string(said), "early")
	require.NotContains(t, string(said), "late")
	require.Contains(t, string(said), "Other: kept")
	require.Equal(t, 1, strings.Count(string(said), "Mcp-Session-Id: {a}/1:~!"))
}

// TestMCPStreamGoesHome: so does its resumption, and a stream that ends ends nothing.
func TestMCPStreamGoesHome(t *testing.T) {
	stream := func(s *tools) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				fmt.Fprintf(w, "id: 7\ndata: %s after %q\n\n", s.name, r.Header.Get("Last-Event-Id"))
				return
			}
			fmt.Fprint(w, s.name)
		}
	}
	a, b, c := newTools("a"), newTools("b"), newTools("c")
	for _, s := range []*tools{a, b, c} {
		s.other = stream(s)
	}
	w := startMCP(t, nil, a, b, c)
	for range 6 {
		id, first := w.initialize()
		home := first.Header.Get("Instance")
		for _, last := range []string{"", "7", "7"} {
			res := w.mcp(http.MethodGet, id, "Last-Event-Id", last, "Accept", "text/event-stream")
			require.Equal(t, fmt.Sprintf("id: 7\ndata: %s after %q\n\n", home, last), res.body)
		}
		require.Equal(t, home, w.mcp(http.MethodPost, id).body)
	}
	w.slots(6)
}

// TestMCPStreamOfTheInitialize is a response that goes on after the ID: events pass as they come.
func TestMCPStreamOfTheInitialize(t *testing.T) {
	a, more := newTools("a"), make(chan struct{})
	a.initialize = func(w http.ResponseWriter, _ *http.Request, id string) {
		w.Header().Set("Mcp-Session-Id", id)
		w.Header().Set("Content-Type", "text/event-stream")
		for range 3 {
			fmt.Fprint(w, "data: x\n\n")
			w.(http.Flusher).Flush()
			<-more
		}
	}
	w := startMCP(t, nil, a)
	res, err := w.client().Do(w.request(http.MethodPost, "/mcp", strings.NewReader("{}")))
	require.NoError(t, err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for range 3 {
		require.True(t, lines.Scan())
		require.Equal(t, "data: x", lines.Text())
		require.True(t, lines.Scan())
		more <- struct{}{}
	}
	require.False(t, lines.Scan())
	require.Equal(t, http.StatusOK, w.mcp(http.MethodPost, res.Header.Get("Mcp-Session-Id")).StatusCode)
}
