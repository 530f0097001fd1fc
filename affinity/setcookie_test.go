package affinity_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

func TestCookieAttributes(t *testing.T) {
	type change = func(*affinity.CookieConfig)
	for _, tc := range []struct {
		name   string
		change change
		secure bool
		want   string
	}{
		{"default, plain", func(*affinity.CookieConfig) {}, false, "Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
		{"default, TLS", func(*affinity.CookieConfig) {}, true, "Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		{"always, plain", func(c *affinity.CookieConfig) { c.Secure = affinity.SecureAlways }, false,
			"Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		{"never, TLS", func(c *affinity.CookieConfig) { c.Secure = affinity.SecureNever }, true,
			"Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
		{"strict, path", func(c *affinity.CookieConfig) { c.SameSite, c.Path = affinity.SameSiteStrict, "/app/" }, false,
			"Path=/app/; Max-Age=3600; HttpOnly; SameSite=Strict"},
		{"none, TLS", func(c *affinity.CookieConfig) { c.SameSite = affinity.SameSiteNone }, true,
			"Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=None"},
		{"none, plain: a browser would refuse None", func(c *affinity.CookieConfig) { c.SameSite = affinity.SameSiteNone }, false,
			"Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
		{"prefix, plain: a browser would refuse it without Secure", func(c *affinity.CookieConfig) { c.Name = "__Host-s" }, false,
			"Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rule := cookieRule(t, scope(t, secretA), tc.change)
			g := grant("id")
			g.Secure = tc.secure
			h := http.Header{}
			rule.Respond(h, g)
			_, attributes, _ := strings.Cut(h.Get("Set-Cookie"), "; ")
			require.Equal(t, tc.want, attributes)
		})
	}
}

func TestCookieMaxAgeIsWholeSeconds(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	for ttl, want := range map[time.Duration]int{
		6 * time.Hour: 21600, 90*time.Second + 999*time.Millisecond: 90, time.Second: 1, time.Millisecond: 1, 0: 1,
	} {
		require.Equal(t, want, issue(t, rule, affinity.Grant{ID: "id", Issue: true, TTL: ttl}).MaxAge, ttl)
	}
}

func TestCookieRespondWithoutIssue(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	for _, g := range []affinity.Grant{{ID: "id", TTL: time.Hour}, {Issue: true, TTL: time.Hour}} {
		h := http.Header{"Cache-Control": {"public"}, "Set-Cookie": {"a=b"}}
		rule.Respond(h, g)
		require.Equal(t, http.Header{"Cache-Control": {"public"}, "Set-Cookie": {"a=b"}}, h, "%+v", g)
	}
}

func TestCookieRespondDropsTheInstancesOwn(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	ours := []string{
		"limpet-session=evil", "limpet-session=; Max-Age=0", " limpet-session =x; Domain=example.com", "limpet-session",
		"=limpet-session=evil", "= limpet-session", "\tlimpet-session\t=x", "limpet-session;Path=/deep",
	}
	theirs := []string{"limpet-session2=x", "x=limpet-session=1", "Limpet-Session=x", "a=b; limpet-session=c", "=", ""}
	h := http.Header{"Set-Cookie": append(append([]string{}, ours...), theirs...)}
	rule.Respond(h, affinity.Grant{ID: "id"})
	require.Equal(t, theirs, h["Set-Cookie"])

	h = http.Header{"Set-Cookie": ours}
	rule.Respond(h, affinity.Grant{ID: "id"})
	require.NotContains(t, h, "Set-Cookie")

	h = http.Header{"Set-Cookie": {"limpet-session=evil", "a=b"}}
	rule.Respond(h, grant("id"))
	require.Len(t, h["Set-Cookie"], 2)
	require.Equal(t, "a=b", h["Set-Cookie"][0])
	require.NotContains(t, fmt.Sprint(h), "evil")
}
