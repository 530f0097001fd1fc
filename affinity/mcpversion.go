package affinity

import (
	"net/http"
	"time"
)

// mcpVersionHeader has the revision of the protocol that client and server agreed on, a date. Before 2025-06-18 there was
// no such header, and an initialize comes without it.
const mcpVersionHeader = "Mcp-Protocol-Version"

// sessionlessSince is the first revision of MCP without sessions: no initialize, no Mcp-Session-Id, no GET (Model Context
// Protocol, revision 2026-07-28, "Transports" and its changelog).
const sessionlessSince = "2026-07-28"

// sessionlessMCP says whether a request is of a revision without sessions. One whose revision cannot be read is taken for
// one that has them: a request with an ID then goes home or nowhere.
func sessionlessMCP(h http.Header) bool {
	versions := h[mcpVersionHeader]
	if len(versions) != 1 || versions[0] < sessionlessSince { // dates of this form sort as texts
		return false
	}
	_, err := time.Parse(time.DateOnly, versions[0])
	return err == nil
}
