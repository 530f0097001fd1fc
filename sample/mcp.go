package sample

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
)

const (
	// MCPPath is where a Server speaks MCP, by the Streamable HTTP transport.
	MCPPath = "/mcp"
	// MCPTool is the name of its one tool.
	MCPTool = "count"
	// MaxMCPMessage bounds a message of a client, in bytes; a longer one is answered with 413.
	MaxMCPMessage = 256 << 10

	mcpSessionHeader = "Mcp-Session-Id"
	mcpVersionHeader = "Mcp-Protocol-Version"
)

// mcpVersions are the versions of MCP that a Server speaks, the latest first. Earlier ones have another transport, later
// ones no sessions.
func mcpVersions() []string { return []string{"2025-11-25", "2025-06-18", "2025-03-26"} }

// serveMCP answers a request of the Streamable HTTP transport:
// https://modelcontextprotocol.io/specification/2025-11-25/basic/transports. Batches, which only 2025-03-26 has, are
// refused, and no stream can be resumed.
func (s *Server) serveMCP(w http.ResponseWriter, r *http.Request, t Trouble) {
	x := exchange{Server: s, w: w, r: r, trouble: t, id: r.Header.Get(mcpSessionHeader)}
	var guard http.CrossOriginProtection
	if err := guard.Check(r); err != nil {
		x.refuse(http.StatusForbidden, refusal{Code: codeRefused, Message: err.Error()}) // a page's script: DNS rebinding
		return
	}
	if v := r.Header.Get(mcpVersionHeader); v != "" && !slices.Contains(mcpVersions(), v) {
		x.refuse(http.StatusBadRequest, unsupported(v))
		return
	}
	switch r.Method {
	case http.MethodPost:
		x.post()
	case http.MethodGet:
		x.listen()
	case http.MethodDelete:
		x.end()
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		x.refuse(http.StatusMethodNotAllowed, refusal{Code: codeRefused, Message: "accepted are GET, POST and DELETE"})
	}
}

// exchange is one request to the MCP server.
type exchange struct {
	*Server
	w       http.ResponseWriter
	r       *http.Request
	trouble Trouble
	id      string // of the session, as the client named it
}

func (x *exchange) post() {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, MaxMCPMessage))
	if err != nil {
		x.refuse(http.StatusRequestEntityTooLarge, refusal{
			Code: codeRefused, Message: fmt.Sprintf("a message that ends has at most %d bytes", MaxMCPMessage),
		})
		return
	}
	m, bad := parseMessage(body)
	switch {
	case bad != nil:
		x.refuse(http.StatusBadRequest, *bad)
	case m.Method == "initialize" && m.asks():
		x.initialize(m)
	case !x.named() || !x.known():
	case !m.asks():
		x.w.WriteHeader(http.StatusAccepted)
	default:
		x.answer(m)
	}
}

// named refuses a request without a session.
func (x *exchange) named() bool {
	if x.id == "" {
		x.refuse(http.StatusBadRequest, refusal{Code: codeRefused, Message: mcpSessionHeader + " is missing"})
	}
	return x.id != ""
}

// known refuses a request of a session that is not there.
func (x *exchange) known() bool {
	if !x.knows(x.id) {
		x.unknown()
		return false
	}
	return true
}

// unknown is what makes a client initialise again.
func (x *exchange) unknown() {
	x.refuse(http.StatusNotFound, refusal{Code: codeUnknown, Message: "Session not found: " + x.options.Name + " does not know it"})
}

func (x *exchange) end() {
	switch {
	case !x.named():
	case !x.leave(x.id):
		x.unknown()
	default:
		x.w.WriteHeader(http.StatusNoContent)
	}
}

// initialize begins a session, whatever session the request named.
func (x *exchange) initialize(m message) {
	var p struct {
		ProtocolVersion string `json:"protocolVersion"`
	}
	if err := json.Unmarshal(m.Params, &p); err != nil {
		x.refuse(http.StatusBadRequest, refusal{Code: codeParams, Message: "initialize: " + err.Error()})
		return
	}
	version := mcpVersions()[0]
	if slices.Contains(mcpVersions(), p.ProtocolVersion) {
		version = p.ProtocolVersion
	}
	x.w.Header().Set(mcpSessionHeader, x.admit())
	x.w.Header().Set(CountHeader, "0")
	x.respond(m, json.RawMessage(`{"protocolVersion":"`+version+`","capabilities":{"logging":{},"tools":{}},`+
		`"serverInfo":{"name":"limpet-instance","version":"1"}}`))
}

// answer carries a request of a session out.
func (x *exchange) answer(m message) {
	switch m.Method {
	case "ping", "logging/setLevel":
		x.respond(m, json.RawMessage(`{}`))
	case "tools/list":
		x.respond(m, json.RawMessage(`{"tools":[`+mcpTool+`]}`))
	case "tools/call":
		x.call(m)
	default:
		x.fail(m, refusal{Code: codeMethod, Message: fmt.Sprintf("no method %.80q here", m.Method)})
	}
}

// mcpTool is how tools/list shows the tool.
const mcpTool = `{"name":"` + MCPTool + `","description":"Counts the calls of this session, in the memory of one instance.",` +
	`"inputSchema":{"type":"object","properties":{"notify":{"type":"boolean",` +
	`"description":"send the same as a notification on the session's GET stream"}}}}`

func (x *exchange) call(m message) {
	var p struct {
		Name      string `json:"name"`
		Arguments struct {
			Notify bool `json:"notify"`
		} `json:"arguments"`
	}
	if err := json.Unmarshal(m.Params, &p); err != nil {
		x.fail(m, refusal{Code: codeParams, Message: "tools/call: " + err.Error()})
		return
	}
	if p.Name != MCPTool {
		x.fail(m, refusal{Code: codeParams, Message: fmt.Sprintf("no tool %.80q, accepted is %s", p.Name, MCPTool)})
		return
	}
	c := x.countCall(use{id: x.id, grow: x.trouble.Grow})
	switch {
	case !c.known: // it ended since it was looked at
		x.unknown()
		return
	case !c.room:
		x.refuse(http.StatusInsufficientStorage, refusal{Code: codeRefused, Message: x.noRoom(x.trouble.Grow)})
		return
	}
	a := Answer{
		Instance: x.options.Name, Session: x.id, Count: c.count, Start: c.start, Of: x.trouble.Stream,
		Epoch: x.r.Header.Get(SessionEpochHeader), Event: x.r.Header.Get(SessionEventHeader),
	}
	x.w.Header()[CountHeader] = []string{strconv.Itoa(c.count)}
	if p.Arguments.Notify {
		c.stream.tell(note(&a))
	}
	if a.Of > 0 {
		x.stream(m, a)
		return
	}
	x.respond(m, result(&a))
}
