package proxy

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func routed(name, host, path string) *Function {
	return &Function{Config: FunctionConfig{Name: name, Match: MatchConfig{Host: host, Path: path}}}
}

func TestRoutesMatch(t *testing.T) {
	routes := NewRoutes([]*Function{
		routed("any", "", "/"),
		routed("a", "", "/a"),
		routed("ab", "", "/a/b/"),
		routed("hosted", "H.example", "/x"),
	})
	for _, c := range []struct{ host, path, want string }{
		{"other", "/", "any"},
		{"other", "/a", "a"},
		{"other", "/a/", "a"},
		{"other", "/a/c", "a"},
		{"other", "/ab", "any"}, // a prefix ends at a segment boundary
		{"other", "/a/b", "ab"},
		{"other", "/a/b/c", "ab"},
		{"other", "/a/bc", "a"},
		{"h.example", "/x/1", "hosted"},
		{"H.EXAMPLE.:8080", "/x", "hosted"},
		{"h.example", "/a", "a"}, // the host has no such path: those of every host
		{"[::1]:80", "/a", "a"},
		{"[::1]", "/", "any"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://h"+c.path, nil)
		r.Host = c.host
		f := routes.Match(r)
		require.NotNil(t, f, "%s %s", c.host, c.path)
		require.Equal(t, c.want, f.Config.Name, "%s %s", c.host, c.path)
	}
}

func TestRoutesNoMatch(t *testing.T) {
	routes := NewRoutes([]*Function{routed("a", "", "/a"), routed("h", "h", "/")})
	for _, path := range []string{"/", "/b", "*"} {
		r := httptest.NewRequest(http.MethodGet, "http://other/", nil)
		r.URL.Path = path
		require.Nil(t, routes.Match(r), path)
	}
}

func TestRoutesNamed(t *testing.T) {
	latest, prod := routed("f", "", "/a"), routed("f", "", "/b")
	latest.Config.Qualifier, prod.Config.Qualifier = "LATEST", "prod"
	routes := NewRoutes([]*Function{latest, prod})
	require.Same(t, latest, routes.Named("f", "LATEST"))
	require.Same(t, prod, routes.Named("f", "prod"))
	for _, name := range []functionName{{"f", ""}, {"f", "other"}, {"", ""}, {"F", "prod"}, {"prod", "f"}} {
		require.Nil(t, routes.Named(name.function, name.qualifier))
	}
}

func TestRoutesMatchAllocatesNothing(t *testing.T) {
	routes := NewRoutes([]*Function{routed("any", "", "/"), routed("a", "h", "/a")})
	r := httptest.NewRequest(http.MethodGet, "http://h:80/a/b/c", nil)
	require.Zero(t, testing.AllocsPerRun(100, func() { routes.Match(r) }))
}
