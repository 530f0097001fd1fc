package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
)

// masks replace what differs from run to run.
var masks = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`\b1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}\b`), "REQUEST"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`), "MILLIS"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "SECONDS"},
	{regexp.MustCompile(`"(\w+TimeMs)":1\d{12}\b`), `"$1":MS`},
	{regexp.MustCompile(`[0-9a-f]{32}`), "HEX"},
	{regexp.MustCompile(`"nextToken":"[A-Za-z0-9_-]{40,}"`), `"nextToken":"TOKEN"`},
}

func masked(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.mask)
	}
	return strings.TrimSpace(text)
}

// golden demands a success with exactly this body, masked.
func golden(t testing.TB, d dialects.Dialect, a answer, want string) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	requireHeaders(t, d, a)
	require.Equal(t, want, masked(a.body))
}

// members decodes a success.
func members(t testing.TB, a answer) (m map[string]any) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), &m))
	return m
}

var requestID = regexp.MustCompile(`^1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}$`)

// requireHeaders checks what every answer has: a request's ID, and nothing that a cache may keep or a client not see.
func requireHeaders(t testing.TB, d dialects.Dialect, a answer) {
	t.Helper()
	want, other := "X-Fc-Request-Id", "X-Amzn-Requestid"
	if d != dialects.FC {
		want, other = other, want
	}
	require.Regexp(t, requestID, a.header.Get(want))
	require.Empty(t, a.header.Values(other))
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
	require.Equal(t, "same-origin", a.header.Get("Cross-Origin-Resource-Policy"))
	require.NotContains(t, a.body, network, "the address of an instance, or of the store")
	require.NotContains(t, a.body, "session store", "an error's own text")
}

// requireRefusal demands an error in the dialect's words. code is Limpet's for FC and the exception for AWS.
func requireRefusal(t testing.TB, d dialects.Dialect, a answer, status int, code string) map[string]any {
	t.Helper()
	body := requireWellFormed(t, d, a)
	require.Equal(t, status, a.status, a.body)
	if d == dialects.FC {
		require.Equal(t, code, body["Code"], a.body)
	} else {
		require.Equal(t, code, a.header.Get("X-Amzn-Errortype"), a.body)
	}
	return body
}

// requireWellFormed demands that a refusal has its dialect's shape, and returns its body.
func requireWellFormed(t testing.TB, d dialects.Dialect, a answer) (body map[string]any) {
	t.Helper()
	requireHeaders(t, d, a)
	require.GreaterOrEqual(t, a.status, 400, a.body)
	require.NotEmpty(t, a.header.Get("Limpet-Error"))
	require.NotEqual(t, "InternalError", a.header.Get("Limpet-Error"))
	require.Empty(t, a.header.Values("Set-Cookie"))
	require.NoError(t, json.Unmarshal([]byte(a.body), &body))
	accepted := []string{"Code", "Message", "RequestId"}
	if d == dialects.FC {
		require.Len(t, body, len(accepted))
		require.Equal(t, a.header.Get("Limpet-Error"), body["Code"])
		require.Equal(t, a.header.Get("X-Fc-Request-Id"), body["RequestId"])
		require.NotEmpty(t, body["Message"])
		require.Empty(t, a.header.Values("X-Amzn-Errortype"))
	} else {
		accepted = []string{"message", "reason", "fieldList", "resourceId", "resourceType", "serviceCode", "quotaCode"}
		require.NotEmpty(t, body["message"])
		require.NotEmpty(t, a.header.Get("X-Amzn-Errortype"))
		if a.header.Get("X-Amzn-Errortype") == "ValidationException" {
			require.NotEmpty(t, body["reason"])
		}
	}
	for name := range body {
		require.Contains(t, accepted, name)
	}
	if a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	return body
}

// listen serves the world on a socket and returns its address.
func (w *world) listen(t testing.TB) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	return server
}

// over sends a request through a socket.
func over(t testing.TB, server *httptest.Server, r *http.Request) answer {
	t.Helper()
	r.URL.Host = server.Listener.Addr().String()
	response, err := server.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, string(body)}
}
