package affinity_test

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

// FuzzQuerySource: an ID is the only value that net/url reads of the parameter, and no splitter at semicolons reads another.
func FuzzQuerySource(f *testing.F) {
	for _, q := range []string{"room=a", "room=a&room=b", "room=a;room=b", "r%6fom=a", "room=%61", "room", "room=%zz", "%zz=1&room=a", "x;y&room=a", "room=a&;", "room=+a"} {
		f.Add(q)
	}
	rule := sourcesRule(f, affinity.Source{Query: "room"})
	f.Fuzz(func(t *testing.T, query string) {
		r := request(nil)
		r.URL.RawQuery = query
		claim, err := rule.Extract(r)
		values, _ := url.ParseQuery(query) // keeps the pairs that it can read
		split, _ := url.ParseQuery(strings.ReplaceAll(query, ";", "&"))
		switch {
		case err != nil:
			require.ErrorIs(t, err, affinity.ErrInvalid)
			require.Zero(t, claim)
		case claim.Fresh:
			requireFresh(t, claim)
			require.Empty(t, values["room"])
			require.Empty(t, split["room"])
		default:
			require.Regexp(t, idForm, claim.ID)
			require.Equal(t, []string{claim.ID}, values["room"])
			require.Equal(t, []string{claim.ID}, split["room"])
		}
	})
}

// FuzzPathSource: an ID is where the template says, whether the path is split before it is decoded or after.
func FuzzPathSource(f *testing.F) {
	for _, p := range []string{"/rooms/a", "/rooms/a/b", "/rooms/a/../b", "/rooms%2Fa", "//rooms/a", "/rooms//a", "/rooms/%61", "/", "/rooms/", "/rooms/a/%2e%2e", "/x/..//rooms/a"} {
		f.Add(p)
	}
	rule := sourcesRule(f, affinity.Source{Path: "/rooms/{id}"})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI("/" + strings.TrimPrefix(raw, "/"))
		if err != nil {
			return
		}
		r := request(nil)
		r.URL = u
		claim, err := rule.Extract(r)
		segments := strings.Split(path.Clean(u.Path), "/")
		inPlace := len(segments) > 2 && segments[1] == "rooms"
		switch {
		case err != nil:
			require.ErrorIs(t, err, affinity.ErrInvalid)
			require.Zero(t, claim)
		case claim.Fresh:
			requireFresh(t, claim)
			require.False(t, inPlace, u.Path)
		default:
			require.Regexp(t, idForm, claim.ID)
			require.True(t, inPlace)
			require.Equal(t, claim.ID, segments[2])
			first, err := url.PathUnescape(strings.Split(u.EscapedPath(), "/")[2])
			require.NoError(t, err)
			require.Equal(t, claim.ID, first)
		}
	})
}

// FuzzCookieSource: an ID is the only value of its cookie, as net/http reads them too.
func FuzzCookieSource(f *testing.F) {
	for _, line := range []string{"sid=a", "sid=a; sid=b", "sid", `sid="a"`, ";;sid=a", "x=sid=a", "sid=a\t", "sid\xff=a"} {
		f.Add(line, "")
		f.Add(line, "sid=b")
	}
	rule := sourcesRule(f, affinity.Source{Cookie: "sid"})
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Count(a+b, ";") > 1000 {
			return // net/http gives up reading at 3000 cookies, and is then no oracle
		}
		r := request(http.Header{"Cookie": {a, b}})
		claim, err := rule.Extract(r)
		read := r.CookiesNamed("sid")
		switch {
		case err != nil:
			require.ErrorIs(t, err, affinity.ErrInvalid)
			require.Zero(t, claim)
		case claim.Reserve:
			require.Equal(t, affinity.Claim{Reserve: true}, claim)
			require.Empty(t, read)
		default:
			require.Equal(t, affinity.Claim{ID: claim.ID}, claim)
			require.Regexp(t, idForm, claim.ID)
			require.Len(t, read, 1)
			require.Equal(t, claim.ID, read[0].Value)
		}
	})
}
