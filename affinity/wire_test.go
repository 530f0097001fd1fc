package affinity_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
)

// front runs a rule the way a proxy does: a reverse proxy with real sockets on both sides. The instance answers with the
// headers that it got, as JSON, and tries to overrule the rule.
func front(t *testing.T, rule affinity.Rule) (addr string) {
	t.Helper()
	instance := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"limpet-session=instance", "app=1"}
		w.Header().Set("X-Session-Id", "instance")
		w.Header().Set("Connection", "X-Session-Id")
		_ = json.NewEncoder(w).Encode(r.Header)
	}))
	t.Cleanup(instance.Close)
	target, err := url.Parse(instance.URL)
	require.NoError(t, err)

	server := httptest.NewServer(proxyHandler(rule, target))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func proxyHandler(rule affinity.Rule, target *url.URL) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claim, err := rule.Extract(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		proxy := httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(target)
				rule.Forward(p.Out.Header, claim.ID)
			},
			ModifyResponse: func(res *http.Response) error {
				rule.Respond(res.Header, affinity.Grant{ID: claim.ID, Issue: claim.Fresh, TTL: time.Hour})
				return nil
			},
		}
		proxy.ServeHTTP(w, r)
	})
}

// exchange sends a head of raw lines and returns the response and the headers that reached the instance.
func exchange(t *testing.T, addr string, lines ...string) (*http.Response, http.Header) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: limpet\r\n"+strings.Join(lines, "\r\n")+"\r\n\r\n")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	var seen http.Header
	if res.StatusCode == http.StatusOK {
		require.NoError(t, json.NewDecoder(res.Body).Decode(&seen))
	}
	return res, seen
}

func TestHeaderOnTheWire(t *testing.T) {
	addr := front(t, headerRule(t, affinity.DefaultHeader))
	for name, tc := range map[string]struct {
		lines []string
		id    string // "" for 400
	}{
		"plain":                      {[]string{"X-Session-Id: a"}, "a"},
		"any case":                   {[]string{"x-SESSION-iD: a"}, "a"},
		"no space, tabs":             {[]string{"X-Session-Id:a\t "}, "a"},
		"named in Connection":        {[]string{"Connection: X-Session-Id, close", "X-Session-Id: a"}, "a"},
		"look-alike beside it":       {[]string{"X-Session-Id: a", "X_Session_Id: b"}, "a"},
		"bare line feeds":            {[]string{"X-Session-Id: a\nAccept: x"}, "a"},
		"64 characters":              {[]string{"X-Session-Id: " + strings.Repeat("x", 64)}, strings.Repeat("x", 64)},
		"65 characters":              {[]string{"X-Session-Id: " + strings.Repeat("x", 65)}, ""},
		"twice":                      {[]string{"X-Session-Id: a", "X-Session-Id: b"}, ""},
		"twice, equal":               {[]string{"X-Session-Id: a", "X-Session-Id: a"}, ""},
		"twice, in different case":   {[]string{"X-Session-Id: a", "x-session-id: a"}, ""},
		"twice, by a bare line feed": {[]string{"X-Session-Id: a\nX-Session-Id: b"}, ""},
		"joined by a comma":          {[]string{"X-Session-Id: a, b"}, ""},
		"empty":                      {[]string{"X-Session-Id:"}, ""},
		"blank":                      {[]string{"X-Session-Id:  \t"}, ""},
		"folded line":                {[]string{"X-Session-Id: a", " b"}, ""},
		"empty, then folded":         {[]string{"X-Session-Id:", " -b"}, ""},
		"blank before the colon":     {[]string{"X-Session-Id : a"}, ""},
		"NUL":                        {[]string{"X-Session-Id: a\x00"}, ""},
		"carriage return":            {[]string{"X-Session-Id: a\rb"}, ""},
		"UTF-8":                      {[]string{"X-Session-Id: ä"}, ""},
		"quoted":                     {[]string{`X-Session-Id: "a"`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			res, seen := exchange(t, addr, tc.lines...)
			if tc.id == "" {
				require.Equal(t, http.StatusBadRequest, res.StatusCode)
				return
			}
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Equal(t, []string{tc.id}, seen["X-Session-Id"])
			require.NotContains(t, seen, "X_session_id")
			require.Equal(t, []string{tc.id}, res.Header["X-Session-Id"])
		})
	}
}

// Only the head counts: neither a look-alike nor a trailer makes a claim.
func TestHeaderElsewhereIsNoClaim(t *testing.T) {
	addr := front(t, headerRule(t, affinity.DefaultHeader))
	for name, lines := range map[string][]string{
		"look-alike": {"X_Session_Id: evil"},
		"longer":     {"X-Session-Id2: evil"},
		"trailer":    {"Transfer-Encoding: chunked", "Trailer: X-Session-Id", "", "0", "X-Session-Id: evil"},
	} {
		t.Run(name, func(t *testing.T) {
			res, seen := exchange(t, addr, lines...)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Len(t, seen["X-Session-Id"], 1)
			require.Regexp(t, `^[0-9a-f]{32}$`, seen.Get("X-Session-Id"))
			require.Equal(t, seen["X-Session-Id"], res.Header["X-Session-Id"])
			require.NotContains(t, seen, "X_session_id")
		})
	}
}

func TestCookieOnTheWire(t *testing.T) {
	rule := cookieRule(t, scope(t, secretA))
	addr := front(t, rule)
	value := issueValue(t, rule, "home")

	for name, tc := range map[string]struct {
		lines   []string
		fresh   bool
		cookies []string // what the instance sees
	}{
		"ours":                {[]string{"Cookie: limpet-session=" + value}, false, nil},
		"named in Connection": {[]string{"Connection: cookie, close", "Cookie: limpet-session=" + value}, false, nil},
		"several lines": {
			[]string{"Cookie: a=1;  b=\"2", "cookie: limpet-session=" + value, "COOKIE: limpet-session2=x;"},
			false, []string{"a=1;  b=\"2", "limpet-session2=x;"},
		},
		"none":              {nil, true, nil},
		"unsigned":          {[]string{"Cookie: a=1; limpet-session=home"}, true, []string{"a=1"}},
		"folded line":       {[]string{"Cookie: limpet-session=" + value[:20], " " + value[20:]}, true, nil},
		"joined by a comma": {[]string{"Cookie: limpet-session=" + value + ", a=1"}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			res, seen := exchange(t, addr, tc.lines...)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Equal(t, tc.cookies, seen["Cookie"])
			var names []string
			for _, cookie := range res.Cookies() {
				names = append(names, cookie.Name)
				require.NotEqual(t, "instance", cookie.Value)
			}
			if !tc.fresh {
				require.Equal(t, []string{"app"}, names)
				return
			}
			require.Equal(t, []string{"app", "limpet-session"}, names)
			require.Equal(t, "private", res.Header.Get("Cache-Control"))
			again, _ := exchange(t, addr, "Cookie: limpet-session="+res.Cookies()[1].Value)
			require.Len(t, again.Cookies(), 1, "the cookie that was given is adopted")
		})
	}
}

// HTTP/2 sends each cookie in a field of its own and header names in lower case.
func TestHTTP2(t *testing.T) {
	cookies := cookieRule(t, scope(t, secretA))
	home := issueValue(t, cookies, "home")
	for name, tc := range map[string]struct {
		rule   affinity.Rule
		header http.Header
		claim  affinity.Claim
		err    error
	}{
		"header":       {headerRule(t, "X-Session-Id"), http.Header{"X-Session-Id": {"home"}}, affinity.Claim{ID: "home"}, nil},
		"header twice": {headerRule(t, "X-Session-Id"), http.Header{"X-Session-Id": {"a", "a"}}, affinity.Claim{}, affinity.ErrInvalid},
		"cookie":       {cookies, http.Header{"Cookie": {"a=1; limpet-session=" + home + "; b=2"}}, affinity.Claim{ID: "home"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				claim, err := tc.rule.Extract(r)
				assert.ErrorIs(t, err, tc.err)
				assert.Equal(t, tc.claim, claim)
				tc.rule.Forward(r.Header, "home")
				w.Header()["Seen-Cookie"] = r.Header["Cookie"]
			}))
			server.EnableHTTP2 = true
			server.StartTLS()
			defer server.Close()
			r, err := http.NewRequest(http.MethodGet, server.URL, nil)
			require.NoError(t, err)
			r.Header = tc.header
			res, err := server.Client().Do(r)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, 2, res.ProtoMajor)
			if tc.header.Get("Cookie") != "" {
				require.Equal(t, []string{"a=1; b=2"}, res.Header["Seen-Cookie"])
			}
		})
	}
}
