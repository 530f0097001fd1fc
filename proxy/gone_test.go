package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
)

// dial opens a connection to the proxy.
func (w *world) dial() (net.Conn, *bufio.Reader) {
	c, err := net.Dial("tcp", w.addr)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	require.NoError(w.t, c.SetDeadline(time.Now().Add(patience)))
	return c, bufio.NewReader(c)
}

// net/http takes the end of a client's input for the client's end and cancels the request. A client that only closed
// its sending half still reads: what it reads must not be a 200 that nobody gave.
func TestAClientThatOnlyClosedItsSendingHalfGetsNoInventedAnswer(t *testing.T) {
	release := make(chan struct{})
	w := start(t, nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer close(release)
	c, r := w.dial()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: f\r\nX-Session-Id: s\r\n\r\n")
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Empty(t, string(got))
	w.idle()
}

// The idle time may be shorter than the time for a response's head. The client's connection is then as idle as the
// instance's: whichever is noticed first, the client gets an answer, and it is 504.
func TestNothingMovesBeforeTheResponse(t *testing.T) {
	release := make(chan struct{})
	w := start(t, func(c *proxy.FunctionConfig) { c.Timeouts.Idle = 200 * time.Millisecond },
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-release
			}
		}))
	defer close(release)
	c, r := w.dial()
	for _, path := range []string{"/slow", "/", "/slow", "/", "/slow"} {
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: f\r\nX-Session-Id: s\r\n\r\n", path)
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err, path)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		if path == "/" {
			require.Equal(t, http.StatusOK, res.StatusCode)
			continue
		}
		answer{res, string(body)}.fails(t, "GatewayTimeout", http.StatusGatewayTimeout)
		if res.Close {
			c, r = w.dial()
		}
	}
}

func TestUpgradeWithAnIllFormedNameIsTheClientsFault(t *testing.T) {
	w := start(t, nil, named("a"))
	c, r := w.dial()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: f\r\nX-Session-Id: s\r\nConnection: Upgrade\r\nUpgrade: w\xffs\r\n\r\n")
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	answer{res, string(body)}.fails(t, "InvalidArgument", http.StatusBadRequest)
}

// A CGI-like instance cannot tell X_Forwarded_For from X-Forwarded-For, and some read X-Forwarded-Port and others of
// the family: nobody who is not trusted may say any of it.
func TestForwardedFamilyOfAStrangerIsDropped(t *testing.T) {
	got := make(chan http.Header, 1)
	w := start(t, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	w.do(w.request(http.MethodGet, "/", nil, "X_Forwarded_For", "6.6.6.6", "X-Forwarded_Proto", "https",
		"X-Forwarded-Port", "1", "X-Forwarded-Prefix", "/evil", "X-Forwardedness", "kept"))
	h := <-got
	require.Equal(t, "kept", h.Get("X-Forwardedness"))
	for _, name := range []string{"X_Forwarded_For", "X-Forwarded_Proto", "X-Forwarded-Port", "X-Forwarded-Prefix"} {
		require.Empty(t, h[http.CanonicalHeaderKey(name)], name)
	}
	require.Equal(t, []string{"127.0.0.1"}, h["X-Forwarded-For"])
}
