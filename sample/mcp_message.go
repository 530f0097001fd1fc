package sample

import (
	"encoding/json"
	"fmt"
)

// The codes of JSON-RPC 2.0 (section 5.1) that a Server answers with, and those that MCP's own servers have for sessions.
const (
	codeParse   = -32700
	codeRequest = -32600
	codeMethod  = -32601
	codeParams  = -32602
	codeRefused = -32000
	codeUnknown = -32001
	codeVersion = -32022 // MCP 2026-07-28: a version that is not spoken here
)

// message is a JSON-RPC message of a client: a request, a notification (no ID) or a response (no method).
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// asks says whether the client waits for an answer.
func (m message) asks() bool { return m.Method != "" && len(m.ID) > 0 }

// refusal is a JSON-RPC error.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// parseMessage reads one message; bad says why it is none.
func parseMessage(body []byte) (m message, bad *refusal) {
	if err := json.Unmarshal(body, &m); err != nil {
		if json.Valid(body) {
			return m, &refusal{Code: codeRequest, Message: "accepted is one JSON-RPC message, no batch"}
		}
		return m, &refusal{Code: codeParse, Message: err.Error()}
	}
	if m.Version != "2.0" {
		return m, &refusal{Code: codeRequest, Message: fmt.Sprintf("jsonrpc is %.20q, accepted is 2.0", m.Version)}
	}
	if len(m.ID) > 0 && m.ID[0] != '"' && m.ID[0] != '-' && (m.ID[0] < '0' || m.ID[0] > '9') {
		return m, &refusal{Code: codeRequest, Message: "the id is neither a string nor a number"}
	}
	if len(m.Params) == 0 {
		m.Params = json.RawMessage(`{}`)
	}
	return m, nil
}

// unsupported is the error for another version of MCP: https://modelcontextprotocol.io/specification/2026-07-28/basic.
// A client that would rather speak a later one falls back to initialize.
func unsupported(version string) refusal {
	return refusal{Code: codeVersion, Message: fmt.Sprintf("MCP %.20q is not spoken here", version), Data: struct {
		Supported []string `json:"supported"`
		Requested string   `json:"requested"`
	}{mcpVersions(), version[:min(len(version), 20)]}}
}

// refuse answers the HTTP request with a JSON-RPC error of no request in particular.
func (x *exchange) refuse(status int, e refusal) {
	t := x.trouble
	t.Status = status
	writeJSON(x.w, t, appendError([]byte(`{"jsonrpc":"2.0","id":null`), e))
}

// fail answers a JSON-RPC request with an error.
func (x *exchange) fail(m message, e refusal) {
	writeJSON(x.w, x.trouble, appendError(head(nil, m), e))
}

// respond answers a JSON-RPC request.
func (x *exchange) respond(m message, result json.RawMessage) {
	writeJSON(x.w, x.trouble, response(nil, m, result))
}

func head(b []byte, m message) []byte { return append(append(b, `{"jsonrpc":"2.0","id":`...), m.ID...) }

func response(b []byte, m message, result json.RawMessage) []byte {
	return append(append(append(head(b, m), `,"result":`...), result...), '}')
}

func appendError(b []byte, e refusal) []byte {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // it has strings and numbers only
	}
	return append(append(append(b, `,"error":`...), text...), '}')
}

// result is the tool's answer, once as data and once as text for those who read no data.
func result(a *Answer) []byte {
	data := a.appendJSON(nil)
	b := appendString([]byte(`{"content":[{"type":"text","text":`), string(data))
	return append(append(append(b, `}],"structuredContent":`...), data...), '}')
}

// note is the notification that has an Answer.
func note(a *Answer) []byte {
	b := a.appendJSON([]byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":`))
	return append(b, "}}"...)
}
