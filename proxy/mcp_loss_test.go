package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sample"
	"github.com/limpet-proxy/limpet/sessions"
)

// TestMCPLossEndsTheSession: whatever first notices it, its client is told by a 404, nobody else is, and no request of it
// reaches another instance.
func TestMCPLossEndsTheSession(t *testing.T) {
	for name, configure := range map[string]func(*proxy.FunctionConfig){"a probe": nil, "a dial": slowProbes} {
		t.Run(name, func(t *testing.T) {
			a, b := newTools("a"), newTools("b")
			w := startMCP(t, configure, a, b).noKeepAlive()
			ids := map[string]string{}
			for range 2 {
				id, first := w.initialize()
				ids[first.Header.Get("Instance")] = id
			}
			w.kill("a")
			if configure == nil {
				require.Eventually(t, func() bool { return len(w.pool.Candidates(0)) == 1 }, patience, time.Millisecond)
			}
			before := len(b.requests())
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
				w.mcp(method, ids["a"]).failsMCP(t, "SessionNotFound", http.StatusNotFound)
			}
			require.Len(t, b.requests(), before, "b knows nothing of it")
			for n := range 3 {
				require.Equal(t, fmt.Sprint("b ", n+1), w.mcp(http.MethodPost, ids["b"]).body)
				_, fresh := w.initialize()
				require.Equal(t, "b", fresh.Header.Get("Instance"))
			}
		})
	}
}

func TestMCPInitializeFindsALiveInstance(t *testing.T) {
	a, b := newTools("a"), newTools("b")
	w := startMCP(t, slowProbes, a, b).noKeepAlive()
	w.kill("a")
	for range 4 {
		_, res := w.initialize()
		require.Equal(t, "b", res.Header.Get("Instance"))
		require.Equal(t, "created", res.Header.Get("Limpet-Session-Event"))
	}
	w.slots(4)
}

// TestMCPLossFails: with on_instance_loss fail the home has its time to come back.
func TestMCPLossFails(t *testing.T) {
	a, b := newTools("a"), newTools("b")
	w := startMCP(t, func(c *proxy.FunctionConfig) {
		c.OnInstanceLoss, c.LossGrace = sessions.LossFail, 300*time.Millisecond
	}, a, b).noKeepAlive()
	id, first := w.initialize()
	w.kill(first.Header.Get("Instance"))
	waited := false
	require.Eventually(t, func() bool {
		res := w.mcp(http.MethodPost, id)
		if res.StatusCode == http.StatusServiceUnavailable {
			waited = true
			res.failsMCP(t, "InstanceUnavailable", http.StatusServiceUnavailable)
			return false
		}
		res.failsMCP(t, "SessionNotFound", http.StatusNotFound)
		return true
	}, patience, 10*time.Millisecond)
	require.True(t, waited)
}

// TestMCPRestartedInstance: a program that has never heard of the session gets no request of it. Those without a session are
// any program's.
func TestMCPRestartedInstance(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { mcpFunction(c); slowProbes(c) }, sample.New(sample.Options{Name: "a"}))
	w.bindAs("s")
	require.Equal(t, 1, w.mcp(http.MethodPost, "s").counted(t).Count)
	w.reborn(0, sample.New(sample.Options{Name: "a"}))
	require.Equal(t, http.StatusOK, w.mcp(http.MethodOptions, "").StatusCode)
	w.mcp(http.MethodPost, "s").failsMCP(t, "SessionNotFound", http.StatusNotFound)
	w.slots(0)
}

// bindAs makes a session of this ID without an instance that issues it.
func (w *world) bindAs(id string) {
	w.t.Helper()
	use, err := w.table.Reserve(w.t.Context())
	require.NoError(w.t, err)
	require.NoError(w.t, use.Bind(w.t.Context(), id))
	use.Release()
}

func TestMCPDrainedInstance(t *testing.T) {
	a, b := newTools("a"), newTools("b")
	w := startMCP(t, nil, a, b)
	id, first := w.initialize()
	home := first.Header.Get("Instance")
	w.mark(home, true, time.Hour)
	require.Equal(t, home+" 1", w.mcp(http.MethodPost, id).body, "it stays until the deadline")
	for range 2 {
		_, fresh := w.initialize()
		require.NotEqual(t, home, fresh.Header.Get("Instance"))
	}
	w.mark(home, true, 0)
	w.mcp(http.MethodPost, id).failsMCP(t, "SessionNotFound", http.StatusNotFound)
}

// TestMCPWithIsolation: the answer that ends the session is not cut by its end, and no request without a session gets into
// an instance that is one session's alone.
func TestMCPWithIsolation(t *testing.T) {
	a, b := newTools("a"), newTools("b")
	w := startMCP(t, func(c *proxy.FunctionConfig) { c.Sessions.Isolation, c.Sessions.PerInstance = true, 1 }, a, b)
	id, _ := w.initialize()
	w.mcp(http.MethodPost, "", "Mcp-Protocol-Version", "2026-07-28").failsMCP(t, "InvalidArgument", http.StatusBadRequest)
	require.Equal(t, http.StatusNoContent, w.mcp(http.MethodOptions, "").StatusCode)
	long := strings.Repeat("x", 4<<20)
	for _, s := range []*tools{a, b} {
		s.other = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, long) }
	}
	require.Len(t, w.mcp(http.MethodDelete, id).body, len(long))
	w.mcp(http.MethodPost, id).failsMCP(t, "SessionNotFound", http.StatusNotFound)
	w.initialize()
	w.mcp(http.MethodPost, "").failsMCP(t, "NoCapacity", http.StatusServiceUnavailable)
}

// TestMCPStreamIsCutWithItsSession: also one that began before there was a session.
func TestMCPStreamIsCutWithItsSession(t *testing.T) {
	a := newTools("a")
	a.initialize = func(w http.ResponseWriter, r *http.Request, id string) {
		w.Header().Set("Mcp-Session-Id", id)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	w := startMCP(t, func(c *proxy.FunctionConfig) { c.Sessions.Isolation, c.Sessions.PerInstance = true, 1 }, a)
	res, err := w.client().Do(w.request(http.MethodPost, "/mcp", strings.NewReader("{}")))
	require.NoError(t, err)
	defer res.Body.Close()
	w.endAll()
	w.idle()
}

// TestMCPOnAgentCoresRuntime: the MCP session says where the state is; AgentCore's own ID passes.
func TestMCPOnAgentCoresRuntime(t *testing.T) {
	a, b, c := newTools("a"), newTools("b"), newTools("c")
	w := startMCP(t, func(cfg *proxy.FunctionConfig) { cfg.Invoke = true }, a, b, c)
	for n := range 3 {
		first := w.post(runtimePath, "{}", runtimeHeader, fmt.Sprint("made up by the SDK ", n))
		id, home := first.Header.Get(affinity.MCPHeader), first.Header.Get("Instance")
		require.NotEmpty(t, id, first.body)
		for i := range 4 {
			next := w.post(runtimePath, "{}", runtimeHeader, fmt.Sprint("another ", n, i), affinity.MCPHeader, id)
			require.Equal(t, fmt.Sprint(home, " ", i+1), next.body)
		}
		require.Equal(t, http.StatusOK, w.mcp(http.MethodPost, id).StatusCode, "the same session on its own path")
	}
	w.post(runtimePath, "{}", affinity.MCPHeader, "unknown").saysAWS(t, "SessionNotFound", "ResourceNotFoundException", http.StatusNotFound)
	require.Regexp(t, "^(made up|another)", a.requests()[0].Header.Get(runtimeHeader))
}
