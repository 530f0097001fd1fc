// Package mcp is as much of a Model Context Protocol client as a load generator needs: it makes the messages of one
// session and reads the answers, whatever bytes those are.
package mcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// The headers of the Streamable HTTP transport:
// https://modelcontextprotocol.io/specification/2025-11-25/basic/transports.
const (
	SessionHeader = "Mcp-Session-Id"
	VersionHeader = "Mcp-Protocol-Version"
	// Accept is what a client has to accept.
	Accept = "application/json, text/event-stream"
)

// MaxSessionID bounds the ID that a server may give a session, in bytes.
const MaxSessionID = 1 << 10

// Versions are those that have sessions in this transport, the latest first.
func Versions() []string { return []string{"2025-11-25", "2025-06-18", "2025-03-26"} }

// ErrAnswer means that bytes are not the answer that was waited for.
var ErrAnswer = errors.New("no JSON-RPC answer")

// The messages that have no parameters, and that of initialize.
const (
	Initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	initialize  = `"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},` +
		`"clientInfo":{"name":"limpet-load","version":"1"}}`
)

// AppendInitialize appends the request that begins a session.
func AppendInitialize(b []byte, id int) []byte { return appendRequest(b, id, initialize) }

// AppendPing appends the request that asks for nothing but an answer.
func AppendPing(b []byte, id int) []byte { return appendRequest(b, id, `"method":"ping"`) }

// Call is a tools/call that is sent again and again.
type Call struct{ rest string }

// NewCall returns a call of a tool. arguments is a JSON object; "": {}. ErrArguments.
func NewCall(tool, arguments string) (Call, error) {
	if arguments == "" {
		arguments = "{}"
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(arguments), &object); err != nil || object == nil {
		return Call{}, fmt.Errorf("%w: %.80q, accepted is an object such as {\"n\": 1}", ErrArguments, arguments)
	}
	params, err := json.Marshal(map[string]any{"name": tool, "arguments": json.RawMessage(arguments)})
	if err != nil {
		return Call{}, fmt.Errorf("%w: %w", ErrArguments, err)
	}
	return Call{`"method":"tools/call","params":` + string(params)}, nil
}

// ErrArguments means that a text is not a tool's arguments.
var ErrArguments = errors.New("not a JSON object")

// Append appends the call as a request.
func (c Call) Append(b []byte, id int) []byte { return appendRequest(b, id, c.rest) }

func appendRequest(b []byte, id int, rest string) []byte {
	b = strconv.AppendInt(append(b, `{"jsonrpc":"2.0","id":`...), int64(id), 10)
	return append(append(append(b, ','), rest...), '}')
}

// Answer is the response to a request.
type Answer struct {
	// Version is the protocol version that an initialize result has.
	Version string
	// Data is what a tool's result says: its structured content, else its first text; nil: neither.
	Data []byte
	// Problem is why the request did not succeed: the JSON-RPC error or the tool's. "": it did.
	Problem string
	// Text is the Problem in full, with the server's words.
	Text string
}

// wireAnswer is a response as it is sent.
type wireAnswer struct {
	JSONRPC string
	ID      json.RawMessage
	Method  string
	Error   *struct {
		Code    int64
		Message string
	}
	Result *struct {
		ProtocolVersion   string
		IsError           bool
		StructuredContent json.RawMessage
		Content           []struct{ Type, Text string }
	}
}

// Read reads a message of a server. mine says whether it is the response to the request with the ID: before it may come
// notifications, and requests of the server's own. ErrAnswer if it is no message at all.
func Read(text []byte, id int) (a Answer, mine bool, err error) {
	var w wireAnswer
	if err := json.Unmarshal(text, &w); err != nil {
		return Answer{}, false, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if w.JSONRPC != "2.0" {
		return Answer{}, false, fmt.Errorf("%w: jsonrpc is %.20q, accepted is 2.0", ErrAnswer, w.JSONRPC)
	}
	if w.Method != "" || string(w.ID) != strconv.Itoa(id) {
		return Answer{}, false, nil
	}
	switch {
	case w.Error != nil:
		a.Problem = fmt.Sprintf("JSON-RPC error %d", w.Error.Code)
		a.Text = a.Problem + ": " + w.Error.Message
	case w.Result == nil:
		return Answer{}, false, fmt.Errorf("%w: it has neither a result nor an error", ErrAnswer)
	default:
		a = w.result()
	}
	return a, true, nil
}

func (w *wireAnswer) result() Answer {
	a := Answer{Version: w.Result.ProtocolVersion, Data: w.Result.StructuredContent}
	text := ""
	for _, c := range slices.Backward(w.Result.Content) {
		if c.Type == "text" {
			text = c.Text
		}
	}
	if len(a.Data) == 0 && text != "" {
		a.Data = []byte(text)
	}
	if w.Result.IsError {
		a.Problem = "the tool's error"
		a.Text = a.Problem + ": " + text
	}
	return a
}

// ValidSession says whether an ID that a server gave is visible ASCII, as it has to be, and of bounded length.
func ValidSession(id string) bool {
	return id != "" && len(id) <= MaxSessionID && !slices.ContainsFunc([]byte(id), func(c byte) bool { return c < '!' || c > '~' })
}
