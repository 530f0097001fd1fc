package mcp_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/mcp"
)

func TestRequests(t *testing.T) {
	call, err := mcp.NewCall(`a "tool"`, ` {"n": 1} `)
	require.NoError(t, err)
	plain, err := mcp.NewCall("count", "")
	require.NoError(t, err)
	for want, got := range map[string][]byte{
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"arguments":{"n":1},"name":"a \"tool\""}}`: call.Append(nil, 7),
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{},"name":"count"}}`:           plain.Append(nil, 1),
		`{"jsonrpc":"2.0","id":12,"method":"ping"}`:                                                         mcp.AppendPing(nil, 12),
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`:                                            []byte(mcp.Initialized),
	} {
		require.JSONEq(t, want, string(got))
	}
	var begin struct {
		Params struct{ ProtocolVersion string }
	}
	require.NoError(t, json.Unmarshal(mcp.AppendInitialize(nil, 0), &begin))
	require.Equal(t, mcp.Versions()[0], begin.Params.ProtocolVersion)
	for _, bad := range []string{"x", "[]", "1", "null", "{} {}"} {
		_, err := mcp.NewCall("count", bad)
		require.ErrorIs(t, err, mcp.ErrArguments, bad)
	}
}

func TestAnswers(t *testing.T) {
	for text, want := range map[string]mcp.Answer{
		`{"jsonrpc":"2.0","id":7,"result":{"protocolVersion":"2025-06-18"}}`:                                          {Version: "2025-06-18"},
		`{"jsonrpc":"2.0","id":7,"result":{"structuredContent":{"a":1},"content":[{"type":"text","text":"x"}]}}`:      {Data: []byte(`{"a":1}`)},
		`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"image"},{"type":"text","text":"x"},{"type":"text"}]}}`: {Data: []byte("x")},
		`{"jsonrpc":"2.0","id":7,"result":{}}`:                                                                        {},
		`{"jsonrpc":"2.0","id":7,"result":{"isError":true,"content":[{"type":"text","text":"full"}]}}`:                {Data: []byte("full"), Problem: "the tool's error", Text: "the tool's error: full"},
		`{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"oh"}}`:                                             {Problem: "JSON-RPC error -32603", Text: "JSON-RPC error -32603: oh"},
	} {
		got, mine, err := mcp.Read([]byte(text), 7)
		require.NoError(t, err, text)
		require.True(t, mine, text)
		require.Equal(t, want, got, text)
	}
	for _, other := range []string{
		`{"jsonrpc":"2.0","method":"notifications/message","params":{}}`, `{"jsonrpc":"2.0","id":7,"method":"roots/list"}`,
		`{"jsonrpc":"2.0","id":8,"result":{}}`, `{"jsonrpc":"2.0","id":"7","result":{}}`, `{"jsonrpc":"2.0","id":null,"error":{}}`,
	} {
		_, mine, err := mcp.Read([]byte(other), 7)
		require.NoError(t, err, other)
		require.False(t, mine, other)
	}
	for _, bad := range []string{"", "x", "[]", `{"id":7,"result":{}}`, `{"jsonrpc":"2.0","id":7}`, `{"jsonrpc":"2.0","id":7,"result":1}`} {
		_, _, err := mcp.Read([]byte(bad), 7)
		require.ErrorIs(t, err, mcp.ErrAnswer, bad)
	}
}

// FuzzAnswer: whatever a server sends is an answer, somebody else's, or none; and what it says is no longer than it was.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":7,"result":{"isError":true,"structuredContent":[{}],"content":[{"type":"text","text":"x"}]}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":7,"error":{"code":1e3,"message":"\ud800"}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":7,"result":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, mine, err := mcp.Read(text, 7)
		if err != nil {
			require.ErrorIs(t, err, mcp.ErrAnswer)
		}
		if err != nil || !mine {
			require.False(t, mine)
			require.Zero(t, a)
			return
		}
		require.True(t, json.Valid(text))
		require.Equal(t, a.Problem == "", a.Text == "")
		require.LessOrEqual(t, len(a.Data), 3*len(text), "a byte that is none of UTF-8 becomes three")
	})
}

func TestValidSessions(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "!~": true, "": false, "a b": false, "é": false, "a\x7f": false,
		strings.Repeat("a", mcp.MaxSessionID): true, strings.Repeat("a", mcp.MaxSessionID+1): false,
	} {
		require.Equal(t, want, mcp.ValidSession(id), "%q", id)
	}
}

func ExampleNewCall() {
	call, err := mcp.NewCall("count", "")
	if err != nil {
		panic(err)
	}
	fmt.Println(string(call.Append(nil, 1)))
	// Output: {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{},"name":"count"}}
}
