package load

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/limpet-proxy/limpet/load/mcp"
)

// Protocol is what a session's requests are.
type Protocol uint8

const (
	// HTTP has plain requests, all alike.
	HTTP Protocol = iota
	// MCP has the calls of a tool, in sessions of the Model Context Protocol (Streamable HTTP).
	MCP
)

// DefaultTool is the tool that limpet instance has.
const DefaultTool = "count"

// ErrProtocol means that a text names no Protocol.
var ErrProtocol = errors.New("not a protocol")

// ParseProtocol reads http or mcp. ErrProtocol.
func ParseProtocol(text string) (Protocol, error) {
	for _, p := range []Protocol{HTTP, MCP} {
		if text == p.String() {
			return p, nil
		}
	}
	return HTTP, fmt.Errorf("%w: %.40q, accepted are %s and %s", ErrProtocol, text, HTTP, MCP)
}

// String returns the text that ParseProtocol reads.
func (p Protocol) String() string {
	if p == MCP {
		return "mcp"
	}
	return "http"
}

// speakMCP makes the plan's requests those of MCP, where they are.
func (p *Plan) speakMCP() {
	if p.Protocol != MCP {
		return
	}
	if p.Carrier == (Carrier{}) {
		p.Carrier = Carrier{kind: byGiven, header: mcp.SessionHeader}
	}
	if p.Tool == "" {
		p.Tool = DefaultTool
	}
	p.Method = cmp.Or(p.Method, http.MethodPost)
}

// checkProtocol refuses what the protocol has no use for.
func (p *Plan) checkProtocol() (problems []error) {
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	if p.Protocol != MCP {
		refuse(p.Tool != "" || p.Arguments != "", "a tool is called by %s only", MCP)
		return problems
	}
	_, err := mcp.NewCall(p.Tool, p.Arguments)
	refuse(err != nil, "the tool's arguments: %w", err)
	refuse(p.Method != http.MethodPost, "method %.40q, where calls of %s are by POST", p.Method, MCP)
	refuse(p.Body != nil, "a body, where %s makes its own", MCP)
	refuse(p.Carrier != Carrier{kind: byGiven, header: mcp.SessionHeader}, "sessions by %s, where those of %s are by given:%s",
		p.Carrier, MCP, mcp.SessionHeader)
	for name := range p.Header {
		refuse(slices.Contains([]string{"Accept", "Content-Type", mcp.VersionHeader}, name), "header %s is the protocol's own", name)
	}
	return problems
}
