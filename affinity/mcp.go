package affinity

import (
	"fmt"
	"net/http"
	"strings"
)

// MCPHeader names the session in MCP's Streamable HTTP transport, in canonical form (Model Context Protocol, revisions
// 2025-03-26 to 2025-11-25, "Transports", section "Session Management").
const MCPHeader = "Mcp-Session-Id"

// MaxMCPID is the length in bytes of the longest session ID that an MCP server may issue. The protocol names no greatest;
// this leaves room for a signed token, and four of them in limits.header_bytes.
const MaxMCPID = 1024

// mcpRule is MCP_STREAMABLE: the instance chooses the ID, with its response to a POST that names no session.
type mcpRule struct{ headerRule }

func newMCPRule() mcpRule { return mcpRule{headerRule{name: MCPHeader, max: MaxMCPID}} }

// Extract does not look into the body, so every POST without an ID may be an initialize. An ID counts for a session that is
// there, and for nothing else: the state of another is gone, and the client has to be told so.
func (m mcpRule) Extract(r *http.Request) (Claim, error) {
	if sessionlessMCP(r.Header) {
		return Claim{}, nil
	}
	ids := r.Header[m.name]
	switch {
	case len(ids) == 0:
		return m.unnamed(r)
	case len(ids) > 1:
		return Claim{}, fmt.Errorf("%w: header %s is given %d times, accepted is once", ErrInvalid, m.name, len(ids))
	case !validMCPID(ids[0]):
		return Claim{}, fmt.Errorf("%w: header %s accepts 1 to %d visible ASCII characters", ErrInvalid, m.name, m.max)
	}
	return Claim{ID: ids[0], Existing: true}, nil
}

// unnamed is the claim of a request without an ID. Other methods than MCP's, such as the OPTIONS of a browser that asks
// before it sends (CORS), are any instance's to answer.
func (m mcpRule) unnamed(r *http.Request) (Claim, error) {
	switch {
	case r.Method == http.MethodPost:
		return Claim{Reserve: true}, nil
	case r.Method != http.MethodGet && r.Method != http.MethodDelete, isWellKnown(r.URL.Path):
		return Claim{}, nil
	}
	return Claim{}, fmt.Errorf("%w: header %s is missing, accepted without it is POST", ErrInvalid, m.name)
}

// isWellKnown says whether a path describes the host (RFC 8615): there clients look, before they initialise, for who lets
// them in (RFC 9728).
func isWellKnown(path string) bool { return strings.HasPrefix(path, "/.well-known/") }

// Learn takes the ID of a success only: a failed initialize has no session, whatever its headers say.
func (m mcpRule) Learn(res *http.Response) (string, error) {
	ids := res.Header[m.name]
	switch {
	case len(ids) == 0 || !isSuccess(res):
		return "", nil
	case len(ids) > 1:
		return "", fmt.Errorf("%w: header %s is given %d times, accepted is once", ErrIssued, m.name, len(ids))
	case !validMCPID(ids[0]):
		return "", fmt.Errorf("%w: header %s has %d bytes, accepted are 1 to %d visible ASCII characters",
			ErrIssued, m.name, len(ids[0]), m.max)
	}
	return ids[0], nil
}

// Ends reads a success of DELETE, and a 404 of any request: the protocol has servers answer with it to the ID of a session
// that is over. A 405 to a DELETE says that clients may not end sessions.
func (m mcpRule) Ends(res *http.Response) (over, asked bool) {
	asked = isSuccess(res) && res.Request.Method == http.MethodDelete
	return asked || res.StatusCode == http.StatusNotFound, asked
}

// Respond leaves it to the instance whether later responses repeat the ID, but not which: an ID that is not bound would be
// one that nobody knows.
func (m mcpRule) Respond(h http.Header, g Grant) {
	_, said := h[m.name]
	delete(h, m.name)
	if g.ID != "" && (said || g.Issue) {
		m.headerRule.Respond(h, g)
	}
}

func isSuccess(res *http.Response) bool { return res.StatusCode/100 == 2 }

// validMCPID reports whether s is 1 to MaxMCPID characters of visible ASCII (0x21 to 0x7E), MCP's rule.
func validMCPID(s string) bool {
	if s == "" || len(s) > MaxMCPID {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
