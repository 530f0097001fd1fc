package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
)

func TestURLAndHostPassUnchanged(t *testing.T) {
	type seen struct{ uri, host string }
	got := make(chan seen, 1)
	w := start(t, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- seen{r.RequestURI, r.Host} }))
	for _, uri := range []string{
		"/", "/a//b/../c", "//a/b", "/a%2Fb?x=1;y=2&bad=%zz&&", "/ü?ü", "/a|b{c}^\"d?e|f", "/%7Ba;b=c", "/a%20b+c",
	} {
		c, err := net.Dial("tcp", w.addr)
		require.NoError(t, err)
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: shop.example:81\r\nConnection: close\r\n\r\n", uri)
		_, err = io.Copy(io.Discard, c)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.Equal(t, seen{uri, "shop.example:81"}, <-got)
	}
}

// With a 1xx, headers set on the response beforehand would leave with it, and ModifyResponse never sees it.
func TestInformationalResponses(t *testing.T) {
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.Header().Set("Set-Cookie", "early=1")
		w.Header().Set("Limpet-Session-Event", "forged")
		w.Header().Set("X-Session-Id", "forged")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Set-Cookie")
		fmt.Fprint(w, "body")
	}))
	var early textproto.MIMEHeader
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		require.Equal(t, http.StatusEarlyHints, code)
		early = h
		return nil
	}}
	r := w.request(http.MethodGet, "/", nil, "X-Session-Id", "s")
	a := w.do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	require.Equal(t, textproto.MIMEHeader{"Link": {"</style.css>"}}, early)
	require.Equal(t, "body", a.body)
	require.Equal(t, "created", a.Header.Get("Limpet-Session-Event"))
	require.Equal(t, []string{"s"}, a.Header["X-Session-Id"])
}

func TestTrailersBothWays(t *testing.T) {
	got := make(chan http.Header, 1)
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum, Limpet-Session-Event")
		_, err := io.Copy(w, r.Body)
		require.NoError(t, err)
		got <- r.Trailer
		w.Header().Set("Sum", "42")
		w.Header().Set("Limpet-Session-Event", "forged")
		w.Header().Set(http.TrailerPrefix+"Undeclared", "1")
		w.Header().Set(http.TrailerPrefix+"Limpet-Session-Epoch", "forged")
	}))
	r := w.request(http.MethodPost, "/", io.NopCloser(strings.NewReader("payload")), "X-Session-Id", "s")
	r.Trailer = http.Header{"Client-Sum": {"7"}, "Limpet-Session-Id": {"forged"}, "X-Session-Id": {"forged"}}
	a := w.do(r)
	require.Equal(t, "payload", a.body)
	require.Equal(t, http.Header{"Client-Sum": {"7"}}, <-got)
	require.Equal(t, http.Header{"Sum": {"42"}, "Undeclared": {"1"}}, a.Trailer)
}

func TestBodiesStreamBothWaysAtOnce(t *testing.T) {
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.NoError(t, http.NewResponseController(w).EnableFullDuplex())
		w.WriteHeader(http.StatusOK)
		require.NoError(t, http.NewResponseController(w).Flush())
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "echo %s\n", lines.Text())
			require.NoError(t, http.NewResponseController(w).Flush())
		}
	}))
	body, send := io.Pipe()
	res, err := w.client().Do(w.request(http.MethodPost, "/", body, "X-Session-Id", "s"))
	require.NoError(t, err, "the response begins before the request ends")
	defer res.Body.Close()
	answers := bufio.NewScanner(res.Body)
	for i := range 5 {
		fmt.Fprintf(send, "%d\n", i)
		require.True(t, answers.Scan())
		require.Equal(t, fmt.Sprint("echo ", i), answers.Text(), "each line as it is sent")
	}
	require.NoError(t, send.Close())
	require.False(t, answers.Scan())
	require.NoError(t, answers.Err())
}

func TestEventsAreFlushedAtOnce(t *testing.T) {
	next := make(chan struct{})
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			require.NoError(t, http.NewResponseController(w).Flush())
			<-next
		}
	}))
	res, err := w.client().Do(w.request(http.MethodGet, "/", nil, "X-Session-Id", "s"))
	require.NoError(t, err)
	defer res.Body.Close()
	events := bufio.NewReader(res.Body)
	for i := range 3 {
		line, err := events.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("data: %d\n", i), line)
		_, err = events.ReadString('\n')
		require.NoError(t, err)
		next <- struct{}{}
	}
}

// upgrading answers every upgrade with protocol and echoes.
func upgrading(protocol string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprint(w, "no upgrade")
			return
		}
		conn, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprintf(brw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nLimpet-Error: forged\r\n\r\n", protocol)
		brw.Flush()
		io.Copy(conn, brw)
	})
}

// upgrade asks for an upgrade on a raw connection.
func (w *world) upgrade(protocol string) (net.Conn, *bufio.Reader, *http.Response) {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	require.NoError(w.t, c.SetDeadline(time.Now().Add(patience)))
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-Session-Id: s\r\n\r\n", protocol)
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	require.NoError(w.t, err)
	return c, br, res
}

func TestUpgrade(t *testing.T) {
	w := start(t, nil, upgrading("WebSocket"))
	c, br, res := w.upgrade("websocket")
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	require.Equal(t, "created", res.Header.Get("Limpet-Session-Event"))
	require.Equal(t, "s", res.Header.Get("X-Session-Id"))
	require.Empty(t, res.Header["Limpet-Error"])
	for range 3 {
		fmt.Fprint(c, "ping")
		got := make([]byte, 4)
		_, err := io.ReadFull(br, got)
		require.NoError(t, err)
		require.Equal(t, "ping", string(got))
	}
	require.Equal(t, 1, w.handler.InFlight(), "an upgraded connection is a request under way")
	require.NoError(t, c.Close())
	w.idle()
}

func TestUpgradeThatIsNotListedIsNotPassedOn(t *testing.T) {
	w := start(t, nil, upgrading("h2c"))
	_, _, res := w.upgrade("h2c")
	require.Equal(t, http.StatusOK, res.StatusCode, "RFC 9110 7.8: Upgrade may be ignored")
	require.NoError(t, res.Body.Close())

	listed := start(t, func(c *proxy.FunctionConfig) { c.Upgrades = []string{"h2c"} }, upgrading("h2c"))
	_, _, res = listed.upgrade("H2C")
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
}

func TestUpgradeToAnotherProtocolThanAsked(t *testing.T) {
	w := start(t, nil, upgrading("telnet"))
	_, _, res := w.upgrade("websocket")
	require.Equal(t, http.StatusBadGateway, res.StatusCode)
	require.Equal(t, "BadGateway", res.Header.Get("Limpet-Error"))
	require.NoError(t, res.Body.Close())
	w.idle()
}

func TestResponsesWithoutBody(t *testing.T) {
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "1234")
		}
	}))
	head := w.do(w.request(http.MethodHead, "/", nil, "X-Session-Id", "s"))
	require.EqualValues(t, 1234, head.ContentLength)
	require.Equal(t, http.StatusNoContent, w.get("/204", "s").StatusCode)
	require.Equal(t, `"x"`, w.get("/304", "s").Header.Get("Etag"))
	bad := w.do(w.request(http.MethodHead, "/", nil, "X-Session-Id", "-"))
	require.Equal(t, http.StatusBadRequest, bad.StatusCode)
	require.Equal(t, "InvalidArgument", bad.Header.Get("Limpet-Error"))
}

func TestExpectContinue(t *testing.T) {
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		io.Copy(w, r.Body)
	}))
	asked := &atomic.Bool{}
	body := func() io.Reader { return &watched{strings.NewReader("payload"), asked} }
	a := w.do(w.request(http.MethodPost, "/", body(), "X-Session-Id", "s", "Expect", "100-continue"))
	require.Equal(t, "payload", a.body)
	require.True(t, asked.Swap(false))
	a = w.do(w.request(http.MethodPost, "/refuse", body(), "X-Session-Id", "s", "Expect", "100-continue"))
	require.Equal(t, http.StatusExpectationFailed, a.StatusCode)
	require.False(t, asked.Load(), "the instance refused, so the body was never asked for")
}

// watched notes that it was read.
type watched struct {
	io.Reader
	read *atomic.Bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.read.Store(true)
	return w.Reader.Read(p)
}

func TestLargeBodiesPassWhole(t *testing.T) {
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	a := w.do(w.request(http.MethodPut, "/", bytes.NewReader(payload), "X-Session-Id", "s"))
	require.Equal(t, len(payload), len(a.body))
	require.True(t, a.body == string(payload))
}

func TestCompressionIsLeftAlone(t *testing.T) {
	accept := make(chan []string, 1)
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { accept <- r.Header["Accept-Encoding"] }))
	w.get("/", "s")
	require.Empty(t, <-accept, "the transport must not ask for what the client did not")
}

// Every way to frame a request that could be read in two ways is refused or re-framed: what the instance sees is one
// request with one body, whatever the client sent.
func TestFraming(t *testing.T) {
	type request struct{ method, uri, body string }
	got := make(chan request, 4)
	w := start(t, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Method, r.RequestURI, string(body)}
	}))
	for name, c := range map[string]struct {
		raw    string
		status int
	}{
		"two lengths":         {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
		"odd coding":          {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
		"space before colon":  {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
		"folded line":         {"GET / HTTP/1.1\r\nHost: x\r\nX-Session-Id: a\r\n b\r\n\r\n", 400},
		"no host":             {"GET / HTTP/1.1\r\n\r\n", 400},
		"bad chunk":           {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", 400},
		"NUL in a header":     {"GET / HTTP/1.1\r\nHost: x\r\nX-A: \x00\r\n\r\n", 400},
		"head over the limit": {"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", proxy.DefaultHeaderBytes) + "\r\n\r\n", 431},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.status, w.raw(c.raw))
		})
	}
	require.Equal(t, 200, w.raw("POST /both HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.Equal(t, http.StatusOK, w.get("/after", "s").StatusCode, "others are unharmed")
	var came []request
	for len(came) == 0 || came[len(came)-1].uri != "/after" {
		// The head of the bad chunk's may have been passed on before its body was read, and be served late.
		if r := <-got; r != (request{method: "POST", uri: "/"}) {
			came = append(came, r)
		}
	}
	require.Equal(t, []request{{"POST", "/both", "abc"}, {"GET", "/after", ""}}, came)
}

// raw sends bytes and returns the status of the first response.
func (w *world) raw(request string) int {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	require.NoError(w.t, err)
	defer c.Close()
	require.NoError(w.t, c.SetDeadline(time.Now().Add(patience)))
	go io.WriteString(c, request)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(w.t, err)
	defer res.Body.Close()
	return res.StatusCode
}

func TestHeadMustComeInTime(t *testing.T) {
	w := start(t, nil, named("a"))
	w.shutdown(0)
	w.serve(proxy.LimitsConfig{HeaderBytes: proxy.DefaultHeaderBytes, HeaderTimeout: 200 * time.Millisecond})
	c, err := net.Dial("tcp", w.addr)
	require.NoError(t, err)
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nX-")
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	_, err = io.ReadAll(c)
	require.NoError(t, err, "the proxy ended the connection")
	require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode)
}
