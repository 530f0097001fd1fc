package load_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/sample"
)

// again returns a copy of the request, with its body, which stays where it was.
func again(r *http.Request) *http.Request {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err) // it is in memory
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	same := r.Clone(r.Context())
	same.Body = io.NopCloser(bytes.NewReader(body))
	return same
}

// crookedMCP answers each request with the same text, initialize with its own where there is one.
type crookedMCP struct {
	id, initialize, call string
	kind                 string
}

func (c crookedMCP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	text := c.call
	if bytes.Contains(body, []byte(`"initialize"`)) {
		w.Header().Set(mcpSession, c.id)
		text = c.initialize
	} else if bytes.Contains(body, []byte("notifications/")) {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", c.kind)
	_, id, _ := strings.Cut(string(body), `"id":`)
	id, _, _ = strings.Cut(id, ",")
	_, _ = fmt.Fprint(w, strings.ReplaceAll(text, "ID", id))
}

// What is no MCP server, or none with sessions, is told in words, and costs the load nothing else.
func TestMCPTargetsThatAreNone(t *testing.T) {
	t.Parallel()
	const begun = `{"jsonrpc":"2.0","id":ID,"result":{"protocolVersion":"2025-06-18"}}`
	for want, c := range map[string]crookedMCP{
		`initialize: no session: `: {},
		`initialize: the answer has no Mcp-Session-Id, or none of visible`:    {initialize: begun},
		`initialize: the answer has no Mcp-Session-Id, or none`:               {id: "a b", initialize: begun},
		`initialize: the server speaks MCP "2024-11-05", accepted are [2025-`: {id: "a", initialize: strings.Replace(begun, "2025-06-18", "2024-11-05", 1)},
		`initialize: no JSON-RPC answer: `:                                    {id: "a", initialize: "<html>"},
		`initialize: no JSON-RPC answer to this request`:                      {id: "a", initialize: strings.Replace(begun, "ID", "77777", 1)},
		`no JSON-RPC answer: unexpected`:                                      {id: "a", initialize: begun, call: "{"},
		`JSON-RPC error -32601: no`:                                           {id: "a", initialize: begun, call: `{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"no"}}`},
		`the tool's error: full`:                                              {id: "a", initialize: begun, call: `{"jsonrpc":"2.0","id":ID,"result":{"isError":true,"content":[{"type":"text","text":"full"}]}}`},
		`not an event stream that can be read`:                                {id: "a", initialize: begun, kind: "text/event-stream", call: "data: " + strings.Repeat("x", 100<<10)},
		`one of more than 64 KiB`:                                             {id: "a", initialize: begun, kind: "application/json", call: strings.Repeat(" ", 100<<10)},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			if c.kind == "text/event-stream" {
				c.initialize = "data: " + c.initialize + "\n\n"
			}
			p := mcpPlan(t, serve(t, c))
			p.Requests, p.Sessions, p.Connections = 20, 2, 2
			r, _ := doMCP(t, p)
			require.Equal(t, load.Unjudged, r.Verdict)
			require.Equal(t, 20, r.Requests.Failed)
			require.True(t, strings.HasPrefix(r.Why, "no request succeeded; the first failure: "), r.Why)
			if want != "initialize: no session: " {
				require.Contains(t, r.Why, want)
			}
		})
	}
}

func TestMCPPlansAreChecked(t *testing.T) {
	t.Parallel()
	url := serve(t, newSwitchboard(1, sample.Options{}))
	for want, spoil := range map[string]func(*load.Plan){
		"a body, where mcp":     func(p *load.Plan) { p.Body = []byte("x") },
		`method "PUT"`:          func(p *load.Plan) { p.Method = "PUT" },
		"sessions by cookie":    func(p *load.Plan) { p.Carrier, _ = load.ParseCarrier("cookie") },
		"the tool's arguments":  func(p *load.Plan) { p.Arguments = "[]" },
		"header Accept is":      func(p *load.Plan) { p.Header = http.Header{"accept": {"x"}} },
		"Content-Type is":       func(p *load.Plan) { p.Header = http.Header{"Content-Type": {"x"}} },
		"Mcp-Protocol-Version ": func(p *load.Plan) { p.Header = http.Header{"MCP-Protocol-Version": {"x"}} },
		"Mcp-Session-Id carries": func(p *load.Plan) {
			p.Header = http.Header{"Mcp-Session-Id": {"x"}}
		},
		"a tool is called by mcp only": func(p *load.Plan) {
			p.Protocol = load.HTTP
			p.Carrier, _ = load.ParseCarrier(load.DefaultCarrier)
			p.Tool = "x"
		},
	} {
		p := mcpPlan(t, url)
		spoil(&p)
		_, err := load.New(p)
		require.ErrorIs(t, err, load.ErrPlan, want)
		require.ErrorContains(t, err, want)
	}
	for _, text := range []string{"http", "mcp"} {
		p, err := load.ParseProtocol(text)
		require.NoError(t, err)
		require.Equal(t, text, p.String())
	}
	_, err := load.ParseProtocol("grpc")
	require.ErrorIs(t, err, load.ErrProtocol)
}
