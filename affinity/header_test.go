package affinity_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

func TestHeaderIDs(t *testing.T) {
	rule := headerRule(t, "x-sEssion-id")
	require.Equal(t, "X-Session-Id", rule.Header())
	for _, id := range []string{"a", "_", "0", "a-", "_-_", "A9_z-", strings.Repeat("x", 64), affinity.NewID()} {
		claim, err := rule.Extract(request(http.Header{"X-Session-Id": {id}}))
		require.NoError(t, err, id)
		require.Equal(t, affinity.Claim{ID: id}, claim)
	}
	for _, id := range []string{
		"", " ", "-a", "a b", " a", "a,b", "a, a", "a.b", "a/b", "a;b", "a=b", `"a"`, "a\x00", "a\n", "ä", "a\xff",
		"a:b", "{a}", "*", "%41", strings.Repeat("x", 65), strings.Repeat("x", 1<<20),
	} {
		claim, err := rule.Extract(request(http.Header{"X-Session-Id": {id}}))
		require.ErrorIs(t, err, affinity.ErrInvalid, "%.80q", id)
		require.Zero(t, claim)
		require.Less(t, len(err.Error()), 200, "the error must not repeat the value")
	}
}

func TestHeaderGivenMoreThanOnceIsInvalid(t *testing.T) {
	rule := headerRule(t, affinity.DefaultHeader)
	for _, values := range [][]string{{"a", "b"}, {"a", "a"}, {"a", ""}, {"", ""}, {"a", "a", "a"}} {
		_, err := rule.Extract(request(http.Header{"X-Session-Id": values}))
		require.ErrorIs(t, err, affinity.ErrInvalid, "%q", values)
	}
}

func TestHeaderAbsentMakesAFreshID(t *testing.T) {
	rule := headerRule(t, affinity.DefaultHeader)
	a, err := rule.Extract(request(http.Header{}))
	require.NoError(t, err)
	b, err := rule.Extract(request(nil))
	require.NoError(t, err)
	require.True(t, a.Fresh && b.Fresh)
	require.Regexp(t, `^[0-9a-f]{32}$`, a.ID)
	require.NotEqual(t, a.ID, b.ID)
}

func TestHeaderForwardSetsOneValueAndDropsLookAlikes(t *testing.T) {
	rule := headerRule(t, affinity.DefaultHeader)
	out := http.Header{
		"X-Session-Id": {"b", "c"}, "X_session_id": {"evil"}, "X-Session_id": {"evil"}, "x-session-id": {"evil"},
		"X.session.id": {"evil"}, "X-Session-Id2": {"kept"}, "X-Session-Ie": {"kept"}, "Cookie": {"limpet-session=kept"},
	}
	rule.Forward(out, "a")
	require.Equal(t, http.Header{
		"X-Session-Id": {"a"}, "X-Session-Id2": {"kept"}, "X-Session-Ie": {"kept"}, "Cookie": {"limpet-session=kept"},
	}, out)

	empty := http.Header{}
	rule.Forward(empty, "a")
	require.Equal(t, http.Header{"X-Session-Id": {"a"}}, empty)
}

func TestHeaderRespondOverrulesTheInstance(t *testing.T) {
	rule := headerRule(t, affinity.DefaultHeader)
	for name, tc := range map[string]struct {
		grant affinity.Grant
		in    http.Header
		want  http.Header
	}{
		"known session": {
			affinity.Grant{ID: "a"},
			http.Header{"X-Session-Id": {"b", "c"}, "Cache-Control": {"public"}},
			http.Header{"X-Session-Id": {"a"}, "Cache-Control": {"public"}},
		},
		"new session": {
			affinity.Grant{ID: "a", Issue: true},
			http.Header{"Cache-Control": {"public, max-age=60"}},
			http.Header{"X-Session-Id": {"a"}, "Cache-Control": {"private, max-age=60"}},
		},
		"no session": {
			affinity.Grant{Issue: true},
			http.Header{"X-Session-Id": {"b"}, "Cache-Control": {"public"}},
			http.Header{"Cache-Control": {"public"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			rule.Respond(tc.in, tc.grant)
			require.Equal(t, tc.want, tc.in)
		})
	}
}

func TestHeaderHitAllocatesNothing(t *testing.T) {
	rule := headerRule(t, affinity.DefaultHeader)
	r := request(http.Header{"X-Session-Id": {affinity.NewID()}, "Accept": {"*/*"}})
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if claim, err := rule.Extract(r); err != nil || claim.Fresh {
			t.Error("not a hit")
		}
	}))
}
