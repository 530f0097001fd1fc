package protocoltest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

// balancer sends requests to replicas of Limpet in turn, as a plain load balancer does, whatever session they are of. It is
// safe for concurrent use.
type balancer struct {
	http.RoundTripper
	turn atomic.Uint64
	mu   sync.Mutex
	up   []string // host:port of the replicas that take requests
}

func newBalancer(t *testing.T, up ...string) *balancer {
	// Limpet closes a connection that brings no request for limits.header_timeout: who sends must close it first.
	tr := &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: time.Second}
	t.Cleanup(tr.CloseIdleConnections)
	return &balancer{RoundTripper: tr, up: up}
}

// RoundTrip sends a request to the next replica.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	addr := b.up[b.turn.Add(1)%uint64(len(b.up))]
	b.mu.Unlock()
	r = r.Clone(r.Context())
	r.URL.Host = addr
	return b.RoundTripper.RoundTrip(r)
}

// set says which replicas take requests from now on.
func (b *balancer) set(up ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = up
}

// agent is an unmodified MCP client that calls a tool which counts.
type agent struct {
	t       *testing.T
	path    string
	through *balancer

	session *mcp.ClientSession
	home    string // the server that answers
	count   int    // of its session
	begun   int    // sessions

	mu    sync.Mutex
	heard []string // notifications of this session
}

// connect begins a session.
func (a *agent) connect(ctx context.Context) error {
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.heard = append(a.heard, r.Params.Message)
		},
	})
	session, err := client.Connect(ctx, a.transport(), nil)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.session, a.home, a.count, a.heard = session, "", 0, nil
	a.begun++
	return nil
}

func (a *agent) transport() mcp.Transport {
	endpoint, through := "http://127.0.0.1"+a.path, &http.Client{Transport: a.through}
	if a.path == olderPath {
		return &mcp.SSEClientTransport{Endpoint: endpoint, HTTPClient: through}
	}
	return &mcp.StreamableClientTransport{Endpoint: endpoint, HTTPClient: through}
}

// call calls the tool, and checks that the answer is the next one of this session, from its one server.
func (a *agent) call(ctx context.Context) error {
	res, err := a.session.CallTool(ctx, &mcp.CallToolParams{Name: "count", Arguments: map[string]any{}})
	if err != nil {
		return err
	}
	text, err := json.Marshal(res.StructuredContent)
	require.NoError(a.t, err)
	var said tally
	require.NoError(a.t, json.Unmarshal(text, &said))
	if a.home == "" {
		a.home = said.Server
	}
	a.count++
	require.Equal(a.t, tally{a.home, a.count}, said, "a call reached another server, or another session")
	return nil
}

// notifications are those heard so far.
func (a *agent) notifications() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.heard...)
}
