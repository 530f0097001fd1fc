package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// streamer is an MCP server of the older transport, as far as a proxy sees one: a stream for each session, into which the
// answers to its messages go.
type streamer struct {
	name string
	// open, if not nil, writes what is in its place at the beginning of the stream of this ID.
	open func(w http.ResponseWriter, r *http.Request, id string)

	mu      sync.Mutex
	issued  int
	streams map[string]chan string
	seen    []*http.Request
}

func newStreamer(name string) *streamer {
	return &streamer{name: name, streams: map[string]chan string{}}
}

func (s *streamer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Instance", s.name)
	s.mu.Lock()
	s.seen = append(s.seen, r.Clone(r.Context()))
	s.mu.Unlock()
	switch {
	case r.Method == http.MethodPost:
		s.message(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/sse":
		s.stream(w, r)
	default:
		fmt.Fprint(w, s.name)
	}
}

func (s *streamer) stream(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.issued++
	id := fmt.Sprintf("{%s}/%d:~!", s.name, s.issued) // what a store or a path could stumble over
	messages := make(chan string)
	s.streams[id] = messages
	s.mu.Unlock()
	defer s.forget(id)
	w.Header().Set("Content-Type", "text/event-stream")
	if s.open != nil {
		s.open(w, r, id)
	} else {
		fmt.Fprintf(w, "event: endpoint\ndata: /messages?sessionId=%s\n\n", url.QueryEscape(id))
	}
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case m := <-messages:
			if m == "" {
				return
			}
			fmt.Fprintf(w, "event: message\ndata: %s\n\n", m)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (s *streamer) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, id)
}

// message answers in the stream; an empty message ends it.
func (s *streamer) message(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	stream := s.streams[r.URL.Query().Get("sessionId")]
	s.mu.Unlock()
	if stream == nil {
		http.Error(w, "no such session here", http.StatusTeapot)
		return
	}
	answer := ""
	if len(body) > 0 {
		answer = s.name + " " + string(body)
	}
	stream <- answer
	w.WriteHeader(http.StatusAccepted)
}

// requests returns those that came so far.
func (s *streamer) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.seen...)
}

func (s *streamer) streaming() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// startSSE runs a proxy before such servers. configure may be nil.
func startSSE(t *testing.T, configure func(*proxy.FunctionConfig), servers ...*streamer) *world {
	handlers := make([]http.Handler, 0, len(servers))
	for _, s := range servers {
		handlers = append(handlers, s)
	}
	return start(t, func(c *proxy.FunctionConfig) {
		c.Affinity.Type = sessions.AffinityMCPSSE
		if configure != nil {
			configure(c)
		}
	}, handlers...)
}

// follower is a client with an open stream.
type follower struct {
	w     *world
	res   *http.Response
	lines *bufio.Reader
	id    string
	home  string
}

// follow opens a stream, and reads its endpoint.
func (w *world) follow() *follower {
	w.t.Helper()
	f := w.openStream()
	require.Equal(w.t, "event: endpoint\n", f.line())
	uri, err := url.Parse(strings.TrimSpace(strings.TrimPrefix(f.line(), "data: ")))
	require.NoError(w.t, err)
	f.id = uri.Query().Get("sessionId")
	require.Equal(w.t, "\n", f.line())
	return f
}

// openStream opens a stream, and reads its head.
func (w *world) openStream(headers ...string) *follower {
	w.t.Helper()
	res, err := w.client().Do(w.request(http.MethodGet, "/sse", nil, headers...))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = res.Body.Close() })
	return &follower{w: w, res: res, lines: bufio.NewReader(res.Body), home: res.Header.Get("Instance")}
}

// broken opens a stream that is broken off, and returns what came of it: nothing, where it broke before its head was sent.
func (w *world) broken() string {
	w.t.Helper()
	res, err := w.client().Do(w.request(http.MethodGet, "/sse", nil))
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	require.Equal(w.t, http.StatusOK, res.StatusCode)
	body, err := io.ReadAll(res.Body)
	require.Error(w.t, err, "it does not end as if it were whole")
	return string(body)
}

func (f *follower) line() string {
	f.w.t.Helper()
	line, err := f.lines.ReadString('\n')
	require.NoError(f.w.t, err)
	return line
}

// send sends a message of the session, "" to have the server end its stream.
func (f *follower) send(message string) answer {
	f.w.t.Helper()
	return f.w.do(f.w.request(http.MethodPost, "/messages?sessionId="+url.QueryEscape(f.id), strings.NewReader(message)))
}

// asks sends a message, and expects its answer in the stream.
func (f *follower) asks(message string) {
	f.w.t.Helper()
	require.Equal(f.w.t, http.StatusAccepted, f.send(message).StatusCode)
	require.Equal(f.w.t, "event: message\n", f.line())
	require.Equal(f.w.t, "data: "+f.home+" "+message+"\n", f.line())
	require.Equal(f.w.t, "\n", f.line())
}

// ends waits for the end of the stream.
func (f *follower) ends() {
	f.w.t.Helper()
	for {
		if _, err := f.lines.ReadString('\n'); err != nil {
			return
		}
	}
}

// session is what the store knows of the session, and whether it is there.
func (f *follower) session() (sessions.Session, error) {
	return f.w.store.Get(f.w.t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: f.id})
}
