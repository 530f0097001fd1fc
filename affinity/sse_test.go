package affinity_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

// sseRule is MCP_SSE with its stream on this path.
func sseRule(t testing.TB, path string) affinity.Rule {
	t.Helper()
	cfg := affinity.DefaultConfig()
	cfg.Type, cfg.SSEPath = sessions.AffinityMCPSSE, path
	rule, err := affinity.New(cfg, affinity.Scope{Function: "tools"})
	require.NoError(t, err)
	return rule
}

func TestSSEClaims(t *testing.T) {
	reserve, named, none := affinity.Claim{Reserve: true}, affinity.Claim{ID: "a", Existing: true}, affinity.Claim{}
	long := strings.Repeat("x", 1024)
	for request, want := range map[string]affinity.Claim{
		"GET /mcp/sse": reserve, "GET /mcp/sse/": reserve, "GET /mcp/sse?sessionId=a": reserve,
		"GET /sse": none, "GET /mcp/sse/x": none, "GET /": none, "HEAD /mcp/sse": none, "OPTIONS /mcp/sse": none, "OPTIONS /m?sessionId=a": none,
		"POST /m?sessionId=a": named, "POST /m?session_id=a": named, "POST /mcp/sse?sessionid=a": named, "POST /m?sessionid=b&sessionId=a": named,
		"POST /m?sessionId=" + long: {ID: long, Existing: true}, "POST /m?sessionId=%21/~": {ID: "!/~", Existing: true},
		"POST /token": none, "POST /m?SessionId=a": none,
	} {
		method, path, _ := strings.Cut(request, " ")
		r := target(t, path)
		r.Method = method
		claim, err := sseRule(t, "/mcp/sse").Extract(r)
		require.NoError(t, err, request)
		require.Equal(t, want, claim, request)
	}
	for _, path := range []string{
		"/mcp/sse", "/mcp/sse/", "/m?sessionId=", "/m?sessionId=a%20b", "/m?sessionId=a&sessionId=a", "/m?sessionId=" + long + "x", "/m?sessionId=%ff",
		"/m?x=1;sessionId=a", "/m?sessionId=&session_id=a",
	} {
		r := target(t, path)
		r.Method = http.MethodPost
		claim, err := sseRule(t, "/mcp/sse").Extract(r)
		require.ErrorIs(t, err, affinity.ErrInvalid, path)
		require.ErrorContains(t, err, "accept", path)
		require.Zero(t, claim)
	}
}

func TestWhichResponsesAreReadForAnEndpoint(t *testing.T) {
	learner, ok := sseRule(t, "/sse").(affinity.StreamLearner)
	require.True(t, ok)
	answer := func(status int, kind string, codings ...string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}, "Content-Encoding": codings}}
	}
	for _, res := range []*http.Response{answer(200, "text/event-stream"), answer(200, "Text/Event-Stream; charset=utf-8", "identity")} {
		e, err := learner.LearnStream(res)
		require.NoError(t, err)
		require.NotNil(t, e)
	}
	for _, res := range []*http.Response{answer(404, "text/event-stream"), answer(200, "text/html"), answer(200, ""), answer(307, "text/event-stream"), answer(401, "text/event-stream", "gzip")} {
		e, err := learner.LearnStream(res)
		require.NoError(t, err)
		require.Nil(t, e)
	}
	e, err := learner.LearnStream(answer(200, "text/event-stream", "gzip"))
	require.ErrorIs(t, err, affinity.ErrIssued)
	require.Nil(t, e)
}

func TestSSELeavesHeadersAlone(t *testing.T) {
	rule := sseRule(t, "/sse")
	h := http.Header{"X-Session-Id": {"a"}, "Cookie": {"limpet-session=a"}}
	want := h.Clone()
	rule.Forward(h, "b")
	rule.Respond(h, affinity.Grant{ID: "b", Issue: true})
	require.Equal(t, want, h)
	require.Empty(t, rule.Header())
}
