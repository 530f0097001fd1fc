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

// learner is the rule of a function whose application sets the cookie sid.
func learner(t testing.TB) affinity.Learner {
	t.Helper()
	l, ok := sourcesRule(t, affinity.Source{Cookie: "sid"}).(affinity.Learner)
	require.True(t, ok)
	return l
}

func setting(lines ...string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Set-Cookie": lines}}
}

func TestTheCookieThatAnApplicationSetsIsLearned(t *testing.T) {
	future, past := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "Thu, 01 Jan 1970 00:00:00 GMT"
	for want, responses := range map[string][]*http.Response{
		"a": {
			setting("sid=a"), setting("sid=a; Path=/; HttpOnly"), setting(" sid = a ;secure"), setting("x=1", "sid=a"), setting("sid=b", "sid=a"),
			setting("sid=; Max-Age=0", "sid=a"), setting("sid=a; Max-Age=60"), setting("sid=a; Max-Age=60; Expires=" + past),
			setting("sid=a; Expires=" + past + "; Max-Age=60"), setting("sid=a; Expires=" + future), setting("sid=a; expires=never; max-age=x"),
			setting("sid=a; Max-Age="), setting("sid=a; Max-Age=0; Max-Age=1"), setting("sid=a; xMax-Age=0"), setting("=sid=a"),
		},
		"": {
			setting(), setting("x=sid=a"), setting("Sid=a"), setting("sid2=a"), setting("sid=a; Max-Age=0"), setting("sid=a; max-AGE = -1"),
			setting("sid=a; Expires=" + past), setting("sid=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/"),
			setting("sid=a; expires=Thu, 01-Jan-1970 00:00:01 GMT"), setting("sid=a", "sid=b; Max-Age=0"), setting("sid=a; Max-Age=00"),
		},
	} {
		for _, res := range responses {
			id, err := learner(t).Learn(res)
			require.NoError(t, err, res.Header)
			require.Equal(t, want, id, res.Header)
		}
	}
}

func TestACookieThatIsNoIDIsNotLearned(t *testing.T) {
	for _, value := range []string{"", "s%3Aa.b", `"a"`, "a b", "-a", "ä", strings.Repeat("x", 65), strings.Repeat("x", 4096)} {
		id, err := learner(t).Learn(setting("sid=" + value))
		require.ErrorIs(t, err, affinity.ErrUnusable, value)
		require.Empty(t, id)
		require.Less(t, len(err.Error()), 200)
		if len(value) > 4 {
			require.NotContains(t, err.Error(), value, "a log is no place for a session's secret")
		}
	}
}

func TestACookieThatChangesRenamesTheSession(t *testing.T) {
	renamer, ok := sourcesRule(t, affinity.Source{Cookie: "sid"}).(affinity.Renamer)
	require.True(t, ok)
	for line, want := range map[string]string{"sid=a": "", "sid=b": "b", "x=b": "", "sid=b; Max-Age=0": ""} {
		for cookie, instead := range map[string]bool{"sid=a": true, "x=1": false} {
			res := setting(line)
			res.Request = target(t, "/?sid=a", "Cookie", cookie)
			next, replaced, err := renamer.Renamed(res, "a")
			require.NoError(t, err)
			require.Equal(t, want, next, line)
			require.Equal(t, instead && want != "", replaced, line)
		}
	}
	next, _, err := renamer.Renamed(setting("sid=b.c"), "a")
	require.ErrorIs(t, err, affinity.ErrUnusable)
	require.Empty(t, next)
}

// FuzzLearnCookie: what is learned comes back as the same ID, and is what net/http reads where it reads the line.
func FuzzLearnCookie(f *testing.F) {
	for _, line := range []string{
		"sid=a", "sid=a; Max-Age=0", "sid=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "=sid=a", "sid", "sid=", ";", "", "sid=\"a\"", "sid=a,b",
		" sid=a;;Max-Age=-", "sid=a; Max-Age=-0", "sid=a; max-age=99999999999999999999", "sid=a; expires=Thu, 01-Jan-70 00:00:00 GMT",
	} {
		f.Add(line, "")
		f.Add("sid=b", line)
	}
	rule := sourcesRule(f, affinity.Source{Cookie: "sid"})
	f.Fuzz(func(t *testing.T, a, b string) {
		id, err := rule.(affinity.Learner).Learn(setting(a, b))
		if err != nil {
			require.ErrorIs(t, err, affinity.ErrUnusable)
			require.Empty(t, id)
		}
		if id != "" {
			claim, err := rule.Extract(request(http.Header{"Cookie": {"sid=" + id}}))
			require.NoError(t, err)
			require.Equal(t, affinity.Claim{ID: id}, claim)
		}
		c, err := http.ParseSetCookie(b)
		switch {
		case err != nil || c.Name != "sid" || c.Quoted || strings.Contains(b, "+"): // net/http takes Max-Age=+1, browsers do not
		case c.MaxAge < 0:
			require.Empty(t, id)
		case c.RawExpires == "" && idForm.MatchString(c.Value) && !strings.Contains(strings.ToLower(b), "max-age=0"):
			require.Equal(t, c.Value, id)
		}
	})
}

func ExampleLearner() {
	cfg := affinity.DefaultConfig()
	cfg.Sources = []affinity.Source{{Cookie: "JSESSIONID"}}
	rule, err := affinity.New(cfg, affinity.Scope{Function: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	claim, err := rule.Extract(request(nil)) // a browser's first request
	fmt.Println(claim.Reserve, err)
	res := &http.Response{Header: http.Header{"Set-Cookie": {"JSESSIONID=0A1B2C; Path=/; HttpOnly"}}}
	id, err := rule.(affinity.Learner).Learn(res)
	fmt.Println(id, err)
	// Output:
	// true <nil>
	// 0A1B2C <nil>
}
