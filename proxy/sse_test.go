package proxy_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestSSEMessagesGoToTheirStream(t *testing.T) {
	a, b := newStreamer("a"), newStreamer("b")
	w := startSSE(t, nil, a, b)
	var all []*follower
	for range 6 {
		all = append(all, w.follow())
	}
	for n := range 5 {
		for _, f := range all {
			f.asks(fmt.Sprint(n))
		}
	}
	require.Equal(t, map[string]int{"a": 3, "b": 3}, w.sessionCounts())
	for _, r := range append(a.requests(), b.requests()...) {
		require.Equal(t, r.Method == http.MethodPost, r.Header.Get("Limpet-Session-Id") != "")
		if r.Method == http.MethodPost {
			require.Equal(t, r.URL.Query().Get("sessionId"), r.Header.Get("Limpet-Session-Id"))
		}
	}
}

// TestSSEBindsBeforeTheEndpointIsComplete: what comes before the byte that completes the event passes at once, and that byte
// not before the table knows the session.
func TestSSEBindsBeforeTheEndpointIsComplete(t *testing.T) {
	a, next := newStreamer("a"), make(chan struct{})
	a.open = func(w http.ResponseWriter, r *http.Request, _ string) {
		for _, piece := range []string{": hello\n\n", "event: endpoint\ndata: ?sessionId=s\r\n", "\r", "\ndata: more\r\n\r\n"} {
			fmt.Fprint(w, piece)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
			}
		}
	}
	w := startSSE(t, nil, a)
	asked, know := make(chan struct{}), make(chan struct{})
	w.onBind(func() error { close(asked); <-know; return nil })
	knows := sync.OnceFunc(func() { close(know) })
	defer knows()
	f := w.openStream()
	require.Equal(t, ": hello\n", f.line())
	require.Equal(t, "\n", f.line())
	next <- struct{}{}
	require.Equal(t, "event: endpoint\n", f.line())
	require.Equal(t, "data: ?sessionId=s\r\n", f.line())
	next <- struct{}{}
	<-asked
	got := make(chan byte, 1)
	go func() { c, _ := f.lines.ReadByte(); got <- c }()
	select {
	case <-got:
		t.Fatal("the event is complete, and nobody knows its session")
	case <-time.After(50 * time.Millisecond):
	}
	knows()
	require.Equal(t, byte('\r'), <-got)
	f.id = "s"
	_, err := f.session()
	require.NoError(t, err)
	close(next)
	require.Equal(t, "\n", f.line())
	require.Equal(t, "data: more\r\n", f.line())
	require.Equal(t, "\r\n", f.line())
}

// TestSSEStreamIsUnchanged: whatever an instance sends, in whatever pieces.
func TestSSEStreamIsUnchanged(t *testing.T) {
	a := newStreamer("a")
	stream := "\ufeff: c\r\rid: 1\r\nevent: endpoint\r\ndata:  /m?x=1&sessionId=s \r\n\r\nevent: message\ndata: \x00\xff\n\n" + strings.Repeat("data: x\n\n", 5000)
	a.open = func(w http.ResponseWriter, _ *http.Request, _ string) {
		for i := range 100 {
			fmt.Fprint(w, stream[i:i+1])
			_ = http.NewResponseController(w).Flush()
		}
		fmt.Fprint(w, stream[100:])
	}
	w := startSSE(t, nil, a)
	f := w.openStream("Accept-Encoding", "gzip, br")
	read := make([]byte, len(stream))
	_, err := f.lines.Read(read[:0])
	require.NoError(t, err)
	for n := 0; n < len(read); {
		m, err := f.lines.Read(read[n:])
		require.NoError(t, err)
		n += m
	}
	require.Equal(t, stream, string(read))
	require.Equal(t, "identity", a.requests()[0].Header.Get("Accept-Encoding"))
	w.slots(1)
}

func TestSSESessionEndsWithItsStream(t *testing.T) {
	for name, end := range map[string]func(w *world, f *follower){
		"the client leaves":        func(_ *world, f *follower) { _ = f.res.Body.Close() },
		"the instance ends it":     func(_ *world, f *follower) { f.send("") },
		"Limpet is shut down":      func(w *world, _ *follower) { w.shutdown(0) },
		"the instance breaks down": func(w *world, _ *follower) { w.backs[0].CloseClientConnections() },
	} {
		t.Run(name, func(t *testing.T) {
			a := newStreamer("a")
			w := startSSE(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 1 }, a)
			f := w.follow()
			w.slots(1)
			end(w, f)
			w.slots(0)
			_, err := f.session()
			require.ErrorIs(t, err, sessions.ErrNotFound)
			require.Eventually(t, func() bool { return a.streaming() == 0 }, patience, time.Millisecond)
			if name != "Limpet is shut down" {
				f.send("x").failsMCP(t, "SessionNotFound", http.StatusNotFound)
				w.follow().asks("again")
			}
		})
	}
}

func TestSSEStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	w := startSSE(t, nil, newStreamer("a"))
	f, other := w.follow(), w.follow()
	s, err := f.session()
	require.NoError(t, err)
	_, err = w.table.End(t.Context(), s, false)
	require.NoError(t, err)
	f.ends()
	other.asks("still here")
}

func TestSSESessionIsInUseWhileItsStreamIsOpen(t *testing.T) {
	t.Parallel()
	w := startSSE(t, func(c *proxy.FunctionConfig) { c.Sessions.IdleTimeout = time.Second }, newStreamer("a"))
	f := w.follow()
	time.Sleep(3 * time.Second) // an idle timeout, its grace, and as much again
	f.asks("after the idle timeout")
}

func TestSSEWithoutAnID(t *testing.T) {
	w := startSSE(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 1 }, newStreamer("a"))
	post := func(path string) answer { return w.do(w.request(http.MethodPost, path, strings.NewReader("x"))) }
	post("/sse").failsMCP(t, "InvalidArgument", http.StatusBadRequest)
	post("/messages?sessionId=a&sessionId=b").failsMCP(t, "InvalidArgument", http.StatusBadRequest)
	post("/messages?sessionId=nobody").failsMCP(t, "SessionNotFound", http.StatusNotFound)
	require.Equal(t, http.StatusTeapot, post("/messages").StatusCode, "the instance's to refuse")
	for range 3 {
		a := w.do(w.request(http.MethodOptions, "/sse", nil))
		require.Equal(t, "a", a.body)
	}
	w.slots(0)
}

func TestSSEResponsesThatAreNoSession(t *testing.T) {
	for name, open := range map[string]http.HandlerFunc{
		"no event stream": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, "hi")
		},
		"refused": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, "hi")
		},
		"moved": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound); fmt.Fprint(w, "hi") },
	} {
		t.Run(name, func(t *testing.T) {
			a := newStreamer("a")
			a.open = func(w http.ResponseWriter, r *http.Request, _ string) {
				open(w, r)
				_ = http.NewResponseController(w).Flush()
			}
			w := startSSE(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 1 }, a)
			for range 2 {
				f := w.openStream()
				got := make([]byte, 2)
				_, err := f.lines.Read(got)
				require.NoError(t, err)
				require.Equal(t, "hi", string(got))
				w.slots(0)
			}
		})
	}
}

func TestSSEStreamsThatCannotBeFollowed(t *testing.T) {
	for name, stream := range map[string]string{
		"no parameter":    "event: endpoint\ndata: /messages\n\n",
		"an ill-formed":   "event: endpoint\ndata: ?sessionId=a%20b\n\n",
		"a long URI":      "event: endpoint\ndata: ?sessionId=a&" + strings.Repeat("x", 8192) + "\n\n",
		"no event at all": strings.Repeat(": ping\n\n", 10000),
	} {
		t.Run(name, func(t *testing.T) {
			a := newStreamer("a")
			a.open = func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprint(w, stream) }
			w := startSSE(t, nil, a)
			said := w.listen()
			w.broken()
			w.slots(0)
			require.Eventually(t, func() bool { return a.streaming() == 0 }, patience, time.Millisecond)
			require.Contains(t, said(), "the instance issued an unusable session ID")
		})
	}
}

func TestSSEStreamThatIsCompressed(t *testing.T) {
	a := newStreamer("a")
	a.open = func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, "event: endpoint\ndata: ?sessionId=a\n\n")
		_ = z.Flush()
	}
	w := startSSE(t, nil, a)
	w.do(w.request(http.MethodGet, "/sse", nil)).failsMCP(t, "BadGateway", http.StatusBadGateway)
	w.slots(0)
}

// TestSSEThatCannotBeBound: the client never gets the end of an event whose session nobody knows.
func TestSSEThatCannotBeBound(t *testing.T) {
	a := newStreamer("a")
	w := startSSE(t, nil, a)
	w.onBind(func() error { return sessions.ErrUnavailable })
	require.NotContains(t, w.broken(), "\n\n")
	w.slots(0)
	require.Eventually(t, func() bool { return a.streaming() == 0 }, patience, time.Millisecond)
	require.Empty(t, a.requests()[0].Header["Limpet-Session-Id"])
	for _, r := range a.requests() {
		require.Equal(t, http.MethodGet, r.Method, "the stream's end is what tells the instance")
	}
}

// TestSSETwoStreamsOfOneID: the second one is not the first's session.
func TestSSETwoStreamsOfOneID(t *testing.T) {
	a, b := newStreamer("a"), newStreamer("b")
	same := func(w http.ResponseWriter, _ *http.Request, _ string) {
		fmt.Fprint(w, "event: endpoint\ndata: ?sessionId=same\n\n")
	}
	a.open, b.open = same, same
	w := startSSE(t, nil, a, b)
	first := w.openStream()
	require.Equal(t, "event: endpoint\n", first.line())
	first.id = "same"
	require.Eventually(t, func() bool { _, err := first.session(); return err == nil }, patience, time.Millisecond)
	w.broken()
	_, err := first.session()
	require.NoError(t, err, "it has ended with no other's stream")
	w.slots(1)
}

// TestSSELostHome: its streams break, its sessions are not moved, and their clients begin anew elsewhere.
func TestSSELostHome(t *testing.T) {
	w := startSSE(t, nil, newStreamer("a"), newStreamer("b"))
	var lost, kept *follower
	for lost == nil || kept == nil {
		if f := w.follow(); f.home == "a" {
			lost = f
		} else {
			kept = f
		}
	}
	w.backs[0].CloseClientConnections()
	w.backs[0].Close()
	lost.ends()
	require.Eventually(t, func() bool { return len(w.pool.Candidates(0)) == 1 }, patience, time.Millisecond)
	lost.send("x").failsMCP(t, "SessionNotFound", http.StatusNotFound)
	kept.asks("nothing has happened here")
	again := w.follow()
	require.Equal(t, "b", again.home)
	again.asks("x")
}

// TestSSEClientThatLeavesBeforeTheEndpoint costs no slot.
func TestSSEClientThatLeavesBeforeTheEndpoint(t *testing.T) {
	a := newStreamer("a")
	a.open = func(w http.ResponseWriter, r *http.Request, _ string) {
		fmt.Fprint(w, ": wait\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	w := startSSE(t, nil, a)
	ctx, leave := context.WithCancel(t.Context())
	res, err := w.client().Do(w.request(http.MethodGet, "/sse", nil).WithContext(ctx))
	require.NoError(t, err)
	defer res.Body.Close()
	w.slots(1)
	leave()
	w.slots(0)
}
