package load_test

import (
	"bytes"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/sample"
)

const mcpSession = "Mcp-Session-Id"

// switchboard is a proxy and its MCP instances in one process: each session is sent home, which is where its initialize
// was sent in turn, and what a test wants goes wrong. Its fields are set before it serves.
type switchboard struct {
	instances []*sample.Server
	begun     atomic.Int64
	calls     atomic.Int64
	// before, if there, may take a request over, and returns true if it did. call counts tools/call from 1; it is 0 for others.
	before func(w http.ResponseWriter, r *http.Request, call int64) bool
	// route, if there, may choose another instance than the session's own, -1 for one that has just been begun.
	route func(r *http.Request, own int, call int64) int

	mu    sync.Mutex
	homes map[string]int
}

func newSwitchboard(n int, o sample.Options) *switchboard {
	b := &switchboard{homes: map[string]int{}}
	for i := range n {
		o.Name = "i" + strconv.Itoa(i)
		b.instances = append(b.instances, sample.New(o))
	}
	return b
}

// ServeHTTP passes the request to an instance. The client has no answer before this returns: it is short.
func (b *switchboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	call := int64(0)
	if bytes.Contains(body, []byte(`"tools/call"`)) {
		call = b.calls.Add(1)
	}
	if b.before != nil && b.before(w, r, call) {
		return
	}
	to := b.home(r)
	if b.route != nil {
		to = b.route(r, to, call)
	}
	if to < 0 {
		to = int(b.begun.Add(1)) % len(b.instances)
	}
	b.instances[to].ServeHTTP(w, r)
	if id := w.Header().Get(mcpSession); id != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.homes[id] = to
	}
}

// home is where a request's session is at home; -1: it has none yet.
func (b *switchboard) home(r *http.Request) int {
	id := r.Header.Get(mcpSession)
	if id == "" {
		return -1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.homes[id]
}

// alive is how many sessions the instances remember.
func (b *switchboard) alive() (n int) {
	for _, i := range b.instances {
		n += i.Sessions()
	}
	return n
}

// hashed is where a session-blind hash of the ID sends a request: all without one to the same instance.
func hashed(r *http.Request, of int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.Header.Get(mcpSession)))
	return int(h.Sum32()) % of
}

// mcpCalls are in each load by MCP, unless its test says otherwise.
const mcpCalls = 800

// mcpPlan is a closed load of few MCP sessions at the URLs.
func mcpPlan(t testing.TB, urls ...string) load.Plan {
	t.Helper()
	for i := range urls {
		urls[i] += sample.MCPPath
	}
	p := plan(t, urls...)
	p.Carrier, p.Protocol, p.Requests = load.Carrier{}, load.MCP, mcpCalls
	return p
}

// doMCP carries out a plan, and looks for what is true of every report by MCP.
func doMCP(t testing.TB, p load.Plan) (load.Report, load.MCPUse) {
	t.Helper()
	r := do(t, p)
	require.NotNil(t, r.MCP)
	m := *r.MCP
	require.Equal(t, "mcp", r.Load.Protocol)
	require.LessOrEqual(t, m.Misrouted+m.Unexplained, m.Unknown)
	require.LessOrEqual(t, m.Misrouted, r.Affinity.Misroutes)
	require.LessOrEqual(t, m.Reinitialized, m.Unknown)
	require.EqualValues(t, m.Initialized, m.Initialize.Count)
	unknown := 0
	for _, moment := range r.Timeline {
		unknown += moment.Unknown
	}
	require.Equal(t, m.Unknown, unknown)
	return r, m
}
