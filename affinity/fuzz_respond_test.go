package affinity_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

// FuzzRespondSetCookie: whatever line an instance sends, no browser brings back a cookie of our name for it, and a line
// that is another cookie's stays as it is.
func FuzzRespondSetCookie(f *testing.F) {
	for _, line := range []string{
		"limpet-session=x", "a=b", "=limpet-session=x", "limpet-session", " = limpet-session", "==limpet-session", ";limpet-session=x",
		"limpet-session\t=x; Path=/", "limpet-session2=x", "", "=", "a=limpet-session=x", "limpet-session;", "\r\nlimpet-session=",
	} {
		f.Add(line)
	}
	rule := cookieRule(f, scope(f, secretA))
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Set-Cookie": {line}}
		rule.Respond(h, affinity.Grant{ID: "id"})
		sent := browserCookie(line)
		name, _, _ := strings.Cut(sent, "=")
		if strings.Trim(name, " \t\r\n") == "limpet-session" {
			require.NotContains(t, h, "Set-Cookie")
		}
		if !strings.Contains(sent, "limpet-session") {
			require.Equal(t, http.Header{"Set-Cookie": {line}}, h)
		}
	})
}

// browserCookie is what a browser sends back for a Set-Cookie line (RFC 6265bis, sections 5.6 and 5.8.3).
func browserCookie(line string) string {
	pair, _, _ := strings.Cut(line, ";")
	name, value, named := strings.Cut(pair, "=")
	if !named {
		name, value = "", pair
	}
	name, value = strings.Trim(name, " \t\r\n"), strings.Trim(value, " \t\r\n")
	if name == "" {
		return value
	}
	return name + "=" + value
}

// FuzzRespondCacheControl: with a new session the answer is private, to a cache that knows quotes and to one that does
// not, and no-store stays.
func FuzzRespondCacheControl(f *testing.F) {
	for _, value := range []string{
		"", "public", "max-age=1, PUBLIC", "no-store", `no-cache="a, public"`, `x="open, no-store`, `"\"", public`, `private="x"`, ",,", `a"b,public"`,
	} {
		f.Add(value, "no-store")
		f.Add("public", value)
	}
	quoted := regexp.MustCompile(`"(?s:\\.|[^"\\])*"`)
	shared := regexp.MustCompile(`(?i)(?:^|,)\s*(?:public|s-maxage)\s*(?:=|,|$)`)
	noStore := regexp.MustCompile(`(?i)(?:^|,)\s*no-store\s*(?:=|,|$)`)
	rule := cookieRule(f, scope(f, secretA))
	f.Fuzz(func(t *testing.T, a, b string) {
		h := http.Header{"Cache-Control": {a, b}}
		rule.Respond(h, grant("id"))
		require.Len(t, h["Cache-Control"], 1)
		got := h.Get("Cache-Control")
		require.True(t, got == "private" || strings.HasPrefix(got, "private, "), got)
		require.NotRegexp(t, shared, quoted.ReplaceAllString(got, "q"))
		if noStore.MatchString(quoted.ReplaceAllString(a+","+b, "q")) {
			require.Regexp(t, noStore, got)
		}
		rule.Respond(h, grant("id"))
		require.Equal(t, got, h.Get("Cache-Control"), "a second time changes nothing")
	})
}
