package affinity_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

// sourcesRule is HEADER_FIELD with these places, as a file that gives no header has it.
func sourcesRule(t testing.TB, sources ...affinity.Source) affinity.Rule {
	t.Helper()
	cfg := affinity.DefaultConfig()
	cfg.Sources = sources
	cfg.Settle(func(string) bool { return false })
	rule, err := affinity.New(cfg, affinity.Scope{Function: "rooms"})
	require.NoError(t, err)
	return rule
}

// target is a request for a target, as a server reads it.
func target(t testing.TB, target string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestSourcesInOrder(t *testing.T) {
	h, q := affinity.Source{Header: "X-Room-Id"}, affinity.Source{Query: "room"}
	p, c := affinity.Source{Path: "/rooms/{id}/"}, affinity.Source{Cookie: "sid"}
	both := []affinity.Source{h, q, p, c}
	for i, s := range both {
		rest := append(append([]affinity.Source{s}, both[:i]...), both[i+1:]...)
		claim, err := sourcesRule(t, rest...).Extract(target(t, "/rooms/in-path?room=in-query", "X-Room-Id", "in-header", "Cookie", "sid=in-cookie"))
		require.NoError(t, err)
		require.Equal(t, affinity.Claim{ID: []string{"in-header", "in-query", "in-path", "in-cookie"}[i]}, claim, "the first counts")
	}
	rule := sourcesRule(t, both...)
	for want, r := range map[string]*http.Request{
		"in-query":  target(t, "/rooms/in-path?room=in-query", "Cookie", "sid=in-cookie"),
		"in-path":   target(t, "/rooms/in-path", "Cookie", "sid=in-cookie"),
		"in-cookie": target(t, "/", "Cookie", "sid=in-cookie"),
	} {
		claim, err := rule.Extract(r)
		require.NoError(t, err)
		require.Equal(t, affinity.Claim{ID: want}, claim, "what has none is passed over")
	}
}

func TestAnIllFormedSourceIsNotPassedOver(t *testing.T) {
	rule := sourcesRule(t, affinity.Source{Query: "room"}, affinity.Source{Header: "X-Room-Id"})
	for _, query := range []string{"room=", "room", "room=-a", "room=a%20b", "room=a+b", "room=%zz", "room=a&room=a", "room=a&room=b", "room=a&r%6fom=b"} {
		claim, err := rule.Extract(target(t, "/?"+query, "X-Room-Id", "good"))
		require.ErrorIs(t, err, affinity.ErrInvalid, query)
		require.Zero(t, claim)
		require.ErrorContains(t, err, "query parameter room")
		require.ErrorContains(t, err, "accept")
	}
}

func TestQuerySource(t *testing.T) {
	rule := sourcesRule(t, affinity.Source{Query: "room"})
	for query, want := range map[string]string{
		"room=a": "a", "x=1&room=a": "a", "room=a&x=%zz": "a", "r%6Fom=%61": "a", "room=a&x=1;y=2": "a", "room=" + strings.Repeat("x", 64): strings.Repeat("x", 64),
		"Room=a": "", "rooms=a": "", "room[]=a": "", "": "", "&&": "", "x=room=a": "", "%zz=a": "", "room%=a": "",
	} {
		claim, err := rule.Extract(target(t, "/?"+query))
		require.NoError(t, err, query)
		require.Equal(t, want == "", claim.Fresh, query)
		if want != "" {
			require.Equal(t, want, claim.ID)
		}
	}
}

// Go's reading drops a pair with a semicolon, others split it.
func TestQuerySourceBesideASemicolon(t *testing.T) {
	rule := sourcesRule(t, affinity.Source{Query: "room"})
	for _, query := range []string{"room=a;room=b", "room=a&x=1;room=b", "x=1;room=b", "room=a;x", ";room=b", "room;", "x;r%6fom"} {
		_, err := rule.Extract(target(t, "/?"+query))
		require.ErrorIs(t, err, affinity.ErrInvalid, query)
		require.ErrorContains(t, err, "semicolon")
	}
}

func TestPathSource(t *testing.T) {
	for template, paths := range map[string]map[string]string{
		"/rooms/{id}/": {
			"/rooms/a": "a", "/rooms/a/": "a", "/rooms/a/b/c": "a", "/rooms/%61": "a", "/r%6Foms/a": "a", "/rooms/a//b": "a", "/rooms/a/b%2Fc": "a",
			"/": "", "/rooms": "", "/rooms/": "", "/room/a": "", "/Rooms/a": "", "/x/rooms/a": "", "/files/a%2Fb": "", "/x/../y": "",
		},
		"/{id}":            {"/a": "a", "/a/b": "a", "/": ""},
		"/v1/{id}/state/x": {"/v1/a/state/x": "a", "/v1/a/state/x/y": "a", "/v1/a/state": "", "/v1/a/state/xy": "", "/v1/a": ""},
	} {
		rule := sourcesRule(t, affinity.Source{Path: template})
		for path, want := range paths {
			claim, err := rule.Extract(target(t, path))
			require.NoError(t, err, path)
			require.Equal(t, want == "", claim.Fresh, path)
			if want != "" {
				require.Equal(t, want, claim.ID, path)
			}
		}
	}
}

// A path that an instance, or what stands before it, may read as another is refused: its client would be routed by the
// one and served by the other.
func TestPathsThatCanBeReadInTwoWays(t *testing.T) {
	rule := sourcesRule(t, affinity.Source{Path: "/rooms/{id}"})
	for _, path := range []string{
		"/rooms/a/../b", "/rooms/a/%2e%2e/b", "/rooms/a/..%2Fb", "/x/../rooms/a", "/rooms/./a", "//rooms/a", "/rooms//a", "/rooms%2Fa",
		"/rooms%2fa%2fb", "/rooms/a%2Fb", "/rooms/a/..", "/rooms/../rooms/b", "/./rooms/a",
	} {
		claim, err := rule.Extract(target(t, path))
		require.ErrorIs(t, err, affinity.ErrInvalid, path)
		require.ErrorContains(t, err, "two ways", path)
		require.Zero(t, claim)
	}
	for _, path := range []string{"/rooms/-a", "/rooms/a.b", "/rooms/a;v=1", "/rooms/a%00", "/rooms/ä", "/rooms/" + strings.Repeat("x", 65), "/rooms/{id}", "/rooms/%2561"} {
		_, err := rule.Extract(target(t, path))
		require.ErrorIs(t, err, affinity.ErrInvalid, path)
		require.ErrorContains(t, err, "path /rooms/{id} accepts", path)
	}
}

func TestAPathIsLoggedWithoutTheID(t *testing.T) {
	cfg := affinity.Config{Sources: []affinity.Source{{Query: "id"}, {Path: "/rooms/{id}/x/"}, {Path: "/{id}"}}}
	for path, want := range map[string]string{
		"/rooms/rooms/x": "/{id}/{id}/x", "/rooms/a/x/b": "/{id}/{id}/x/b", "/a": "/{id}", "/a/": "/{id}/", "/": "/", "": "", "*": "{id}", "//a": "//a",
	} {
		require.Equal(t, want, cfg.HideID(path))
	}
}

func TestCookieSource(t *testing.T) {
	rule := sourcesRule(t, affinity.Source{Cookie: "sid"})
	for line, want := range map[string]affinity.Claim{
		"sid=a": {ID: "a"}, "x=1; sid=a; y": {ID: "a"}, " sid =a ": {ID: "a"},
		"": {Reserve: true}, "x=1": {Reserve: true}, "Sid=a": {Reserve: true}, "xsid=a": {Reserve: true},
	} {
		claim, err := rule.Extract(target(t, "/", "Cookie", line))
		require.NoError(t, err, line)
		require.Equal(t, want, claim, line)
	}
	for _, line := range []string{"sid=", "sid", `sid="a"`, "sid=a.b", "sid=s%3Aa", "sid=a; sid=a", "sid=a; sid=b", "sid=" + strings.Repeat("x", 65)} {
		claim, err := rule.Extract(target(t, "/", "Cookie", line))
		require.ErrorIs(t, err, affinity.ErrInvalid, line)
		require.ErrorContains(t, err, "cookie sid", line)
		require.Zero(t, claim)
	}
	_, err := rule.Extract(target(t, "/", "Cookie", "sid=a", "Cookie", "sid=b"))
	require.ErrorIs(t, err, affinity.ErrInvalid)
}

func TestSourcesForwardLeavesTheRequestAsItCame(t *testing.T) {
	sources := []affinity.Source{{Query: "room"}, {Header: "X-Room-Id"}, {Header: "X-Other-Id"}}
	out := http.Header{"X-Room-Id": {"b"}, "X_room_id": {"c"}, "X.other-Id": {"c"}, "Cookie": {"sid=x"}}
	sourcesRule(t, sources...).Forward(out, "a")
	require.Equal(t, http.Header{"X-Room-Id": {"a"}, "Cookie": {"sid=x"}}, out, "an instance reads one ID in all headers, and no look-alike")

	out = http.Header{"X-Other-Id": {"b"}, "Cookie": {"sid=x"}}
	sourcesRule(t, append(sources, affinity.Source{Cookie: "sid"})...).Forward(out, "a")
	require.Equal(t, http.Header{"X-Other-Id": {"a"}, "Cookie": {"sid=x"}}, out, "the cookie's value goes into no header that was not there")
}

func TestSourcesRespond(t *testing.T) {
	sources := []affinity.Source{{Query: "room"}, {Header: "X-Other-Id"}, {Header: "X-Room-Id"}}
	rule := sourcesRule(t, sources...)
	require.Equal(t, "X-Other-Id", rule.Header(), "told in the first header of the list")
	h := http.Header{"X-Room-Id": {"b"}, "X-Other-Id": {"b"}, "Cache-Control": {"public"}}
	rule.Respond(h, affinity.Grant{ID: "a", Issue: true})
	require.Equal(t, http.Header{"X-Other-Id": {"a"}, "Cache-Control": {"private"}}, h)

	rule = sourcesRule(t, append(sources, affinity.Source{Cookie: "sid"})...)
	require.Empty(t, rule.Header())
	h = http.Header{"X-Room-Id": {"b"}, "Cache-Control": {"public"}, "Set-Cookie": {"other=1"}}
	rule.Respond(h, affinity.Grant{ID: "a", Issue: true})
	require.Equal(t, http.Header{"Cache-Control": {"public"}, "Set-Cookie": {"other=1"}}, h, "the cookie's value is told in no header")
	h.Add("Set-Cookie", "sid=a; HttpOnly")
	rule.Respond(h, affinity.Grant{ID: "a"})
	require.Equal(t, http.Header{"Cache-Control": {"private"}, "Set-Cookie": {"other=1", "sid=a; HttpOnly"}}, h, "a shared cache gives no session away")
}

func TestSourceValidation(t *testing.T) {
	for _, tc := range []struct {
		sources []affinity.Source
		want    string
	}{
		{[]affinity.Source{{}}, "sources[0]: names 0 places, accepted is one of header, query, path and cookie"},
		{[]affinity.Source{{Header: "X-Room-Id", Query: "room"}}, "sources[0]: names 2 places"},
		{[]affinity.Source{{Query: "a"}, {Header: "Cookie"}}, "sources[1].header: has a meaning in HTTP"},
		{[]affinity.Source{{Header: "X-A"}}, "sources[0].header: has 3 characters"},
		{[]affinity.Source{{Query: "a b"}}, "sources[0].query: has the character ' '"},
		{[]affinity.Source{{Query: strings.Repeat("x", 65)}}, "sources[0].query: has 65 characters"},
		{[]affinity.Source{{Cookie: "a b"}}, "sources[0].cookie: has the character ' '"},
		{[]affinity.Source{{Cookie: "a"}, {Cookie: "b"}}, "sources[1].cookie: is a second cookie beside a, accepted is one"},
		{[]affinity.Source{{Header: "X-Room-Id"}, {Header: "x-room-id"}}, "sources[1]: is the same place as sources[0], accepted is each place once"},
		{[]affinity.Source{{Path: "/{id}"}, {Path: "/{id}/"}}, "sources[1]: is the same place as sources[0]"},
		{[]affinity.Source{{Path: "rooms/{id}"}}, `sources[0].path: "rooms/{id}" does not begin with /`},
		{[]affinity.Source{{Path: "/rooms"}}, "sources[0].path: has 0 segments {id}"},
		{[]affinity.Source{{Path: "/{id}/{id}"}}, "sources[0].path: has 2 segments {id}"},
		{[]affinity.Source{{Path: "/a{id}"}}, `sources[0].path: has the segment "a{id}"`},
		{[]affinity.Source{{Path: "/a//{id}"}}, `sources[0].path: has the segment ""`},
		{[]affinity.Source{{Path: "/../{id}"}}, `sources[0].path: has the segment ".."`},
		{[]affinity.Source{{Path: "/%61/{id}"}}, `sources[0].path: has the segment "%61"`},
		{[]affinity.Source{{Path: "/ä/{id}"}}, `sources[0].path: has the segment "ä"`},
		{[]affinity.Source{{Path: "/" + strings.Repeat("x", 255) + "/{id}"}}, "sources[0].path: has 261 characters"},
		{make([]affinity.Source, 9), "sources: has 9 items, accepted are 8 at most"},
	} {
		cfg := affinity.DefaultConfig()
		cfg.Sources = tc.sources
		found := []string{}
		for key, problem := range problems(cfg) {
			found = append(found, key+": "+problem)
		}
		require.Len(t, found, 1, tc.want)
		require.Contains(t, found[0], tc.want)
		_, err := affinity.New(cfg, affinity.Scope{})
		require.Error(t, err)
	}
}

func ExampleNew_sources() {
	cfg := affinity.DefaultConfig()
	cfg.Sources = []affinity.Source{{Path: "/rooms/{id}"}, {Query: "room"}}
	rule, err := affinity.New(cfg, affinity.Scope{Function: "rooms"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, target := range []string{"/rooms/blue/chat?room=red", "/chat?room=red", "/rooms/blue%2Fred"} {
		claim, err := rule.Extract(httptest.NewRequest(http.MethodGet, target, nil))
		fmt.Println(claim.ID, err)
	}
	// Output:
	// blue <nil>
	// red <nil>
	//  invalid session ID: path /rooms/{id} can be read in two ways, accepted is a path without encoded slashes, empty segments and dots
}
