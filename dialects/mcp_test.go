package dialects_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
)

func TestEveryCodeInMCP(t *testing.T) {
	special := map[dialects.Code]float64{
		dialects.CodeInvalidArgument: -32600, dialects.CodeInternalError: -32603,
		dialects.CodeSessionNotFound: -32001, dialects.CodeSessionExpired: -32001,
	}
	for code, want := range words() {
		e := &dialects.Error{Code: code, Status: want[0].status, Message: `a "text" <for> the client`}
		status, number, message := e.Status, -32000.0, e.Message
		if n, ok := special[code]; ok {
			number = n
		}
		if number == -32001 {
			status, message = 404, "Session not found: "+e.Message
		}
		res, body := answer(t, dialects.MCP, e)
		require.Equal(t, status, res.StatusCode, code)
		require.Equal(t, map[string]any{
			"jsonrpc": "2.0", "id": nil, "error": map[string]any{"code": number, "message": message},
			"Code": string(code), "Message": e.Message, "RequestId": "my-request",
		}, body)
		require.Equal(t, status == 503 || status == 429, res.Header.Get("Retry-After") != "", code)
		require.Empty(t, res.Header["X-Fc-Request-Id"])
	}
}
