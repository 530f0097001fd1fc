package affinity_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

func protocol(existing bool) affinity.Protocol {
	return affinity.Protocol{Header: "X-Amzn-Session", MaxID: 256, Existing: existing}
}

func TestProtocolsHeaderCountsWhateverTheFunctionSays(t *testing.T) {
	cookies := cookieRule(t, scope(t, secretA))
	sealed := "limpet-session=" + issueValue(t, cookies, "sealed")
	for name, rule := range map[string]affinity.Rule{"header": headerRule(t, "X-Session-Id"), "cookie": cookies} {
		t.Run(name, func(t *testing.T) {
			over := protocol(false).Over(rule)
			require.Equal(t, "X-Amzn-Session", over.Header())
			other := http.Header{"X-Session-Id": {"other"}, "Cookie": {sealed}}
			claim, err := over.Extract(request(other))
			require.NoError(t, err)
			requireFresh(t, claim, "the function's own way does not count")
			require.Empty(t, claim.Unsigned)

			long := strings.Repeat("x", 256)
			other.Set("X-Amzn-Session", long)
			claim, err = over.Extract(request(other))
			require.NoError(t, err)
			require.Equal(t, affinity.Claim{ID: long}, claim)
		})
	}
}

func TestProtocolOfExistingSessions(t *testing.T) {
	over := protocol(true).Over(headerRule(t, "X-Session-Id"))
	claim, err := over.Extract(request(http.Header{"X-Amzn-Session": {"mine"}}))
	require.NoError(t, err)
	require.Equal(t, affinity.Claim{ID: "mine", Existing: true}, claim)
	claim, err = over.Extract(request(http.Header{}))
	require.NoError(t, err)
	requireFresh(t, claim)
	require.False(t, claim.Existing, "without an ID a session is made")
	claim, err = over.Extract(request(http.Header{"X-Amzn-Session": {"-"}}))
	require.ErrorIs(t, err, affinity.ErrInvalid)
	require.Zero(t, claim)
}

func TestProtocolRefusesIllFormedIDs(t *testing.T) {
	over := protocol(false).Over(headerRule(t, "X-Session-Id"))
	for _, values := range [][]string{
		{""}, {"-a"}, {"a b"}, {"a.b"}, {"ä"}, {strings.Repeat("x", 257)}, {"a", "a"}, {"a", "b"}, {"a,b"},
	} {
		_, err := over.Extract(request(http.Header{"X-Amzn-Session": values}))
		require.ErrorIs(t, err, affinity.ErrInvalid, "%q", values)
	}
}

func TestProtocolTellsTheInstanceInBothWays(t *testing.T) {
	out := http.Header{"X-Session-Id": {"forged"}, "X_session_id": {"forged"}, "X-Amzn_session": {"forged"}}
	protocol(false).Over(headerRule(t, "X-Session-Id")).Forward(out, "id")
	require.Equal(t, http.Header{"X-Session-Id": {"id"}, "X-Amzn-Session": {"id"}}, out)

	cookies := cookieRule(t, scope(t, secretA))
	out = http.Header{"Cookie": {"a=1; limpet-session=" + issueValue(t, cookies, "id")}}
	protocol(false).Over(cookies).Forward(out, "id")
	require.Equal(t, http.Header{"Cookie": {"a=1"}, "X-Amzn-Session": {"id"}}, out)
}

func TestProtocolTellsTheClientInItsOwnWayOnly(t *testing.T) {
	instance := http.Header{
		"X-Session-Id": {"instance"}, "X-Amzn-Session": {"instance"}, "Set-Cookie": {"limpet-session=instance", "app=1"},
	}
	h := instance.Clone()
	protocol(false).Over(cookieRule(t, scope(t, secretA))).Respond(h, grant("id"))
	require.Equal(t, []string{"app=1"}, h["Set-Cookie"], "no cookie of Limpet's, nor of the instance's under its name")
	require.Equal(t, []string{"id"}, h["X-Amzn-Session"])
	require.Equal(t, "private", h.Get("Cache-Control"), "a shared cache must not hand the ID on")

	h = instance.Clone()
	protocol(false).Over(headerRule(t, "X-Session-Id")).Respond(h, grant("id"))
	require.NotContains(t, h, "X-Session-Id")
	require.Equal(t, []string{"id"}, h["X-Amzn-Session"])
}

// The configured header may be the protocol's own.
func TestProtocolOverAFunctionWithItsHeader(t *testing.T) {
	over := protocol(false).Over(headerRule(t, "X-Amzn-Session"))
	h := http.Header{"X-Amzn-Session": {"instance"}}
	over.Forward(h, "id")
	require.Equal(t, http.Header{"X-Amzn-Session": {"id"}}, h)
	over.Respond(h, affinity.Grant{ID: "other"})
	require.Equal(t, http.Header{"X-Amzn-Session": {"other"}}, h)
}

func ExampleProtocol_Over() {
	function, err := affinity.New(affinity.DefaultConfig(), affinity.Scope{Function: "counter"})
	if err != nil {
		fmt.Println(err)
		return
	}
	rule := affinity.Protocol{Header: "X-Amzn-Code-Interpreter-Session-Id", MaxID: 256, Existing: true}.Over(function)
	claim, err := rule.Extract(request(http.Header{"X-Amzn-Code-Interpreter-Session-Id": {"alice"}}))
	fmt.Println(claim.ID, claim.Existing, err)
	// Output: alice true <nil>
}
