package affinity_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCookieForwardTakesOursOut(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	for _, tc := range []struct{ in, want []string }{
		{[]string{"limpet-session=x"}, nil},
		{[]string{"limpet-session"}, nil},
		{[]string{"limpet-session=x;"}, nil},
		{[]string{" ; limpet-session=x ;; "}, nil},
		{[]string{""}, nil},
		{[]string{"a=1; limpet-session=x"}, []string{"a=1"}},
		{[]string{"limpet-session=x; a=1"}, []string{"a=1"}},
		{[]string{"a=1; limpet-session=x; b=2"}, []string{"a=1; b=2"}},
		{[]string{"a=1;limpet-session=x;b=2;"}, []string{"a=1;b=2;"}},
		{[]string{"limpet-session=1; a=1; limpet-session=2; limpet-session=3"}, []string{"a=1"}},
		{[]string{"a=1", "limpet-session=x", "b=2"}, []string{"a=1", "b=2"}},
		{[]string{"a=1;\t limpet-session \t= x ;  b = \"q;r\" "}, []string{"a=1;  b = \"q;r\" "}},
		{[]string{`a="x; limpet-session=y; z"`}, []string{`a="x; z"`}},
		{[]string{"limpet-session2=x; xlimpet-session=y; Limpet-Session=z; =limpet-session=w"},
			[]string{"limpet-session2=x; xlimpet-session=y; Limpet-Session=z; =limpet-session=w"}},
		{[]string{"a=limpet-session=x;; ; b=%20+\xff\x01, limpet-session=1"},
			[]string{"a=limpet-session=x;; ; b=%20+\xff\x01, limpet-session=1"}},
	} {
		in := http.Header{"Cookie": append([]string(nil), tc.in...), "X-Other": {"kept"}}
		out := http.Header{"Cookie": in["Cookie"], "X-Other": {"kept"}}
		rule.Forward(out, "id")
		want := http.Header{"X-Other": {"kept"}}
		if tc.want != nil {
			want["Cookie"] = tc.want
		}
		require.Equal(t, want, out, "%q", tc.in)
		require.Equal(t, tc.in, in["Cookie"], "the client's request must stay as it is")
	}
	none := http.Header{"Accept": {"*/*"}}
	rule.Forward(none, "id")
	require.Equal(t, http.Header{"Accept": {"*/*"}}, none)
}

func TestNewSessionIsNotCachedForAll(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	for _, tc := range []struct {
		in   []string
		want string
	}{
		{nil, "private"},
		{[]string{""}, "private"},
		{[]string{"public"}, "private"},
		{[]string{"PUBLIC, Max-Age=60"}, "private, Max-Age=60"},
		{[]string{"max-age=60, s-maxage=600, public, must-revalidate"}, "private, max-age=60, must-revalidate"},
		{[]string{"no-store"}, "private, no-store"},
		{[]string{"public", "no-store"}, "private, no-store"},
		{[]string{"private"}, "private"},
		{[]string{`private="Set-Cookie, X-A", max-age=1`}, "private, max-age=1"},
		{[]string{`no-cache="Set-Cookie, public", public`}, `private, no-cache="Set-Cookie, public"`},
		{[]string{`x="a\", public", public`}, `private, x="a\", public"`},
		{[]string{`x="open, max-age=60, public`}, "private, no-store"},
		{[]string{`x="a`, `b", public`}, `private, x="a,b"`},
		{[]string{" ,, public ,S-MaxAge = 5,"}, "private"},
	} {
		h := http.Header{}
		if tc.in != nil {
			h["Cache-Control"] = tc.in
		}
		rule.Respond(h, grant("id"))
		require.Equal(t, []string{tc.want}, h["Cache-Control"], "%q", tc.in)
	}
}

func TestNewSessionOverrulesTargetedCaches(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	h := http.Header{
		"Cdn-Cache-Control": {"max-age=600"}, "Cloudflare-Cdn-Cache-Control": {"max-age=600"},
		"Surrogate-Control": {"max-age=600"}, "X-Accel-Expires": {"600"}, "Edge-Control": {"max-age=600"}, "Etag": {`"x"`},
	}
	rule.Respond(h, grant("id"))
	require.Len(t, h["Set-Cookie"], 1)
	delete(h, "Set-Cookie")
	require.Equal(t, http.Header{"Cache-Control": {"private"}, "Etag": {`"x"`}}, h)
}
