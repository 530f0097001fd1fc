package affinity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

// A raw ID is offered beside a fresh one, for the table to say whether the session API made it.
func TestCookieWithARawID(t *testing.T) {
	keys := newKeys(t, secretA)
	rule := cookieRule(t, affinity.Scope{Function: "f", Keys: keys})
	foreign := issueValue(t, cookieRule(t, affinity.Scope{Function: "g", Keys: keys}), "mine")
	mine, other := issueValue(t, rule, "mine"), issueValue(t, rule, "other")
	long := strings.Repeat("x", affinity.MaxIDLength)
	const n = "limpet-session="
	for line, unsigned := range map[string]string{
		n + "raw":                       "raw",
		"a=b; " + n + "raw ;c":          "raw",
		n + "raw; " + n + "raw":         "raw",
		n + foreign + "; " + n + "raw":  "raw", // another function's cookie does no harm
		n + "-; " + n + "raw; " + n:     "raw", // nor what can be no ID
		n + long:                        long,
		n + long + "x":                  "",
		n + "raw; " + n + "planted":     "", // to guess would let somebody lay his session under the user's
		n + "a; " + n + "b; " + n + "a": "",
		n + "a; " + n + "b; " + n + "b": "",
		n + "a.b":                       "",
		n + `"raw"`:                     "",
		n + "-raw":                      "",
		"limpet-session":                "",
		"limpet-session2=raw":           "",
		n:                               "",
		n + mine + "; " + n + other:     "", // two sealed ones: none is adopted
	} {
		claim := extract(t, rule, line)
		requireFresh(t, claim, line)
		require.Equal(t, unsigned, claim.Unsigned, line)
		require.NotEqual(t, unsigned, claim.ID, line)
	}
}

func TestASealedCookieOutranksARawID(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	sealed := "limpet-session=" + issueValue(t, rule, "sealed")
	for _, lines := range [][]string{{sealed, "limpet-session=raw"}, {"limpet-session=raw; " + sealed}} {
		require.Equal(t, affinity.Claim{ID: "sealed"}, extract(t, rule, lines...))
	}
}

func TestAHeaderIsNeverUnsigned(t *testing.T) {
	claim, err := headerRule(t, "X-Session-Id").Extract(request(map[string][]string{"Cookie": {"limpet-session=raw"}}))
	require.NoError(t, err)
	require.Empty(t, claim.Unsigned)
}
