package load

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/proof"
)

// customer is a client's side of one session, toward one target.
type customer struct {
	Carrier
	*session
	target *url.URL
}

func newCustomer(t testing.TB, carrier, target string) customer {
	t.Helper()
	c, err := ParseCarrier(carrier)
	require.NoError(t, err)
	u, err := url.Parse(target)
	require.NoError(t, err)
	s := &session{}
	c.begin(s, "own-id")
	return customer{c, s, u}
}

// sends is what the session's next request carries.
func (c customer) sends() string { return string(c.stamp(nil, c.session, c.target)) }

// hears takes in a response with header lines of one name.
func (c customer) hears(name string, values ...string) (renamed bool) {
	return c.learn(c.session, c.target, http.Header{name: values})
}

func TestCarriersThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "header", "header:", "given:", "given", "header:A B", "header:A\r\nB: c", "header: A", "cookie:", "cookie:a", "Cookie", "jar", strings.Repeat("x", 10_000),
	} {
		_, err := ParseCarrier(text)
		require.ErrorIs(t, err, ErrCarrier, text)
		require.Less(t, len(err.Error()), 300)
	}
}

func TestHeaderCarriesTheClientsOwnID(t *testing.T) {
	c := newCustomer(t, "header:x-session-id", "http://h/")
	require.Equal(t, "X-Session-Id: own-id\r\n", c.sends())
	require.False(t, c.hears("X-Session-Id", "another"))
	require.Equal(t, "X-Session-Id: own-id\r\n", c.sends())
}

func TestGivenIDIsSentFromThenOn(t *testing.T) {
	c := newCustomer(t, "given:x-session-id", "http://h/")
	require.Empty(t, c.sends())
	require.False(t, c.hears("Other", "a"))
	require.False(t, c.hears("X-Session-Id", ""))
	require.Empty(t, c.sends())
	require.False(t, c.hears("X-Session-Id", "a"), "it had none")
	require.Equal(t, "X-Session-Id: a\r\n", c.sends())
	require.False(t, c.hears("X-Session-Id", "a"))
	require.False(t, c.hears("X-Session-Id", ""))
	require.Equal(t, "X-Session-Id: a\r\n", c.sends())
	require.False(t, c.hears("X-Session-Id", "b\r\nEvil: c"))
	require.True(t, c.hears("X-Session-Id", "b"))
	require.Equal(t, "X-Session-Id: b\r\n", c.sends())
}

// TestAnotherIDIsAnotherSessionToTheProxy, so that its epochs begin anew.
func TestAnotherIDIsAnotherSessionToTheProxy(t *testing.T) {
	for carrier, names := range map[string][]string{"given:X-Id": {"X-Id", "a", "b"}, "cookie": {"Set-Cookie", "s=a", "s=b"}} {
		c := newCustomer(t, carrier, "http://h/")
		c.hears(names[0], names[1])
		c.state.Saw(proof.Observation{From: "a", Event: "created", Epoch: 9})
		c.hears(names[0], names[2])
		require.Equal(t, proof.Moved, c.state.Saw(proof.Observation{From: "b", Event: "created", Epoch: 3}).Kind, carrier)
	}
}

func TestCookies(t *testing.T) {
	for name, row := range map[string]struct {
		target string
		given  []string
		sends  string
	}{
		"one":                    {"http://h/", []string{"s=1"}, "s=1"},
		"several":                {"http://h/", []string{"a=1; Path=/", "b=2"}, "a=1; b=2"},
		"the longer path first":  {"http://h/x/y", []string{"a=1; Path=/", "b=2; Path=/x"}, "b=2; a=1"},
		"the later one":          {"http://h/", []string{"a=1", "a=2"}, "a=2"},
		"another path":           {"http://h/x", []string{"a=1; Path=/y", "b=2; Path=/x"}, "b=2"},
		"another path's segment": {"http://h/xy", []string{"a=1; Path=/x"}, ""},
		"the target's folder":    {"http://h/x/y", []string{"a=1"}, "a=1"},
		"another domain":         {"http://a.test/", []string{"a=1; Domain=b.test", "b=2; Domain=a.test"}, "b=2"},
		"secure":                 {"http://h/", []string{"a=1; Secure"}, ""},
		"secure, over TLS":       {"https://h/", []string{"a=1; Secure; HttpOnly; SameSite=Strict"}, "a=1"},
		"one that is deleted":    {"http://h/", []string{"a=1", "a=; Max-Age=0"}, ""},
		"one that was":           {"http://h/", []string{"a=1", "a=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, ""},
		"attributes of no sense": {"http://h/", []string{"a=1; Max-Age=x; Path; ;; =; SameSite"}, "a=1"},
		"quotes":                 {"http://h/", []string{`a="x y"`}, `a="x y"`},
		"JSON":                   {"http://h/", []string{`a={"id":1,"b":"\\"}`}, `a={"id":1,"b":"\\"}`},
		"past ASCII":             {"http://h/", []string{"a=ü"}, "a=ü"},
		"an equals sign":         {"http://h/", []string{"a=b==; Path=/"}, "a=b=="},
		"an empty value":         {"http://h/", []string{"a="}, "a="},
		"blanks around it":       {"http://h/", []string{" a \t= b ; Path=/"}, "a=b"},
		"no name":                {"http://h/", []string{"=b", "b", "", ";"}, ""},
		"a control character":    {"http://h/", []string{"a=\x01", "b=\r\nEvil: c", "c=\x00", "d=\rx", "e\n=x"}, ""},
		"too long":               {"http://h/", []string{"a=" + strings.Repeat("x", maxCookie)}, ""},
		"just not too long":      {"http://h/", []string{"a=" + strings.Repeat("x", maxCookie-1)}, "a=" + strings.Repeat("x", maxCookie-1)},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCustomer(t, "cookie", row.target)
			require.Empty(t, c.sends())
			c.hears("Set-Cookie", row.given...)
			want := ""
			if row.sends != "" {
				want = "Cookie: " + row.sends + "\r\n"
			}
			require.Equal(t, want, c.sends())
		})
	}
}

func TestCookiesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCustomer(t, "cookie", "http://h/")
		c.hears("Set-Cookie", "a=1; Max-Age=60", "b=2; Expires="+time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		time.Sleep(59 * time.Second)
		require.Equal(t, "Cookie: a=1; b=2\r\n", c.sends())
		time.Sleep(2 * time.Second)
		require.Equal(t, "Cookie: b=2\r\n", c.sends())
		time.Sleep(time.Hour)
		require.Empty(t, c.sends())
	})
}

// TestSessionsAreNamedByTheirFirstCookie, for reports.
func TestSessionsAreNamedByTheirFirstCookie(t *testing.T) {
	c := newCustomer(t, "cookie", "http://h/")
	require.False(t, c.hears("Set-Cookie", "gone=1; Max-Age=0", "old=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"))
	require.Empty(t, c.id)
	require.False(t, c.hears("Set-Cookie", "s=1", "t=2"))
	require.Equal(t, "s=1", c.id)
	require.False(t, c.hears("Set-Cookie", "s=1"))
	require.False(t, c.hears("Set-Cookie", "t=3"))
	require.False(t, c.hears("Set-Cookie", "s=; Max-Age=0"))
	require.Equal(t, "s=1", c.id)
	require.True(t, c.hears("Set-Cookie", "t=4", "s=2"))
	require.Equal(t, "s=2", c.id)
}

// TestCookiesAreBounded: a target that gives a new cookie with every answer fills no memory and makes no request long.
func TestCookiesAreBounded(t *testing.T) {
	c := newCustomer(t, "cookie", "http://h/")
	for n := range 1000 {
		c.hears("Set-Cookie", fmt.Sprintf("c%d=1", n), fmt.Sprintf("s=1; Path=/%d", n), fmt.Sprintf("s=1; Domain=%d.h", n))
	}
	require.Len(t, c.cookies, maxCookies)
	require.Less(t, len(c.sends()), 1000)
	c.hears("Set-Cookie", "c0=2")
	require.Contains(t, c.sends(), "c0=2", "one that it has is still changed")
}

// TestTargetsAreOneSiteToCookies: replicas have their addresses, and one name.
func TestTargetsAreOneSiteToCookies(t *testing.T) {
	for host, want := range map[string]string{"": "10.0.0.1:80", "service.test": "service.test"} {
		p := Plan{Targets: targets(t, "https://10.0.0.1:80/a/", "https://10.0.0.2:81/a/b", "http://10.0.0.3/a/", "https://10.0.0.4/c")}
		p.Carrier, _ = ParseCarrier("cookie")
		if host != "" {
			p.Header = http.Header{"host": {host}}
		}
		p = p.withDefaults()
		require.NoError(t, p.check())
		require.Equal(t, want, p.Carrier.site)
		s := &session{}
		p.Carrier.begin(s, "")
		p.Carrier.learn(s, p.Targets[0].URL, http.Header{"Set-Cookie": {"s=1; Path=/a; Secure"}})
		for i, want := range []string{"Cookie: s=1\r\n", "Cookie: s=1\r\n", "", ""} {
			require.Equal(t, want, string(p.Carrier.stamp(nil, s, p.Targets[i].URL)), p.Targets[i].URL)
		}
	}
}

// FuzzParseCarrier: what a session carries is at most one header line, whatever the carrier's name and whatever the
// target calls the session.
func FuzzParseCarrier(f *testing.F) {
	for _, carrier := range []string{"header:X-Session-Id", "given:X-Session-Id", "cookie", "given:\r\n", "header:é"} {
		for _, value := range []string{"a", "s=1; Path=/", "s=\"\r\nEvil: x\"", "a\rb=c", "=\x00", "s=1; Domain=h; Max-Age=-1", "s\n=1"} {
			f.Add(carrier, value, value)
		}
	}
	f.Fuzz(func(t *testing.T, text, first, second string) {
		carrier, err := ParseCarrier(text)
		if err != nil {
			require.ErrorIs(t, err, ErrCarrier)
			return
		}
		again, err := ParseCarrier(carrier.String())
		require.NoError(t, err)
		require.Equal(t, carrier, again)

		c := newCustomer(t, text, "http://h/")
		name := carrier.header
		if carrier.kind == byCookie {
			name = "Set-Cookie"
		}
		for _, value := range []string{first, second} {
			c.hears(name, value)
			sends := c.sends()
			if sends == "" {
				continue
			}
			line, found := strings.CutSuffix(sends, "\r\n")
			require.True(t, found, "%q", sends)
			require.False(t, strings.ContainsFunc(line, func(r rune) bool { return r == '\r' || r == '\n' || r == 0 }), "%q", sends)
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader([]byte("GET / HTTP/1.1\r\nHost: h\r\n" + sends + "\r\n"))))
			require.NoError(t, err, "%q", sends)
			require.LessOrEqual(t, len(r.Header), 1)
		}
	})
}
