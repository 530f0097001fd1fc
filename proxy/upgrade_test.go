package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/certificates"
	"github.com/limpet-proxy/limpet/certificates/certtest"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

// backend is an instance's side of an upgraded connection.
type backend struct {
	*net.TCPConn
	*bufio.Reader // what came early, then the connection
	told          http.Header
}

func (b backend) Read(p []byte) (int, error) { return b.Reader.Read(p) }

// upgraded gives the test the connections of upgrades, after it has answered them with head and whatever follows it.
func upgraded(head string) (http.Handler, <-chan backend) {
	conns := make(chan backend, 8)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprint(w, "no upgrade")
			return
		}
		c, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, head)
		conns <- backend{c.(*net.TCPConn), brw.Reader, r.Header}
	}), conns
}

// ask sends an upgrade's request, and whatever follows it at once.
func (w *world) ask(follows string, headers ...string) (*net.TCPConn, *bufio.Reader) {
	w.t.Helper()
	c, br := w.dial()
	require.NoError(w.t, c.SetDeadline(time.Now().Add(patience)))
	headers = append(headers, "X-Session-Id: s")
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s\r\n\r\n%s",
		strings.Join(headers, "\r\n"), follows)
	return c.(*net.TCPConn), br
}

// open opens an upgraded connection, and returns both of its ends.
func (w *world) open(conns <-chan backend) (*net.TCPConn, *bufio.Reader, backend) {
	w.t.Helper()
	c, br := w.ask("")
	res, err := http.ReadResponse(br, nil)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusSwitchingProtocols, res.StatusCode)
	back := <-conns
	w.t.Cleanup(func() { back.Close() })
	return c, br, back
}

func exactly(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(r, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// Neither side need wait for the other's word before it speaks the new protocol.
func TestUpgradeLosesNothingThatCameEarly(t *testing.T) {
	h, conns := upgraded(switching + "hello from the instance")
	w := start(t, nil, h)
	c, br := w.ask("hello from the client")
	back := <-conns
	defer back.Close()
	exactly(t, back, "hello from the client")
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	exactly(t, br, "hello from the instance")
	fmt.Fprint(c, "more")
	exactly(t, back, "more")
	fmt.Fprint(back.TCPConn, "more")
	exactly(t, br, "more")
}

func TestUpgradePassesHalfClosesOn(t *testing.T) {
	h, conns := upgraded(switching)
	w := start(t, nil, h)
	for _, first := range []string{"client", "instance"} {
		c, br, back := w.open(conns)
		client, instance := io.Reader(br), io.Reader(back)
		closer, other := c, back.TCPConn
		if first == "instance" {
			client, instance, closer, other = instance, client, other, closer
		}
		fmt.Fprint(closer, "the end")
		require.NoError(t, closer.CloseWrite())
		got, err := io.ReadAll(instance)
		require.NoError(t, err)
		require.Equal(t, "the end", string(got))
		fmt.Fprint(other, "an answer")
		exactly(t, client, "an answer")
		require.Equal(t, 1, w.handler.InFlight())
		require.NoError(t, other.Close())
		got, err = io.ReadAll(client)
		require.NoError(t, err)
		require.Empty(t, got)
		w.idle()
	}
}

func TestUpgradePassesEveryByteBothWays(t *testing.T) {
	h, conns := upgraded(switching)
	w := start(t, nil, h)
	c, br, back := w.open(conns)
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	send := func(c *net.TCPConn) {
		c.Write(payload)
		c.CloseWrite()
	}
	sums := make(chan [32]byte, 2)
	receive := func(r io.Reader) {
		h := sha256.New()
		io.Copy(h, r)
		sums <- [32]byte(h.Sum(nil))
	}
	go send(c)
	go send(back.TCPConn)
	go receive(br)
	go receive(back)
	for range 2 {
		require.Equal(t, sha256.Sum256(payload), <-sums)
	}
	w.idle()
}

func TestUpgradeThatIsResetEndsBothWays(t *testing.T) {
	h, conns := upgraded(switching)
	w := start(t, nil, h)
	for _, first := range []string{"client", "instance"} {
		c, br, back := w.open(conns)
		reset, other := c, io.Reader(back)
		if first == "instance" {
			reset, other = back.TCPConn, br
		}
		require.NoError(t, reset.SetLinger(0))
		require.NoError(t, reset.Close())
		_, err := io.Copy(io.Discard, other)
		require.False(t, timedOut(err), "it learns of the end")
		w.unharmed()
	}
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// What a peer does not read is not kept: the other is held back.
func TestUpgradeHoldsBackWhoSendsMoreThanIsRead(t *testing.T) {
	h, conns := upgraded(switching)
	w := start(t, nil, h)
	_, _, back := w.open(conns)
	chunk, total := make([]byte, 64<<10), 0
	for {
		require.NoError(t, back.SetWriteDeadline(time.Now().Add(500*time.Millisecond)))
		n, err := back.Write(chunk)
		if total += n; err != nil {
			require.True(t, timedOut(err))
			break
		}
		require.Less(t, total, 64<<20, "the buffers of the kernel, and one chunk")
	}
}

func TestUpgradeThatTheInstanceRefuses(t *testing.T) {
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no websocket here", http.StatusForbidden)
		}
	}))
	_, br := w.ask("GET /next HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\n\r\n")
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "no websocket here\n", string(body))
	require.Equal(t, "created", res.Header.Get("Limpet-Session-Event"))
	res, err = http.ReadResponse(br, nil)
	require.NoError(t, err, "the connection is HTTP as before")
	require.Equal(t, http.StatusOK, res.StatusCode)
	w.unharmed()
}

// RFC 9110, 7.8: who switches has read the request first. The rest of the body would be read as the new protocol.
func TestUpgradeBeforeTheBodyIsRefused(t *testing.T) {
	h, _ := upgraded(switching)
	w := start(t, nil, h)
	_, br := w.ask("5\r\nhello\r\n", "Transfer-Encoding: chunked")
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadGateway, res.StatusCode)
}

func TestUpgradeAfterTheBody(t *testing.T) {
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		fmt.Fprint(c, switching, string(body))
	}))
	_, br := w.ask("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked")
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	exactly(t, br, "hello")
}

func TestUpgradeOfHTTP10IsIgnored(t *testing.T) {
	h, _ := upgraded(switching)
	w := start(t, nil, h)
	require.Equal(t, http.StatusOK, w.raw("GET / HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))
}

// An open connection is a request under way, whatever passes on it.
func TestUpgradeHoldsItsPlaceAndItsSession(t *testing.T) {
	h, conns := upgraded(switching)
	w := start(t, func(c *proxy.FunctionConfig) { c.RequestsPerInstance = 1 }, h)
	c, br, back := w.open(conns)
	w.get("/", "s").fails(t, "ResourceExhausted", http.StatusTooManyRequests)
	w.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes(nil)}) // a reload that takes the function away
	fmt.Fprint(c, "still here")
	exactly(t, back, "still here")
	w.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{w.function()})})
	w.delete("s") // without isolation what runs goes on, and is seen to
	require.True(t, w.ending())
	fmt.Fprint(back.TCPConn, "here too")
	exactly(t, br, "here too")
	require.NoError(t, c.Close())
	require.NoError(t, back.Close())
	w.idle()
	require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode)
}

// ending says whether the session that was ended has requests under way, as the store was told.
func (w *world) ending() bool {
	page, err := w.store.List(w.t.Context(), sessions.Query{Function: "f", Qualifier: "LATEST", State: sessions.Ended, Limit: 1})
	require.NoError(w.t, err)
	return len(page.Sessions) == 1 && page.Sessions[0].State == sessions.Ending
}

func TestUpgradeIsCutAtTheDrainDeadline(t *testing.T) {
	t.Parallel()
	ha, a := upgraded(switching)
	hb, b := upgraded(switching)
	w := start(t, nil, ha, hb)
	var log bytes.Buffer
	w.handler.Swap(proxy.Plane{
		Routes:    proxy.NewRoutes([]*proxy.Function{w.function()}),
		AccessLog: proxy.AccessLog{Logger: slog.New(slog.NewTextHandler(&log, nil))},
	})
	w.runDrainer()
	_, br := w.ask("")
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	home, back, next := "a", backend{}, b
	select {
	case back = <-a:
	case back = <-b:
		home, next = "b", a
	}
	defer back.Close()
	require.Equal(t, "created", res.Header.Get("Limpet-Session-Event"))
	w.mark(home, true, time.Hour)
	fmt.Fprint(back.TCPConn, "until the deadline")
	exactly(t, br, "until the deadline")
	w.mark(home, true, 0)
	for _, r := range []io.Reader{br, back} {
		got, err := io.ReadAll(r)
		require.NoError(t, err, "a connection that is closed in order")
		require.Empty(t, got)
	}
	w.idle()
	require.Contains(t, log.String(), "error=InstanceUnavailable")
	c, br := w.ask("")
	res, err = http.ReadResponse(br, nil)
	require.NoError(t, err)
	event := fmt.Sprintf(`rehomed; reason="drained"; from=%q`, home)
	require.Equal(t, event, res.Header.Get("Limpet-Session-Event"))
	back = <-next
	defer back.Close()
	require.Equal(t, event, back.told.Get("Limpet-Session-Event"))
	require.NoError(t, c.Close())
	require.NoError(t, back.Close())
	w.unharmedBut(home)
}

// The instance dies: the connection ends, and the client's next one finds a new home and is told.
func TestUpgradeWhoseInstanceIsLost(t *testing.T) {
	h, conns := upgraded(switching)
	w := start(t, nil, h, h)
	_, br, back := w.open(conns)
	s, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
	require.NoError(t, err)
	home := s.Home.ID
	lost := w.backs[home[0]-'a']
	lost.CloseClientConnections()
	lost.Close()
	require.NoError(t, back.Close())
	_, err = io.ReadAll(br)
	require.False(t, timedOut(err))
	_, br = w.ask("")
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	require.Equal(t, fmt.Sprintf(`rehomed; reason="instance lost"; from=%q`, home), res.Header.Get("Limpet-Session-Event"))
	(<-conns).Close()
}

func TestUpgradeToAnInstanceOfHTTP2IsIgnored(t *testing.T) {
	w := speaking(t, proxy.Protocols{}, h2c, named("a"))
	_, br := w.ask("")
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// Under TLS a connection cannot be waited for without a buffer, and has a half-close of its own.
func TestUpgradeOverTLS(t *testing.T) {
	ca := certtest.New(t, "ca")
	h, conns := upgraded(switching + "hello from the instance")
	w := startTLS(t, ca, certificates.AuthNone, nil, h)
	c, err := tls.Dial("tcp", w.addr, &tls.Config{RootCAs: ca.Pool()})
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Session-Id: s\r\n\r\nhello from the client")
	back := <-conns
	exactly(t, back, "hello from the client")
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	exactly(t, br, "hello from the instance")
	payload := strings.Repeat("0123456789abcdef", 1<<14)
	go func() { fmt.Fprint(c, payload); c.CloseWrite() }()
	go func() { fmt.Fprint(back.TCPConn, payload); back.CloseWrite() }()
	for _, r := range []io.Reader{back, br} {
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.True(t, payload == string(got))
	}
	w.idle()
}
