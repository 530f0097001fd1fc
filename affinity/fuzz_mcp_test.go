package affinity_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

var visible = regexp.MustCompile(`\A[\x21-\x7e]+\z`)

func isMCPID(s string) bool { return visible.MatchString(s) && len(s) <= 1024 }

// FuzzMCPExtract: whatever a client sends is no session, or the one that it names.
func FuzzMCPExtract(f *testing.F) {
	for _, id := range []string{"", "a", "a b", "ä", "\x00", strings.Repeat("x", 1024), strings.Repeat("x", 1025), "{a}:b/../%2e", "a,b"} {
		for _, version := range []string{"", "2025-11-25", "2026-07-28", "2026-07-2", "99999-01-01"} {
			f.Add("POST", id, "b", uint8(1), version)
			f.Add("GET", id, id, uint8(2), version)
		}
	}
	f.Add("DELETE", "", "", uint8(0), "")
	rule := mcpRule(f)
	f.Fuzz(func(t *testing.T, method, a, b string, n uint8, version string) {
		r := mcpRequest("POST", "/mcp", []string{a, b}[:n%3]...)
		r.Method = method
		if version != "" {
			r.Header["Mcp-Protocol-Version"] = []string{version}
		}
		claim, err := rule.Extract(r)
		ids := r.Header["Mcp-Session-Id"]
		switch {
		case err != nil:
			require.ErrorIs(t, err, affinity.ErrInvalid)
			require.Zero(t, claim)
			require.True(t, len(ids) == 2 || len(ids) == 1 && !isMCPID(a) || len(ids) == 0 && method != "POST")
			require.NotContains(t, err.Error(), "ä", "what the client sent is not quoted")
		case claim.Sessionless():
			require.Zero(t, claim)
			require.True(t, version >= "2026-07-28" && len(version) == 10 || len(ids) == 0 && method != "POST")
		case claim.Reserve:
			require.Equal(t, affinity.Claim{Reserve: true}, claim)
			require.True(t, len(ids) == 0 && method == "POST")
		default:
			require.Equal(t, affinity.Claim{ID: a, Existing: true}, claim)
			require.True(t, isMCPID(a))
		}
	})
}

// FuzzMCPLearn: whatever an instance sends, what is bound is an ID that a client can send back and have read as the same.
func FuzzMCPLearn(f *testing.F) {
	for _, id := range []string{"", "a", "a b", "ä", "\r\n", strings.Repeat("x", 1024), strings.Repeat("x", 1025)} {
		f.Add(id, "b", uint8(1), 200)
		f.Add(id, id, uint8(2), 202)
		f.Add(id, id, uint8(1), 404)
	}
	rule := mcpRule(f)
	f.Fuzz(func(t *testing.T, a, b string, n uint8, status int) {
		res := response("POST", status, []string{a, b}[:n%3]...)
		id, err := rule.Learn(res)
		if err != nil || id == "" {
			require.Empty(t, id)
			require.True(t, err == nil || n%3 == 2 || !isMCPID(a))
			return
		}
		claim, err := rule.Extract(mcpRequest("POST", "/mcp", id))
		require.NoError(t, err)
		require.Equal(t, affinity.Claim{ID: id, Existing: true}, claim)
	})
}
