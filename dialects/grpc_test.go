package dialects_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
)

func TestIsGRPC(t *testing.T) {
	for text, is := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc;charset=utf-8": true, "Application/gRPC+json": true,
		"": false, "application/grpc-web": false, "application/grpc-web+proto": false, "application/json": false, "text/application/grpc": false,
	} {
		require.Equal(t, is, dialects.IsGRPC(text), text)
	}
}

func TestErrorsInGRPCsWords(t *testing.T) {
	for code, status := range map[dialects.Code]string{
		dialects.CodeInvalidArgument: "3", dialects.CodeFunctionNotFound: "12", dialects.CodeSessionNotFound: "5",
		dialects.CodeSessionExpired: "9", dialects.CodeResourceExhausted: "8", dialects.CodeNoCapacity: "14",
		dialects.CodeInstanceUnavailable: "14", dialects.CodeStoreUnavailable: "14", dialects.CodeBadGateway: "14",
		dialects.CodeGatewayTimeout: "4", dialects.CodeInternalError: "13", "Unheard": "13",
	} {
		w := httptest.NewRecorder()
		e := &dialects.Error{Code: code, Status: http.StatusTeapot, Message: "100 % ü\n"}
		require.NoError(t, dialects.GRPC.Write(w, "r", e))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, http.StatusOK, dialects.GRPC.Status(e))
		require.Equal(t, status, w.Header().Get("Grpc-Status"), code)
		require.Equal(t, string(code)+": 100 %25 %C3%BC%0A", w.Header().Get("Grpc-Message"))
		require.Equal(t, string(code), w.Header().Get("Limpet-Error"))
		require.Equal(t, "application/grpc", w.Header().Get("Content-Type"))
		require.Empty(t, w.Body.String())
	}
	require.Equal(t, "grpc", dialects.GRPC.String())
	require.Empty(t, dialects.GRPC.RequestIDHeader())
}

// FuzzGRPCMessage looks for a text that does not come back, or that a header field may not have.
func FuzzGRPCMessage(f *testing.F) {
	f.Add("100 %: ü\r\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		h := http.Header{}
		dialects.TellGRPC(h, http.TrailerPrefix, &dialects.Error{Code: dialects.CodeBadGateway, Message: text})
		said := h.Get(http.TrailerPrefix + "Grpc-Message")
		for _, c := range []byte(said) {
			require.True(t, ' ' <= c && c <= '~', said)
		}
		back, err := url.PathUnescape(said)
		require.NoError(t, err)
		require.Equal(t, "BadGateway: "+text, back)
	})
}
