package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// tools is an MCP server as far as a proxy sees one: it names its sessions, counts the requests of each, and knows no other.
type tools struct {
	name string
	// initialize, if not nil, answers a POST without an ID in its place; id is the one that it would have issued.
	initialize func(w http.ResponseWriter, r *http.Request, id string)
	// other, if not nil, answers requests of a session.
	other http.HandlerFunc

	mu     sync.Mutex
	issued int
	counts map[string]int
	seen   []*http.Request
}

func newTools(name string) *tools { return &tools{name: name, counts: map[string]int{}} }

func (s *tools) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Instance", s.name)
	id := r.Header.Get("Mcp-Session-Id")
	n, known := s.count(r, id)
	switch {
	case r.Method == http.MethodPost && id == "":
		id = s.issue()
		if s.initialize != nil {
			s.initialize(w, r, id)
			return
		}
		w.Header().Set("Mcp-Session-Id", id)
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	case s.other != nil:
		s.other(w, r)
	case id == "":
		w.WriteHeader(http.StatusNoContent)
	case !known:
		http.Error(w, "session not found", http.StatusNotFound)
	case r.Method == http.MethodDelete:
		s.forget(id)
		w.WriteHeader(http.StatusNoContent)
	default:
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %d", s.name, n)
	}
}

func (s *tools) issue() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued++
	id := fmt.Sprintf("{%s}/%d:~!", s.name, s.issued) // what a store or a path could stumble over
	s.counts[id] = 0
	return id
}

func (s *tools) count(r *http.Request, id string) (n int, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Clone(r.Context()))
	if _, known = s.counts[id]; known {
		s.counts[id]++
	}
	return s.counts[id], known
}

func (s *tools) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.counts, id)
}

// requests returns those that came so far.
func (s *tools) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.seen...)
}

func mcpFunction(c *proxy.FunctionConfig) {
	c.Affinity.Type, c.Affinity.Header = sessions.AffinityMCPStreamable, affinity.MCPHeader
}

// startMCP runs a proxy before MCP servers. configure may be nil.
func startMCP(t *testing.T, configure func(*proxy.FunctionConfig), servers ...*tools) *world {
	handlers := make([]http.Handler, 0, len(servers))
	for _, s := range servers {
		handlers = append(handlers, s)
	}
	return start(t, func(c *proxy.FunctionConfig) {
		mcpFunction(c)
		c.Instances.Health = &instances.HealthConfig{Path: "/healthz", Interval: c.Instances.Health.Interval, Timeout: c.Instances.Health.Timeout, Failures: 3, Successes: 1}
		if configure != nil {
			configure(c)
		}
	}, handlers...)
}

// mcp sends a request of a session, or of none.
func (w *world) mcp(method, id string, headers ...string) answer {
	w.t.Helper()
	if id != "" {
		headers = append(headers, "Mcp-Session-Id", id)
	}
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"x"}`)
	}
	return w.do(w.request(method, "/mcp", body, headers...))
}

// initialize begins a session.
func (w *world) initialize() (id string, a answer) {
	w.t.Helper()
	a = w.mcp(http.MethodPost, "")
	require.Equal(w.t, http.StatusOK, a.StatusCode, a.body)
	require.Len(w.t, a.Header["Mcp-Session-Id"], 1)
	return a.Header.Get("Mcp-Session-Id"), a
}

// failsMCP checks that a is Limpet's own answer, of this code and status, and an error of JSON-RPC.
func (a answer) failsMCP(t *testing.T, code string, status int) {
	t.Helper()
	a.fails(t, code, status)
	var body struct {
		Version string `json:"jsonrpc"`
		ID      *int   `json:"id"`
		Error   struct {
			Code    int
			Message string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &body), a.body)
	require.Contains(t, a.body, `"id":null`)
	require.Equal(t, "2.0", body.Version)
	require.Negative(t, body.Error.Code)
	require.Equal(t, status == http.StatusNotFound, body.Error.Code == -32001, a.body)
	require.NotEmpty(t, body.Error.Message)
	require.NotContains(t, a.Header, "Mcp-Session-Id")
}

// slots waits until so many slots are taken: a slot may be given back a moment after the answer.
func (w *world) slots(want int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		sum := 0
		for _, n := range w.sessionCounts() {
			sum += n
		}
		return sum == want
	}, patience, patience/1000, "slots taken: %v", w.sessionCounts())
}
