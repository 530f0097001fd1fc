package affinity_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

func scope(t testing.TB, secret ...string) affinity.Scope {
	return affinity.Scope{Function: "counter", Qualifier: "LATEST", Keys: newKeys(t, secret...)}
}

// issue returns the cookie that a rule gives a new session.
func issue(t testing.TB, rule affinity.Rule, g affinity.Grant) *http.Cookie {
	t.Helper()
	h := http.Header{}
	rule.Respond(h, g)
	require.Len(t, h["Set-Cookie"], 1)
	cookie, err := http.ParseSetCookie(h.Get("Set-Cookie"))
	require.NoError(t, err)
	return cookie
}

func issueValue(t testing.TB, rule affinity.Rule, id string) string {
	return issue(t, rule, grant(id)).Value
}

// extract claims with the given Cookie lines.
func extract(t testing.TB, rule affinity.Rule, lines ...string) affinity.Claim {
	t.Helper()
	claim, err := rule.Extract(request(http.Header{"Cookie": lines}))
	require.NoError(t, err)
	return claim
}

func requireFresh(t testing.TB, claim affinity.Claim, msg ...any) {
	t.Helper()
	require.True(t, claim.Fresh, msg...)
	require.Regexp(t, `^[0-9a-f]{32}$`, claim.ID, msg...)
}

func TestCookieRoundTrip(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	for _, id := range []string{affinity.NewID(), "a", "_-_", strings.Repeat("x", affinity.MaxIDLength)} {
		value := issueValue(t, rule, id)
		require.Equal(t, affinity.Claim{ID: id}, extract(t, rule, "limpet-session="+value))
		require.Equal(t, affinity.Claim{ID: id}, extract(t, rule, "a=1;limpet-session="+value+" ;b", "c=d"))
	}
	require.Empty(t, rule.Header())
}

func TestCookieAbsentMakesAFreshID(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	a, b := extract(t, rule), extract(t, rule, "other=x")
	requireFresh(t, a)
	requireFresh(t, b)
	require.NotEqual(t, a.ID, b.ID)
}

// Every value one byte away is refused: each byte replaced by each other one, removed, or put in anywhere.
func TestCookieOneByteChangedIsRefused(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA, secretB))
	value := issueValue(t, rule, affinity.NewID())
	tried := 0
	refused := func(changed string) {
		first, _, _ := strings.Cut(changed, ";")
		if strings.TrimRight(first, " \t\r\n") == value {
			return // the byte went behind the value, which it does not change
		}
		tried++
		if claim := extract(t, rule, "limpet-session="+changed); !claim.Fresh {
			t.Fatalf("adopted %q for %q", changed, value)
		}
	}
	for i := range len(value) {
		refused(value[:i] + value[i+1:])
		for b := range 256 {
			refused(value[:i] + string([]byte{byte(b)}) + value[i:])
			if byte(b) != value[i] {
				refused(value[:i] + string([]byte{byte(b)}) + value[i+1:])
			}
		}
	}
	require.Greater(t, tried, 10_000)
}

func TestCookieRandomChangesAreRefused(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	value := issueValue(t, rule, affinity.NewID())
	for range 10_000 {
		changed := []byte(value)
		changed[random.IntN(len(changed))] ^= byte(1 + random.IntN(255))
		if claim := extract(t, rule, "limpet-session="+string(changed)); !claim.Fresh {
			t.Fatalf("adopted %q, seed %d", changed, seed)
		}
	}
}

func TestCookieForgeriesAreRefused(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	id := affinity.NewID()
	value := issueValue(t, rule, id)
	field := strings.Split(value, ".")
	require.Len(t, field, 5)
	other := strings.Split(issueValue(t, rule, affinity.NewID()), ".")
	for name, forged := range map[string]string{
		"plain ID":                id,
		"no MAC":                  strings.Join(field[:4], "."),
		"empty MAC":               strings.Join(field[:4], ".") + ".",
		"another's MAC":           strings.Join(field[:4], ".") + "." + other[4],
		"padded MAC":              value + "=",
		"quoted":                  `"` + value + `"`,
		"percent-encoded":         "%76" + value[1:],
		"one field more":          value + ".x",
		"leading zero in expiry":  strings.Join([]string{field[0], field[1], field[2], "0" + field[3], field[4]}, "."),
		"sign in expiry":          strings.Join([]string{field[0], field[1], field[2], "+" + field[3], field[4]}, "."),
		"later expiry":            strings.Join([]string{field[0], field[1], field[2], "99999999999", field[4]}, "."),
		"another version":         "v2" + value[2:],
		"upper-case version":      "V1" + value[2:],
		"over-long":               value + strings.Repeat("A", 4096),
		"over-long ID":            strings.Join([]string{field[0], field[1], strings.Repeat("x", 65), field[3], field[4]}, "."),
		"fields shifted":          strings.Join([]string{field[0], field[1], field[2] + field[3][:1], field[3][1:], field[4]}, "."),
		"leading blank":           " " + value,
		"second form of the MAC":  value[:len(value)-1] + nextBase64(value[len(value)-1]),
		"upper-case ID":           strings.Join([]string{field[0], field[1], strings.ToUpper(field[2]) + "A", field[3], field[4]}, "."),
		"key ID of no key":        strings.Join([]string{field[0], "AAAAAAAA", field[2], field[3], field[4]}, "."),
		"only dots":               "....",
		"nothing":                 "",
		"newline inside the MAC":  value[:len(value)-4] + "\n" + value[len(value)-4:],
		"value of the name alone": "limpet-session",
	} {
		requireFresh(t, extract(t, rule, "limpet-session="+forged), name)
	}
	requireFresh(t, extract(t, rule, "limpet-session"), "no value")
	requireFresh(t, extract(t, rule, "limpet-sessio="+value), "a shorter name")
	requireFresh(t, extract(t, rule, "limpet-session2="+value), "a longer name")
	requireFresh(t, extract(t, rule, "Limpet-Session="+value), "a name in other case")
	requireFresh(t, extract(t, rule, "=limpet-session="+value), "no name")
}

// nextBase64 returns a character with the same high bits: where only those count, it decodes to the same bytes.
func nextBase64(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestCookieOfAnotherScopeIsRefused(t *testing.T) {
	keys := newKeys(t, secretA)
	ours := affinity.Scope{Function: "ab", Qualifier: "c", Keys: keys}
	value := issueValue(t, cookieRule(t, ours), "id")
	require.Equal(t, "id", extract(t, cookieRule(t, ours), "limpet-session="+value).ID)
	for _, foreign := range []affinity.Scope{
		{Function: "ab", Qualifier: "d", Keys: keys},
		{Function: "a", Qualifier: "bc", Keys: keys},
		{Function: "abc", Keys: keys},
		{Function: "AB", Qualifier: "c", Keys: keys},
		{Function: "ab", Keys: keys},
		{Function: "c", Qualifier: "ab", Keys: keys},
		{Function: "ab", Qualifier: "c", Keys: newKeys(t, secretB)},
	} {
		requireFresh(t, extract(t, cookieRule(t, foreign), "limpet-session="+value), "%v", foreign)
	}
}

func TestCookieOfNoQualifierIsOfTheLatest(t *testing.T) {
	keys := newKeys(t, secretA)
	value := issueValue(t, cookieRule(t, affinity.Scope{Function: "f", Keys: keys}), "id")
	latest := cookieRule(t, affinity.Scope{Function: "f", Qualifier: "LATEST", Keys: keys})
	require.Equal(t, "id", extract(t, latest, "limpet-session="+value).ID)
}

func TestCookieKeysRotate(t *testing.T) {
	before := cookieRule(t, scope(t, secretA))
	during := cookieRule(t, scope(t, secretB, secretA))
	after := cookieRule(t, scope(t, secretB))
	old, young := "limpet-session="+issueValue(t, before, "old"), "limpet-session="+issueValue(t, during, "young")
	require.Equal(t, "old", extract(t, during, old).ID)
	require.Equal(t, "young", extract(t, during, young).ID)
	require.Equal(t, "young", extract(t, after, young).ID)
	requireFresh(t, extract(t, after, old))
	requireFresh(t, extract(t, before, young))
}

func TestCookieExpiresAtTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := cookieRule(t, scope(t, secretA))
		line := "limpet-session=" + issue(t, rule, affinity.Grant{ID: "id", Issue: true, TTL: 10 * time.Second}).Value
		require.Equal(t, "id", extract(t, rule, line).ID)
		time.Sleep(10*time.Second - 1)
		require.Equal(t, "id", extract(t, rule, line).ID)
		time.Sleep(1)
		requireFresh(t, extract(t, rule, line))
		time.Sleep(1000 * time.Hour)
		requireFresh(t, extract(t, rule, line))
	})
}

func TestCookieNeverExpiresEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := cookieRule(t, scope(t, secretA))
		time.Sleep(999 * time.Millisecond)
		cookie := issue(t, rule, affinity.Grant{ID: "id", Issue: true, TTL: 1500 * time.Millisecond})
		require.Equal(t, 1, cookie.MaxAge)
		time.Sleep(1500*time.Millisecond - 1)
		require.Equal(t, "id", extract(t, rule, "limpet-session="+cookie.Value).ID)
		time.Sleep(time.Second)
		requireFresh(t, extract(t, rule, "limpet-session="+cookie.Value))
	})
}

func TestCookieGivenSeveralTimes(t *testing.T) {
	keys := newKeys(t, secretA)
	rule := cookieRule(t, affinity.Scope{Function: "f", Keys: keys})
	other := cookieRule(t, affinity.Scope{Function: "g", Keys: keys})
	mine, planted, foreign := issueValue(t, rule, "mine"), issueValue(t, rule, "planted"), issueValue(t, other, "mine")
	again := issue(t, rule, affinity.Grant{ID: "mine", Issue: true, TTL: 2 * time.Hour}).Value
	require.NotEqual(t, mine, again)
	const n = "limpet-session="
	for _, lines := range [][]string{
		{n + mine + "; " + n + mine},
		{n + mine, n + mine},
		{n + mine + "; " + n + again},
		{n + foreign + "; " + n + mine},
		{n + mine + "; " + n + foreign, n + "garbage; " + n},
	} {
		require.Equal(t, affinity.Claim{ID: "mine"}, extract(t, rule, lines...), "%q", lines)
	}
	for _, lines := range [][]string{
		{n + mine + "; " + n + planted},
		{n + planted + "; " + n + mine},
		{n + mine, n + planted},
		{n + mine + "; " + n + mine + "; " + n + planted + "; " + n + mine},
	} {
		requireFresh(t, extract(t, rule, lines...), "%q", lines)
	}
}

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
