package load

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

func targets(t testing.TB, urls ...string) (all []*wire.Target) {
	t.Helper()
	for _, u := range urls {
		target, err := wire.NewTarget(u)
		require.NoError(t, err)
		all = append(all, target)
	}
	return all
}

// sound is a plan that can be carried out.
func sound(t testing.TB) Plan {
	t.Helper()
	p := Plan{Targets: targets(t, "http://127.0.0.1:80/a?b=c")}
	var err error
	p.Carrier, err = ParseCarrier(DefaultCarrier)
	require.NoError(t, err)
	return p
}

func TestDefaults(t *testing.T) {
	p := sound(t).withDefaults()
	require.NoError(t, p.check())
	require.Equal(t, []any{"GET", DefaultSessions, DefaultConnections, DefaultDuration, DefaultTimeout, DefaultEvent, DefaultEpoch, "closed"},
		[]any{p.Method, p.Sessions, p.Connections, p.Duration, p.Timeout, p.Event, p.Epoch, p.model()})

	p = sound(t)
	p.Rate, p.Requests, p.Event, p.Epoch = 10, 5, "x-event", "x-epoch"
	p = p.withDefaults()
	require.NoError(t, p.check())
	require.Equal(t, []any{DefaultOpenConnections, time.Duration(0), "X-Event", "X-Epoch", "open"},
		[]any{p.Connections, p.Duration, p.Event, p.Epoch, p.model()})
}

func TestPlansAreChecked(t *testing.T) {
	header := func(name string, values ...string) func(*Plan) {
		return func(p *Plan) { p.Header = http.Header{name: values} }
	}
	byCookies := func(p *Plan) { p.Carrier, _ = ParseCarrier("cookie") }
	for want, break1 := range map[string]func(*Plan){
		"no target":             func(p *Plan) { p.Targets = nil },
		"no carrier":            func(p *Plan) { p.Carrier = Carrier{} },
		`method "A B"`:          func(p *Plan) { p.Method = "A B" },
		`method "A\r\nB"`:       func(p *Plan) { p.Method = "A\r\nB" },
		"CONNECT":               func(p *Plan) { p.Method = "CONNECT" },
		"the body has":          func(p *Plan) { p.Body = make([]byte, MaxBody+1) },
		"-1 sessions":           func(p *Plan) { p.Sessions = -1 },
		"1000001 sessions":      func(p *Plan) { p.Sessions = MaxSessions + 1 },
		"-1 connections":        func(p *Plan) { p.Connections = -1 },
		"60001 connections":     func(p *Plan) { p.Connections = MaxConnections + 1 },
		"a rate of -1":          func(p *Plan) { p.Rate = -1 },
		"a rate of NaN":         func(p *Plan) { p.Rate = math.NaN() },
		"a rate of +Inf":        func(p *Plan) { p.Rate = math.Inf(1) },
		"a number below 0":      func(p *Plan) { p.Requests = -1 },
		"number below 0":        func(p *Plan) { p.SessionRequests = -1 },
		"number below":          func(p *Plan) { p.Retries = -1 },
		"a time below 0":        func(p *Plan) { p.Duration = -1 },
		"time below 0":          func(p *Plan) { p.Ramp = -1 },
		"time below":            func(p *Plan) { p.Timeout = -1 },
		"longer than the run":   func(p *Plan) { p.Duration, p.Ramp = 1, 2 },
		"a span of time":        func(p *Plan) { p.Think = Span{2, 1} },
		"span of time below":    func(p *Plan) { p.SessionLife = Span{-2, -1} },
		"a count can only":      func(p *Plan) { p.Count = source(t, "header:A") },
		"that takes 101":        func(p *Plan) { p.Rate, p.Sessions, p.Think = 100, 99, Span{0, time.Second} },
		`name "A B"`:            header("A B", "c"),
		`name "A\r\nB"`:         header("A\r\nB", "c"),
		`name ""`:               header("", "c"),
		"Content-Length is":     header("content-length", "1"),
		"Transfer-Encoding is":  header("transfer-encoding", "chunked"),
		"Connection is":         header("CONNECTION", "close"),
		"Upgrade is":            header("Upgrade", "x"),
		"Expect is":             header("Expect", "100-continue"),
		"X-Session-Id carries":  header("x-session-id", "1"),
		`"A" has a value`:       header("A", "b", "c\r\nEvil: d"),
		`"B" has a value`:       header("B", "c\nd"),
		`"C" has a value`:       header("C", "d\x00"),
		`Host is ["a" "b"]`:     header("Host", "a", "b"),
		`Host is ["a b"]`:       header("host", "a b"),
		`Host is ["a/b"]`:       header("host", "a/b"),
		`Host is ["u@a"]`:       header("host", "u@a"),
		`Host is [""]`:          header("host", ""),
		`Host is ["a\r\nB: c"]`: header("host", "a\r\nB: c"),
		"Cookie carries": func(p *Plan) {
			byCookies(p)
			header("cookie", "a=b")(p)
		},
	} {
		p := sound(t)
		break1(&p)
		_, err := New(p)
		require.ErrorIs(t, err, ErrPlan, want)
		require.ErrorContains(t, err, want)
	}
	for name, change := range map[string]func(*Plan){
		"a cookie beside a header": header("Cookie", "a=b"),
		"a host":                   header("host", "example.com:8080"),
		"an address":               header("Host", "[::1]:80"),
		"values past ASCII":        header("A", "é", "", "b\tc"),
		"as many as they rest":     func(p *Plan) { p.Rate, p.Sessions, p.Think = 100, 100, Span{0, time.Second} },
		"few, in the closed model": func(p *Plan) { p.Sessions, p.Think = 1, Span{time.Hour, time.Hour} },
		"a ramp of the whole run":  func(p *Plan) { p.Duration, p.Ramp = time.Second, time.Second },
		"a ramp, by number":        func(p *Plan) { p.Requests, p.Ramp = 10, time.Hour },
		"the largest":              func(p *Plan) { p.Sessions, p.Connections, p.Rate = MaxSessions, MaxConnections, MaxRate },
	} {
		p := sound(t)
		change(&p)
		_, err := New(p)
		require.NoError(t, err, name)
	}
}

func TestEveryProblemIsSaid(t *testing.T) {
	_, err := New(Plan{Method: "A B", Sessions: -1, Header: http.Header{"Expect": {"a\n"}}})
	for _, want := range []string{"no target", "method", "-1 sessions", "Expect is", "no carrier", "line end"} {
		require.ErrorContains(t, err, want)
	}
}

// request is what a server reads of a planned one.
func request(t testing.TB, p Plan, stamp string) (*http.Request, string) {
	t.Helper()
	p = p.withDefaults()
	require.NoError(t, p.check())
	h := p.head(p.Method, p.Targets[0])
	all := bufio.NewReader(bytes.NewReader(bytes.Join([][]byte{h.before, []byte(stamp), h.after, p.Body}, nil)))
	r, err := http.ReadRequest(all)
	require.NoError(t, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	rest, err := io.ReadAll(all)
	require.NoError(t, err)
	require.Empty(t, rest, "the request does not end where the next one begins")
	return r, string(body)
}

func TestHeads(t *testing.T) {
	p := sound(t)
	r, body := request(t, p, "X-Session-Id: a\r\n")
	require.Equal(t, "GET", r.Method)
	require.Equal(t, "/a?b=c", r.RequestURI)
	require.Equal(t, "127.0.0.1:80", r.Host)
	require.Equal(t, http.Header{"User-Agent": {"limpet-load"}, "X-Session-Id": {"a"}}, r.Header)
	require.Empty(t, body)

	p.Header = http.Header{"host": {"example.com"}, "user-agent": {"me"}, "a": {"1", "2"}, "A": {"0"}}
	p.Method, p.Body = "PATCH", []byte("hello")
	r, body = request(t, p, "")
	require.Equal(t, "example.com", r.Host)
	require.Equal(t, http.Header{"User-Agent": {"me"}, "A": {"0", "1", "2"}, "Content-Length": {"5"}}, r.Header)
	require.Equal(t, "hello", body)

	// A method that expects a body says that there is none; another has one if it was given.
	for method, want := range map[string]string{"POST": "0", "PUT": "0", "PATCH": "0", "GET": "", "DELETE": "", "HEAD": ""} {
		p := sound(t)
		p.Method = method
		r, _ = request(t, p, "")
		require.Equal(t, want, r.Header.Get("Content-Length"), method)
		p.Body = []byte{}
		r, _ = request(t, p, "")
		require.Equal(t, "0", r.Header.Get("Content-Length"), method)
	}
}

// FuzzHead: a plan that is accepted makes the request that it says, one line each.
func FuzzHead(f *testing.F) {
	f.Add("GET", "A", "b", []byte("c"))
	f.Add("G\r\n", "A\r\nB", "c\r\nD: e", []byte(nil))
	f.Add("PO", "Host", "a", []byte(""))
	f.Add("GET", "hOST", "a:1", []byte("x"))
	f.Add("GET", "content-length", "0", []byte("x"))
	f.Add("GET", "User-Agent", "", []byte("x"))
	f.Fuzz(func(t *testing.T, method, name, value string, body []byte) {
		p := sound(t)
		p.Method, p.Header, p.Body = method, http.Header{name: {value}}, body
		if planned := p.withDefaults(); planned.check() != nil {
			return
		}
		r, got := request(t, p, "X-Session-Id: a\r\n")
		require.Equal(t, string(body), got)
		require.Equal(t, cmp.Or(method, http.MethodGet), r.Method)
		require.Equal(t, "a", r.Header.Get("X-Session-Id"))
		name = http.CanonicalHeaderKey(name)
		for known := range r.Header {
			require.Contains(t, []string{name, "User-Agent", "X-Session-Id", "Content-Length"}, known)
		}
		if name == "Host" {
			require.Equal(t, value, r.Host)
			return
		}
		require.Equal(t, strings.Trim(value, " \t"), r.Header.Get(name))
	})
}
