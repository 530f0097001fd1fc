package affinity_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

// mcpRule is MCP's rule, with what it can beyond a rule's.
func mcpRule(t testing.TB) interface {
	affinity.Rule
	affinity.Learner
	affinity.Ender
} {
	t.Helper()
	rule, err := affinity.New(affinity.Config{Type: sessions.AffinityMCPStreamable}, affinity.Scope{Function: "tools"})
	require.NoError(t, err)
	both, ok := rule.(interface {
		affinity.Rule
		affinity.Learner
		affinity.Ender
	})
	require.True(t, ok)
	return both
}

func mcpRequest(method, path string, ids ...string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	if len(ids) > 0 {
		r.Header["Mcp-Session-Id"] = ids
	}
	return r
}

func TestMCPClaims(t *testing.T) {
	rule := mcpRule(t)
	named, reserve := affinity.Claim{ID: "a", Existing: true}, affinity.Claim{Reserve: true}
	for _, tc := range []struct {
		r    *http.Request
		want affinity.Claim
	}{
		{mcpRequest("POST", "/mcp"), reserve},
		{mcpRequest("POST", "/mcp", "a"), named},
		{mcpRequest("GET", "/mcp", "a"), named},
		{mcpRequest("DELETE", "/mcp", "a"), named},
		{mcpRequest("OPTIONS", "/mcp", "a"), named},
		{mcpRequest("OPTIONS", "/mcp"), affinity.Claim{}},
		{mcpRequest("HEAD", "/mcp"), affinity.Claim{}},
		{mcpRequest("PUT", "/mcp"), affinity.Claim{}},
		{mcpRequest("GET", "/.well-known/oauth-protected-resource"), affinity.Claim{}},
		{mcpRequest("POST", "/mcp", "!~"), affinity.Claim{ID: "!~", Existing: true}},
		{mcpRequest("POST", "/mcp", strings.Repeat("x", 1024)), affinity.Claim{ID: strings.Repeat("x", 1024), Existing: true}},
	} {
		claim, err := rule.Extract(tc.r)
		require.NoError(t, err, tc.r)
		require.Equal(t, tc.want, claim, tc.r)
		require.Equal(t, tc.want == affinity.Claim{}, claim.Sessionless())
	}
	for _, r := range []*http.Request{
		mcpRequest("GET", "/mcp"), mcpRequest("DELETE", "/mcp"), mcpRequest("DELETE", "/.well-known"),
		mcpRequest("POST", "/mcp", ""), mcpRequest("POST", "/mcp", "a b"), mcpRequest("POST", "/mcp", "a\x7f"),
		mcpRequest("POST", "/mcp", "ä"), mcpRequest("POST", "/mcp", strings.Repeat("x", 1025)),
		mcpRequest("POST", "/mcp", "a", "a"), mcpRequest("POST", "/mcp", "a", "b"),
	} {
		claim, err := rule.Extract(r)
		require.ErrorIs(t, err, affinity.ErrInvalid, r)
		require.ErrorContains(t, err, "accept", r)
		require.Zero(t, claim)
	}
}

func TestMCPRevisions(t *testing.T) {
	rule := mcpRule(t)
	for version, sessionless := range map[string]bool{
		"2025-03-26": false, "2025-06-18": false, "2025-11-25": false, "2026-07-27": false,
		"2026-07-28": true, "2026-12-31": true, "2027-01-01": true, "9999-12-31": true,
		"": false, "DRAFT-2026-v1": false, "2026-07-28x": false, "2026-13-01": false, "2027-02-30": false, "12026-07-28": false,
		" 2026-07-28": false, "2026-7-28": false, "9": false, "20260728": false, "ä": false,
	} {
		for _, r := range []*http.Request{mcpRequest("POST", "/mcp"), mcpRequest("POST", "/mcp", "a"), mcpRequest("DELETE", "/mcp", "a")} {
			r.Header.Set("MCP-Protocol-Version", version)
			claim, err := rule.Extract(r)
			require.NoError(t, err)
			require.Equal(t, sessionless, claim.Sessionless(), version)
		}
	}
	twice := mcpRequest("GET", "/mcp")
	twice.Header["Mcp-Protocol-Version"] = []string{"2026-07-28", "2026-07-28"}
	_, err := rule.Extract(twice)
	require.ErrorIs(t, err, affinity.ErrInvalid, "of two, which one did the instance read?")
}

// response is an instance's, to a request of the method.
func response(method string, status int, ids ...string) *http.Response {
	res := &http.Response{StatusCode: status, Header: http.Header{}, Request: httptest.NewRequest(method, "/mcp", nil)}
	if len(ids) > 0 {
		res.Header["Mcp-Session-Id"] = ids
	}
	return res
}

func TestMCPLearns(t *testing.T) {
	rule := mcpRule(t)
	for _, tc := range []struct {
		res  *http.Response
		want string
	}{
		{response("POST", 200, "a"), "a"},
		{response("POST", 202, "a"), "a"},
		{response("POST", 200), ""},
		{response("POST", 400, "a"), ""},
		{response("POST", 503, "a", "b"), ""},
		{response("POST", 101, "a"), ""},
		{response("POST", 200, strings.Repeat("~", 1024)), strings.Repeat("~", 1024)},
	} {
		id, err := rule.Learn(tc.res)
		require.NoError(t, err)
		require.Equal(t, tc.want, id)
	}
	for _, ids := range [][]string{{""}, {"a b"}, {"a", "a"}, {"ü"}, {strings.Repeat("x", 1025)}, {"a,\tb"}} {
		id, err := rule.Learn(response("POST", 200, ids...))
		require.ErrorIs(t, err, affinity.ErrIssued)
		require.Empty(t, id)
	}
}

func TestMCPEnds(t *testing.T) {
	rule := mcpRule(t)
	for _, tc := range []struct {
		method      string
		status      int
		over, asked bool
	}{
		{"DELETE", 200, true, true}, {"DELETE", 204, true, true}, {"DELETE", 202, true, true},
		{"DELETE", 404, true, false}, {"POST", 404, true, false}, {"GET", 404, true, false},
		{"DELETE", 405, false, false}, {"DELETE", 500, false, false}, {"DELETE", 301, false, false},
		{"POST", 200, false, false}, {"GET", 200, false, false}, {"POST", 410, false, false}, {"POST", 400, false, false},
		{"GET", 405, false, false}, {"POST", 502, false, false},
	} {
		over, asked := rule.Ends(response(tc.method, tc.status))
		require.Equal(t, [2]bool{tc.over, tc.asked}, [2]bool{over, asked}, "%s %d", tc.method, tc.status)
	}
}

func TestMCPHeaders(t *testing.T) {
	rule := mcpRule(t)
	require.Equal(t, "Mcp-Session-Id", rule.Header())
	out := http.Header{"Mcp-Session-Id": {"forged"}, "Mcp_session_id": {"forged"}, "Accept": {"x"}}
	rule.Forward(out, "a")
	require.Equal(t, http.Header{"Mcp-Session-Id": {"a"}, "Accept": {"x"}}, out)

	for name, tc := range map[string]struct {
		said, want []string
		grant      affinity.Grant
	}{
		"a new session":                 {[]string{"a"}, []string{"a"}, affinity.Grant{ID: "a", Issue: true, TTL: time.Hour}},
		"the instance repeats it":       {[]string{"a"}, []string{"a"}, affinity.Grant{ID: "a"}},
		"the instance says nothing":     {nil, nil, affinity.Grant{ID: "a"}},
		"the instance says another":     {[]string{"b"}, []string{"a"}, affinity.Grant{ID: "a"}},
		"without a session":             {[]string{"b"}, nil, affinity.Grant{}},
		"without a session, and silent": {nil, nil, affinity.Grant{}},
	} {
		h := http.Header{"Cache-Control": {"public"}}
		if tc.said != nil {
			h["Mcp-Session-Id"] = tc.said
		}
		rule.Respond(h, tc.grant)
		require.Equal(t, tc.want, h["Mcp-Session-Id"], name)
		require.Equal(t, tc.grant.Issue, h.Get("Cache-Control") == "private", "a shared cache gives nobody's ID away: %s", name)
	}
}
