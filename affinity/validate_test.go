package affinity_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

// problems maps each reported key to what was said of it.
func problems(cfg affinity.Config) map[string]string {
	found := map[string]string{}
	cfg.Validate(func(key, problem string) { found[key] = problem })
	return found
}

func TestDefaultsAreValidForEveryType(t *testing.T) {
	cfg := affinity.DefaultConfig()
	for _, kind := range []sessions.Affinity{sessions.AffinityNone, sessions.AffinityHeader, sessions.AffinityCookie, sessions.AffinityMCPSSE} {
		cfg.Type = kind
		require.Empty(t, problems(cfg), kind)
	}
	require.Empty(t, problems(affinity.Config{Type: sessions.AffinityNone}))
	require.Empty(t, problems(affinity.Config{Type: sessions.AffinityHeader, Header: "X-Session-Id"}))
	for _, name := range []string{"", "Mcp-Session-Id", "mcp-session-id"} {
		require.Empty(t, problems(affinity.Config{Type: sessions.AffinityMCPStreamable, Header: name}))
	}
}

func TestValidateReportsEveryProblemAtOnce(t *testing.T) {
	found := problems(affinity.Config{
		Type: "MCP", Header: "Host",
		Cookie:  affinity.CookieConfig{Name: "a b", Secure: "yes", SameSite: "Lax", Path: "app"},
		SSEPath: "sse", SSEParams: []string{"a b"},
	})
	for _, key := range []string{"type", "header", "cookie.name", "cookie.secure", "cookie.same_site", "cookie.path", "sse_path", "sse_params[0]"} {
		require.Contains(t, found, key)
		require.Contains(t, found[key], "accepted", key)
	}
	require.Len(t, found, 8)
	require.Equal(t, map[string]string{"sse_params": "has 0 names, accepted are 1 to 8"},
		problems(affinity.Config{Type: sessions.AffinityMCPSSE, SSEPath: "/sse"}))
	require.Equal(t, map[string]string{"sse_params[1]": "a is given twice, accepted is each name once", "sse_params[2]": "has 0 characters, accepted are 1 to 64"},
		problems(affinity.Config{Type: sessions.AffinityMCPSSE, SSEPath: "/sse", SSEParams: []string{"a", "a", ""}}))
}

func TestValidateHeaderName(t *testing.T) {
	for _, name := range []string{
		"X-Session-Id", "x-session-id", "abcde", "Mcp-Session-Id", "A_b-9", strings.Repeat("x", 40), "X-Contented", "Fc-Session",
	} {
		cfg := affinity.DefaultConfig()
		cfg.Header = name
		require.Empty(t, problems(cfg), name)
	}
	for _, name := range []string{
		"", "abcd", strings.Repeat("x", 41), "9abcd", "-abcd", "_abcd", "X Session", "X:Session", "X-Sessiön", "X-Sess\n",
		"x-fc-session", "X-Fc-Session", "X_FC_Session", "Limpet-Session-Id", "limpet_session_id", "X-Forwarded-For",
		"x_forwarded_host", "Connection", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
		"Transfer-Encoding", "Transfer_Encoding", "Upgrade", "Host", "Content-Length", "content-type", "Cookie", "Set-Cookie",
		"Authorization", "X-Request-Id", "x_request_id", "traceparent", "TraceState", "Baggage", "Forwarded", "X-Real-Ip",
		"HTTP2-Settings", "Expect", "Sec-Websocket-Key", "Cache-Control", "Location", "X-Accel-Redirect",
	} {
		cfg := affinity.DefaultConfig()
		cfg.Header = name
		require.Contains(t, problems(cfg)["header"], "accepted", name)
	}
}

func TestValidateCookie(t *testing.T) {
	base := affinity.DefaultConfig().Cookie
	with := func(change func(*affinity.CookieConfig)) affinity.CookieConfig {
		c := base
		change(&c)
		return c
	}
	for _, tc := range []struct {
		cookie affinity.CookieConfig
		key    string // "" for valid
	}{
		{with(func(c *affinity.CookieConfig) { c.Name = "!#$%&'*+-.^_`|~09azAZ" }), ""},
		{with(func(c *affinity.CookieConfig) { c.Name = "__Host-s" }), ""},
		{with(func(c *affinity.CookieConfig) { c.Name, c.Secure, c.Path = "__Secure-s", "always", "/app" }), ""},
		{with(func(c *affinity.CookieConfig) { c.SameSite, c.Secure = "none", "always" }), ""},
		{with(func(c *affinity.CookieConfig) { c.SameSite, c.Secure = "none", "auto" }), ""},
		{with(func(c *affinity.CookieConfig) { c.Path = "/a b/~" }), ""},
		{with(func(c *affinity.CookieConfig) { c.Name = "" }), "cookie.name"},
		{with(func(c *affinity.CookieConfig) { c.Name = "a=b" }), "cookie.name"},
		{with(func(c *affinity.CookieConfig) { c.Name = "a;b" }), "cookie.name"},
		{with(func(c *affinity.CookieConfig) { c.Name = "a b" }), "cookie.name"},
		{with(func(c *affinity.CookieConfig) { c.Name = "séance" }), "cookie.name"},
		{with(func(c *affinity.CookieConfig) { c.Name = "a\x00" }), "cookie.name"},
		{with(func(c *affinity.CookieConfig) { c.Name = "__Host-" }), "cookie.name"},
		{with(func(c *affinity.CookieConfig) { c.Name = strings.Repeat("n", 1025) }), "cookie.name"},
		{with(func(c *affinity.CookieConfig) { c.Secure = "" }), "cookie.secure"},
		{with(func(c *affinity.CookieConfig) { c.Secure = "Auto" }), "cookie.secure"},
		{with(func(c *affinity.CookieConfig) { c.Name, c.Secure = "__Host-s", "never" }), "cookie.secure"},
		{with(func(c *affinity.CookieConfig) { c.Name, c.Secure = "__SECURE-s", "never" }), "cookie.secure"},
		{with(func(c *affinity.CookieConfig) { c.Name, c.Secure = "__Http-s", "never" }), "cookie.secure"},
		{with(func(c *affinity.CookieConfig) { c.SameSite = "" }), "cookie.same_site"},
		{with(func(c *affinity.CookieConfig) { c.SameSite, c.Secure = "none", "never" }), "cookie.same_site"},
		{with(func(c *affinity.CookieConfig) { c.Path = "" }), "cookie.path"},
		{with(func(c *affinity.CookieConfig) { c.Path = "app" }), "cookie.path"},
		{with(func(c *affinity.CookieConfig) { c.Path = "/a;Domain=evil" }), "cookie.path"},
		{with(func(c *affinity.CookieConfig) { c.Path = "/a\n" }), "cookie.path"},
		{with(func(c *affinity.CookieConfig) { c.Path = "/\x7f" }), "cookie.path"},
		{with(func(c *affinity.CookieConfig) { c.Path = "/ä" }), "cookie.path"},
		{with(func(c *affinity.CookieConfig) { c.Path = "/" + strings.Repeat("p", 1024) }), "cookie.path"},
		{with(func(c *affinity.CookieConfig) { c.Name, c.Path = "__host-s", "/app" }), "cookie.path"},
	} {
		cfg := affinity.DefaultConfig()
		cfg.Cookie = tc.cookie
		found := problems(cfg)
		if tc.key == "" {
			require.Empty(t, found, "%+v", tc.cookie)
			requireCookieIsSent(t, tc.cookie)
			continue
		}
		require.Len(t, found, 1, "%+v", tc.cookie)
		require.Contains(t, found[tc.key], "accepted", "%+v", tc.cookie)
	}
}

// requireCookieIsSent checks that what Validate accepts comes out whole.
func requireCookieIsSent(t *testing.T, c affinity.CookieConfig) {
	t.Helper()
	rule := cookieRule(t, scope(t, secretA), func(cfg *affinity.CookieConfig) { *cfg = c })
	h := http.Header{}
	rule.Respond(h, grant("id"))
	require.True(t, strings.HasPrefix(h.Get("Set-Cookie"), c.Name+"=v1."), h)
	require.Contains(t, h.Get("Set-Cookie"), "; Path="+c.Path+"; ")
}

func TestValidateSSEPath(t *testing.T) {
	for path, ok := range map[string]bool{"/sse": true, "/": true, "": true, "sse": false, "/s s": false, "/sse?x": false, "/\x00": false} {
		cfg := affinity.DefaultConfig()
		cfg.SSEPath = path
		require.Equal(t, ok, problems(cfg)["sse_path"] == "", path)
	}
}
