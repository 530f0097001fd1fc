package sample_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sample"
)

// rpc is what a JSON-RPC answer may have.
type rpc struct {
	status  int
	header  http.Header
	JSONRPC string
	ID      json.RawMessage
	Method  string
	Params  struct{ Data sample.Answer }
	Error   *struct {
		Code    int
		Message string
		Data    struct{ Supported []string }
	}
	Result struct {
		ProtocolVersion   string
		Tools             []struct{ Name string }
		StructuredContent sample.Answer
		Content           []struct{ Type, Text string }
	}
}

// mcp sends a request to an MCP server, with headers in pairs.
func mcp(t *testing.T, method, url, body string, headers ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a stream that does not end fails the test
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func post(t *testing.T, url, body string, headers ...string) (a rpc) {
	t.Helper()
	res := mcp(t, http.MethodPost, url, body, headers...)
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	if len(text) > 0 {
		require.NoError(t, json.Unmarshal(text, &a), "%s", text)
		require.Equal(t, "2.0", a.JSONRPC)
	}
	a.status, a.header = res.StatusCode, res.Header
	return a
}

// initialize begins a session and returns its ID.
func initialize(t *testing.T, url string) string {
	t.Helper()
	a := post(t, url, `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18"}}`)
	require.Equal(t, http.StatusOK, a.status)
	require.Equal(t, `"i"`, string(a.ID))
	require.Equal(t, "2025-06-18", a.Result.ProtocolVersion)
	require.Equal(t, []string{"0", "one"}, []string{a.header.Get(sample.CountHeader), a.header.Get(sample.InstanceHeader)})
	id := a.header.Get("Mcp-Session-Id")
	require.NotEmpty(t, id)
	require.Equal(t, http.StatusAccepted, post(t, url, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, "Mcp-Session-Id", id).status)
	return id
}

const countCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"count"}}`

func TestMCPCountsEachSession(t *testing.T) {
	s := start(t, sample.Options{Name: "one", Start: "nonce"})
	url := s.URL() + sample.MCPPath
	a, b := initialize(t, url), initialize(t, url)
	require.NotEqual(t, a, b)
	for want := 1; want <= 3; want++ {
		got := post(t, url, countCall, "Mcp-Session-Id", a, sample.SessionEpochHeader, "5", "Mcp-Protocol-Version", "2025-06-18")
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "7", string(got.ID))
		require.Equal(t, fmt.Sprint(want), got.header.Get(sample.CountHeader))
		require.Equal(t, sample.Answer{Instance: "one", Session: a, Count: want, Start: "nonce", Epoch: "5"}, got.Result.StructuredContent)
		var text sample.Answer
		require.NoError(t, json.Unmarshal([]byte(got.Result.Content[0].Text), &text))
		require.Equal(t, got.Result.StructuredContent, text)
	}
	require.Equal(t, 1, post(t, url, countCall, "Mcp-Session-Id", b).Result.StructuredContent.Count)
	require.Equal(t, http.StatusOK, post(t, url, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, "Mcp-Session-Id", b).status)
	require.Equal(t, sample.MCPTool, post(t, url, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, "Mcp-Session-Id", b).Result.Tools[0].Name)
	require.Equal(t, 2, s.Sessions())
	require.Equal(t, http.StatusNoContent, mcp(t, http.MethodDelete, url, "", "Mcp-Session-Id", a).StatusCode)
	require.Equal(t, http.StatusNotFound, mcp(t, http.MethodDelete, url, "", "Mcp-Session-Id", a).StatusCode)
	require.Equal(t, 404, post(t, url, countCall, "Mcp-Session-Id", a).status)
	require.Equal(t, 1, s.Sessions())
}

func TestMCPVersions(t *testing.T) {
	s := start(t, sample.Options{Name: "one"})
	for asked, want := range map[string]string{
		"2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18", "2025-11-25": "2025-11-25",
		"2024-11-05": "2025-11-25", "2026-07-28": "2025-11-25", "": "2025-11-25",
	} {
		a := post(t, s.URL()+"/mcp", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"`+asked+`"}}`)
		require.Equal(t, want, a.Result.ProtocolVersion, asked)
	}
	a := post(t, s.URL()+"/mcp", `{"jsonrpc":"2.0","id":1,"method":"server/discover"}`, "Mcp-Protocol-Version", "2026-07-28")
	require.Equal(t, []any{400, -32022}, []any{a.status, a.Error.Code})
	require.Equal(t, []string{"2025-11-25", "2025-06-18", "2025-03-26"}, a.Error.Data.Supported)
}

func TestMCPRefusals(t *testing.T) {
	s := start(t, sample.Options{Name: "one", MaxMemory: 4096})
	url := s.URL() + "/mcp"
	id := initialize(t, url)
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		code    int
	}{
		"no session":      {countCall, nil, 400, -32000},
		"unknown session": {countCall, []string{"Mcp-Session-Id", "nonesuch"}, 404, -32001},
		"unknown told":    {`{"jsonrpc":"2.0","method":"notifications/initialized"}`, []string{"Mcp-Session-Id", "nonesuch"}, 404, -32001},
		"no JSON":         {`{"jsonrpc"`, nil, 400, -32700},
		"a batch":         {`[` + countCall + `]`, nil, 400, -32600},
		"another JSON":    {`{"jsonrpc":"1.0","id":1,"method":"ping"}`, nil, 400, -32600},
		"an odd ID":       {`{"jsonrpc":"2.0","id":{},"method":"ping"}`, nil, 400, -32600},
		"a null ID":       {`{"jsonrpc":"2.0","id":null,"method":"initialize"}`, nil, 400, -32600},
		"odd parameters":  {`{"jsonrpc":"2.0","id":1,"method":"initialize","params":[]}`, nil, 400, -32602},
		"no method":       {`{"jsonrpc":"2.0","id":1,"method":"nonesuch"}`, []string{"Mcp-Session-Id", id}, 200, -32601},
		"no tool":         {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}`, []string{"Mcp-Session-Id", id}, 200, -32602},
		"odd arguments":   {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":1}}`, []string{"Mcp-Session-Id", id}, 200, -32602},
		"too long":        {strings.Repeat(" ", sample.MaxMCPMessage+1), nil, 413, -32000},
		"a page's script": {countCall, []string{"Origin", "http://example.com"}, 403, -32000},
	} {
		t.Run(name, func(t *testing.T) {
			a := post(t, url, c.body, c.headers...)
			require.NotNil(t, a.Error)
			require.Equal(t, []int{c.status, c.code}, []int{a.status, a.Error.Code}, a.Error.Message)
			require.NotEmpty(t, a.Error.Message)
			require.Equal(t, "one", a.header.Get(sample.InstanceHeader))
		})
	}
	require.Equal(t, 507, post(t, url+"?grow=5000", countCall, "Mcp-Session-Id", id).status)
	require.Equal(t, 405, mcp(t, http.MethodPut, url, "").StatusCode)
	require.Equal(t, 400, mcp(t, http.MethodGet, url, "").StatusCode)
	require.Equal(t, 404, mcp(t, http.MethodGet, url, "", "Mcp-Session-Id", "nonesuch").StatusCode)
	require.Equal(t, 202, post(t, url, `{"jsonrpc":"2.0","id":1,"result":{}}`, "Mcp-Session-Id", id).status, "an answer to nobody's question")
	require.Equal(t, 1, post(t, url, countCall, "Mcp-Session-Id", id).Result.StructuredContent.Count, "none of these has counted")
}

// events reads server-sent events of one data line each.
type events struct {
	t *testing.T
	*bufio.Scanner
}

func (e events) next() (a rpc) {
	e.t.Helper()
	for e.Scan() {
		if data, ok := strings.CutPrefix(e.Text(), "data: "); ok {
			require.NoError(e.t, json.Unmarshal([]byte(data), &a))
			return a
		}
	}
	require.FailNow(e.t, "the stream has ended", e.Err())
	return a
}

func TestMCPAnswersInEvents(t *testing.T) {
	s := start(t, sample.Options{Name: "one"})
	url := s.URL() + "/mcp"
	id := initialize(t, url)
	res := mcp(t, http.MethodPost, url+"?stream=3&interval=0s", countCall, "Mcp-Session-Id", id)
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	require.Equal(t, "1", res.Header.Get(sample.CountHeader))
	in := events{t, bufio.NewScanner(res.Body)}
	for n := 1; n <= 2; n++ {
		e := in.next()
		require.Equal(t, "notifications/message", e.Method)
		require.Equal(t, []int{n, 3, 1}, []int{e.Params.Data.N, e.Params.Data.Of, e.Params.Data.Count})
	}
	last := in.next()
	require.Equal(t, "7", string(last.ID))
	require.Equal(t, 1, last.Result.StructuredContent.Count)
	require.False(t, in.Scan() && in.Text() != "", "nothing follows")
}

const notifyCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"count","arguments":{"notify":true}}}`

func TestMCPNotifiesOnItsStream(t *testing.T) {
	s := start(t, sample.Options{Name: "one"})
	url := s.URL() + "/mcp"
	id := initialize(t, url)
	require.Equal(t, 200, post(t, url, notifyCall, "Mcp-Session-Id", id).status, "without a stream it is lost")
	res := mcp(t, http.MethodGet, url, "", "Mcp-Session-Id", id)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, http.StatusConflict, mcp(t, http.MethodGet, url, "", "Mcp-Session-Id", id).StatusCode)
	require.Equal(t, 200, post(t, url, notifyCall, "Mcp-Session-Id", id).status)
	in := events{t, bufio.NewScanner(res.Body)}
	require.Equal(t, 2, in.next().Params.Data.Count)
	require.Equal(t, http.StatusNoContent, mcp(t, http.MethodDelete, url, "", "Mcp-Session-Id", id).StatusCode)
	for in.Scan() {
		require.Empty(t, in.Text())
	}
	require.NoError(t, in.Err(), "it ends with the session")
}

// However a session ends, its stream ends too: with one that is used later, with the program's memory, with the program.
func TestMCPStreamsEndWithTheirSessions(t *testing.T) {
	for name, end := range map[string]func(s *sample.Running, url string){
		"forgotten": func(_ *sample.Running, url string) { initialize(t, url) },
		"restarted": func(s *sample.Running, _ string) { s.Restart() },
		"shut down": func(s *sample.Running, _ string) { require.NoError(t, s.Shutdown(t.Context())) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, sample.Options{Name: "one", MaxSessions: 1})
			url := s.URL() + "/mcp"
			id := initialize(t, url)
			res := mcp(t, http.MethodGet, url, "", "Mcp-Session-Id", id)
			end(s, url)
			_, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			if name != "shut down" {
				require.Equal(t, 404, post(t, url, countCall, "Mcp-Session-Id", id).status)
			}
		})
	}
}

// A client that goes away leaves room for another stream.
func TestMCPStreamsFreeTheirPlace(t *testing.T) {
	s := start(t, sample.Options{Name: "one"})
	url := s.URL() + "/mcp"
	id := initialize(t, url)
	res := mcp(t, http.MethodGet, url, "", "Mcp-Session-Id", id)
	require.NoError(t, res.Body.Close())
	require.Eventually(t, func() bool {
		return mcp(t, http.MethodGet, url, "", "Mcp-Session-Id", id).StatusCode == http.StatusOK
	}, 20*time.Second, 5*time.Millisecond)
}

func TestMCPGrowsAndForgets(t *testing.T) {
	s := start(t, sample.Options{Name: "one", MaxSessions: 2})
	url := s.URL() + "/mcp"
	a, b := initialize(t, url), initialize(t, url)
	require.Equal(t, 200, post(t, url+"?grow=4096", countCall, "Mcp-Session-Id", a).status)
	require.EqualValues(t, 4096, s.Grown())
	initialize(t, url) // b was used longest ago
	require.Equal(t, 404, post(t, url, countCall, "Mcp-Session-Id", b).status)
	require.Equal(t, 2, post(t, url, countCall, "Mcp-Session-Id", a).Result.StructuredContent.Count)
	mcp(t, http.MethodDelete, url, "", "Mcp-Session-Id", a)
	require.Zero(t, s.Grown())
}
