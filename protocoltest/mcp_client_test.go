package protocoltest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// balancer sends requests to replicas of Limpet in turn, as a plain load balancer does, whatever session they are of. It is
// safe for concurrent use.
type balancer struct {
	http.RoundTripper

	mu   sync.Mutex
	turn int
	up   []string       // host:port of the replicas that take requests
	busy map[string]int // requests under way, but for GET streams, which do not end
}

func newBalancer(t *testing.T, up ...string) *balancer {
	// Limpet closes a connection that brings no request for limits.header_timeout: who sends must close it first.
	tr := &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: time.Second}
	t.Cleanup(tr.CloseIdleConnections)
	return &balancer{RoundTripper: tr, up: up, busy: map[string]int{}}
}

// RoundTrip sends a request to the next replica, and to another one where that says that it could not ask its Redis: on a
// machine that does much else a second may pass there.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	for tries := 0; ; tries++ {
		again := r.Clone(r.Context())
		if r.GetBody != nil {
			again.Body, _ = r.GetBody() // never fails: it is in memory
		}
		res, err := b.send(again)
		if err != nil || res.Header.Get("Limpet-Error") != "StoreUnavailable" || tries == 100 {
			return res, err
		}
		_ = res.Body.Close()
		time.Sleep(limpettest.Patience / 100)
	}
}

func (b *balancer) send(r *http.Request) (*http.Response, error) {
	addr, done := b.next(r.Method != http.MethodGet)
	r.URL.Host = addr
	res, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		done()
		return nil, err
	}
	res.Body = &answer{res.Body, done}
	return res, nil
}

func (b *balancer) next(counts bool) (addr string, done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	addr = b.up[b.turn%len(b.up)]
	if !counts {
		return addr, func() {}
	}
	b.busy[addr]++
	return addr, sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.busy[addr]--
	})
}

// answer is the body of a response that is under way until it is closed.
type answer struct {
	io.ReadCloser
	done func()
}

// Close closes the body.
func (c *answer) Close() error {
	defer c.done()
	return c.ReadCloser.Close()
}

// set says which replicas take requests from now on.
func (b *balancer) set(up ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = up
}

// idle says whether a replica's requests have all been answered.
func (b *balancer) idle(addr string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.busy[addr]; n > 0 {
		return fmt.Errorf("%d requests are under way at %s", n, addr)
	}
	return nil
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
