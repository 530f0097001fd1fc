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

// grant is what a proxy says of a session that it has just made.
func grant(id string) affinity.Grant {
	return affinity.Grant{ID: id, Issue: true, TTL: time.Hour}
}

func newKeys(t testing.TB, secret ...string) *affinity.Keys {
	t.Helper()
	keys, err := affinity.ParseKeys([]byte(strings.Join(secret, "\n")))
	require.NoError(t, err)
	return keys
}

const (
	secretA = "an-example-of-a-signing-key-0001"
	secretB = "an-example-of-a-signing-key-0002"
)

func headerRule(t testing.TB, name string) affinity.Rule {
	t.Helper()
	cfg := affinity.DefaultConfig()
	cfg.Header = name
	rule, err := affinity.New(cfg, affinity.Scope{Function: "counter"})
	require.NoError(t, err)
	return rule
}

func cookieRule(t testing.TB, scope affinity.Scope, change ...func(*affinity.CookieConfig)) affinity.Rule {
	t.Helper()
	cfg := affinity.DefaultConfig()
	cfg.Type = sessions.AffinityCookie
	for _, f := range change {
		f(&cfg.Cookie)
	}
	rule, err := affinity.New(cfg, scope)
	require.NoError(t, err)
	return rule
}

func request(header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = header
	return r
}

func TestNewIDIsFunctionComputesForm(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := affinity.NewID()
		require.Regexp(t, `^[0-9a-f]{32}$`, id)
		require.False(t, seen[id])
		seen[id] = true
	}
}

func TestNoneTouchesNothing(t *testing.T) {
	rule, err := affinity.New(affinity.Config{Type: sessions.AffinityNone}, affinity.Scope{Function: "counter"})
	require.NoError(t, err)
	header := http.Header{
		"X-Session-Id": {"a", "b"}, "Cookie": {"limpet-session=x"},
		"Set-Cookie": {"limpet-session=x"}, "Cache-Control": {"public"},
	}
	want := header.Clone()
	claim, err := rule.Extract(request(header))
	require.NoError(t, err)
	require.Equal(t, affinity.Claim{}, claim)
	rule.Forward(header, "id")
	rule.Respond(header, grant("id"))
	require.Equal(t, want, header)
	require.Empty(t, rule.Header())
}

func TestNewRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*affinity.Config)
		want   string
	}{
		"another header":       {func(c *affinity.Config) { c.Type = sessions.AffinityMCPStreamable }, "accepted is Mcp-Session-Id"},
		"no parameter":         {func(c *affinity.Config) { c.Type, c.SSEParams = sessions.AffinityMCPSSE, nil }, "affinity: sse_params: has 0 names"},
		"a type nobody knows":  {func(c *affinity.Config) { c.Type = "STICKY" }, `"STICKY" is unknown`},
		"a bad header":         {func(c *affinity.Config) { c.Header = "x" }, "affinity: header: "},
		"a cookie without key": {func(c *affinity.Config) { c.Type = sessions.AffinityCookie }, "signing keys"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := affinity.DefaultConfig()
			tc.change(&cfg)
			rule, err := affinity.New(cfg, affinity.Scope{Function: "counter"})
			require.ErrorContains(t, err, tc.want)
			require.Nil(t, rule)
		})
	}
	cfg := affinity.DefaultConfig()
	cfg.Type = sessions.AffinityCookie
	_, err := affinity.New(cfg, affinity.Scope{Function: "counter", Keys: new(affinity.Keys)})
	require.ErrorContains(t, err, "signing keys")
}
