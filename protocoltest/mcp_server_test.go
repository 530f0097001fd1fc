package protocoltest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

// The paths of a toolServer: it answers a POST with JSON on the one, with a stream of events on the other. The third is the
// older transport's, HTTP+SSE.
const (
	jsonPath  = "/json"
	ssePath   = "/events"
	olderPath = "/sse"
)

// toolServer is an MCP server of the Go SDK, as a user would write it: it counts the calls of each session in its memory.
type toolServer struct {
	name string
	addr string
	http *http.Server

	mu     sync.Mutex
	counts map[*mcp.ServerSession]int
}

// tally is what the tool count answers.
type tally struct {
	Server string `json:"server"`
	Count  int    `json:"count"`
}

// startToolServer runs one until the end of the test.
func startToolServer(t *testing.T, name string) *toolServer {
	t.Helper()
	s := &toolServer{name: name, counts: map[*mcp.ServerSession]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.addr = l.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.Handle(jsonPath, s.handler(true))
	mux.Handle(ssePath, s.handler(false))
	mux.Handle(olderPath, mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s.server() }, nil))
	s.http = &http.Server{Handler: mux}
	go func() { _ = s.http.Serve(l) }()
	t.Cleanup(s.kill)
	return s
}

func (s *toolServer) handler(json bool) http.Handler {
	server := s.server()
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{
		JSONResponse: json, EventStore: mcp.NewMemoryEventStore(nil),
	})
}

func (s *toolServer) server() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: s.name, Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "count"}, s.count)
	return server
}

// count counts, and says so on the session's own stream too, which a GET has opened.
func (s *toolServer) count(_ context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, tally, error) {
	s.mu.Lock()
	s.counts[r.Session]++
	n := s.counts[r.Session]
	s.mu.Unlock()
	err := r.Session.NotifyProgress(context.Background(), &mcp.ProgressNotificationParams{ProgressToken: s.name, Progress: float64(n), Message: fmt.Sprint(s.name, " ", n)})
	return nil, tally{s.name, n}, err
}

// kill ends the server as a crash does: it listens no more, and its connections break.
func (s *toolServer) kill() { _ = s.http.Close() }
