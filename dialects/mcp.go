package dialects

// What a failure is in JSON-RPC 2.0 (section 5.1), where a client of MCP meets it. The codes below -32000 are each
// implementation's own, but for one: MCP's SDKs agree on sessionMissing, and tell an ended session from a wrong path by it.
const (
	invalidRequest = -32600
	internalError  = -32603
	serverError    = -32000
	sessionMissing = -32001 // as modelcontextprotocol/typescript-sdk answers with status 404
)

// mcpBody is an error in MCP's words, with Limpet's beside them. The ID is null, for the request's is in its body, which
// was not read (JSON-RPC 2.0, section 5: so it is when the ID cannot be told).
type mcpBody struct {
	Version string   `json:"jsonrpc"`
	ID      *int     `json:"id"`
	Error   mcpError `json:"error"`
	fcBody
}

type mcpError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func mcpBodyOf(e *Error, own fcBody) mcpBody {
	said := mcpError{serverError, e.Message}
	switch e.Code {
	case CodeSessionNotFound, CodeSessionExpired:
		said = mcpError{sessionMissing, "Session not found: " + e.Message} // so it begins in the SDKs' own servers
	case CodeInvalidArgument:
		said.Code = invalidRequest
	case CodeInternalError:
		said.Code = internalError
	}
	return mcpBody{Version: "2.0", Error: said, fcBody: own}
}
