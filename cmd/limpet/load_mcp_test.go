package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/sample"
)

func TestLoadByMCP(t *testing.T) {
	t.Parallel()
	inst := startSample(t, "--name", "a")
	page := filepath.Join(t.TempDir(), "report.html")
	status, stdout, stderr := run(t, "load", inst.listen+"/mcp", "--protocol", "mcp", "-n", "300", "-s", "10", "--session-requests", "10",
		"-q", "--report", page)
	require.Zero(t, status, stderr)
	require.Regexp(t, `(?m)^PROVEN: 0 misroutes, 0 lost states and 0 overcounts in 3\d\d judged responses of \d\d sessions$`, stdout)
	require.Regexp(t, `(?m)^mcp +\d\d initialized, 0 of them again, 0 refused; \d\d deleted, 0 not$`, stdout)
	require.Regexp(t, `(?m)^ +initialize: p50 \S+ ms  p99 \S+ ms  max \S+ ms; 2025-11-25$`, stdout)
	require.NotContains(t, stdout, "unknown (404)")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "MCP 2025-11-25")
	require.Contains(t, string(text), "Unknown sessions")
}

// A proxy that takes its instances in turn sends a session where nobody knows it.
func TestLoadByMCPFindsABlindProxy(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	instances := [4]*sample.Server{}
	for i, name := range []string{"a", "b", "c", "d"} {
		instances[i] = sample.New(sample.Options{Name: name})
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		instances[n.Add(1)%4].ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	status, stdout, stderr := run(t, "load", s.URL+"/mcp", "--protocol", "mcp", "-n", "300", "-s", "10", "-q")
	require.Equal(t, 1, status)
	require.Regexp(t, `^limpet: \d+ misroutes, 0 lost states and 0 overcounts in \d+ judged responses\n$`, stderr)
	require.Regexp(t, `(?m)^ +\d+ times unknown \(404\), \d+ of them misroutes, 0 in doubt$`, stdout)
	require.Regexp(t, `(?m)^ +expected: from [a-d]$`, stdout)
	require.Regexp(t, `(?m)^ +\d+ +notifications/initialized: status 404$`, stdout)
	require.Regexp(t, `such as: .*Session not found: [a-d] does not know it`, stdout)
}

func TestLoadByMCPRefusesWhatItHasNoUseFor(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`limpet: --protocol: not a protocol: "x", accepted are http and mcp`:                                   {"--protocol", "x"},
		`limpet: the load cannot be made so: sessions by cookie, where those of mcp are by given:`:             {"--protocol", "mcp", "--session", "cookie"},
		`limpet: the load cannot be made so: method "PUT", where calls of mcp are by POST`:                     {"--protocol", "mcp", "-X", "PUT"},
		`limpet: the load cannot be made so: a body, where mcp makes its own`:                                  {"--protocol", "mcp", "--body", "x"},
		`limpet: the load cannot be made so: the tool's arguments: not a JSON object: "x", accepted is an obj`: {"--protocol", "mcp", "--arguments", "x"},
		`limpet: the load cannot be made so: a tool is called by mcp only`:                                     {"--tool", "x"},
	} {
		status, _, stderr := run(t, append([]string{"load", "http://127.0.0.1:1/"}, args...)...)
		require.Equal(t, 2, status)
		require.Contains(t, stderr, want)
	}
}

// What an instance does in its tool's place is told, and the tool can be another.
func TestLoadByMCPCallsATool(t *testing.T) {
	t.Parallel()
	inst := startSample(t)
	for tool, want := range map[string]int{"count": 0, "nonesuch": 2} {
		p := start(t, "load", inst.listen+"/mcp", "--protocol", "mcp", "--tool", tool, "--arguments", `{"notify": false}`, "-n", "50", "-o", "json", "-q")
		require.Equal(t, want, p.exit())
		var r load.Report
		require.NoError(t, json.Unmarshal([]byte(p.stdout.String()), &r))
		require.Equal(t, []string{"mcp", tool}, []string{r.Load.Protocol, r.Load.Tool})
		if want != 0 {
			require.Equal(t, "JSON-RPC error -32602", r.Failures[0].Reason)
		}
	}
}
