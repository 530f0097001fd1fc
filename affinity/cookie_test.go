package affinity_test

import (
	"net/http"
	"strings"
	"sync"
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
// nextBase64 returns a character with the same high bits: where only those count, it decodes to the same bytes.
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
		time.Sleep(time.Nanosecond)
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

func TestCookieRuleIsSafeForConcurrentUse(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA, secretB))
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 200 {
				id, h := affinity.NewID(), http.Header{}
				rule.Respond(h, grant(id))
				value, _, _ := strings.Cut(h.Get("Set-Cookie"), ";")
				claim, err := rule.Extract(request(http.Header{"Cookie": {value}}))
				if err != nil || claim != (affinity.Claim{ID: id}) {
					t.Errorf("claim %+v for %s, error %v", claim, id, err)
				}
			}
		})
	}
	clients.Wait()
}
