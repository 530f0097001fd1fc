package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// slowProbes keeps active health out of a test: only what a request meets counts.
func slowProbes(c *proxy.FunctionConfig) {
	c.Instances.Health.Interval = time.Hour
}

// noKeepAlive makes each request dial. With a connection that was kept, a request may be written to an instance that
// has just died; it may then have been executed there, so nobody sends it again, and the client gets a 502.
func (w *world) noKeepAlive() *world {
	for _, back := range w.backs {
		back.Config.SetKeepAlivesEnabled(false)
	}
	return w
}

// kill stops the instance with this name, as a crash would.
func (w *world) kill(name string) {
	back := w.backs[name[0]-'a']
	back.Listener.Close()
	back.CloseClientConnections()
}

// body answers with the instance's name and the body that came.
func body(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Instance", name)
		fmt.Fprintf(w, "%s|%s", r.Header.Get("Limpet-Session-Event"), b)
	})
}

func TestRefusedDialRehomesAndTellsBothEnds(t *testing.T) {
	w := start(t, slowProbes, body("a"), body("b"), body("c")).noKeepAlive()
	first := w.get("/", "s")
	lost := first.Header.Get("Instance")
	w.kill(lost)
	a := w.do(w.request(http.MethodPost, "/", strings.NewReader("payload"), "X-Session-Id", "s"))
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	require.NotEqual(t, lost, a.Header.Get("Instance"))
	event := fmt.Sprintf(`rehomed; reason="instance lost"; from=%q`, lost)
	require.Equal(t, event, a.Header.Get("Limpet-Session-Event"))
	require.Equal(t, event+"|payload", a.body, "the instance is told, and the body survives the second try")
	require.Equal(t, epoch(t, first)+1, epoch(t, a))
	next := w.get("/", "s")
	require.Equal(t, a.Header.Get("Instance"), next.Header.Get("Instance"))
	require.Empty(t, next.Header["Limpet-Session-Event"])
}

func epoch(t *testing.T, a answer) (n uint64) {
	_, err := fmt.Sscan(a.Header.Get("Limpet-Session-Epoch"), &n)
	require.NoError(t, err)
	return n
}

func TestASessionIsRehomedOnceHoweverManyRequestsNotice(t *testing.T) {
	w := start(t, slowProbes, body("a"), body("b"), body("c")).noKeepAlive()
	first := w.get("/", "s")
	w.kill(first.Header.Get("Instance"))
	var wg sync.WaitGroup
	var told atomic.Int64
	for range 30 {
		wg.Go(func() {
			a := w.get("/", "s")
			require.Equal(t, epoch(t, first)+1, epoch(t, a))
			if a.Header.Get("Limpet-Session-Event") != "" {
				told.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, told.Load())
}

func TestEveryInstanceRefuses(t *testing.T) {
	w := start(t, slowProbes, body("a"), body("b")).noKeepAlive()
	w.get("/", "s")
	w.kill("a")
	w.kill("b")
	w.get("/", "s").fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
	w.get("/", "new").fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
	w.idle()
}

func TestRefusedDialWithFailPolicy(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) {
		slowProbes(c)
		c.OnInstanceLoss = sessions.LossFail
	}, body("a"), body("b")).noKeepAlive()
	first := w.get("/", "s")
	w.kill(first.Header.Get("Instance"))
	w.get("/", "s").fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
	require.Equal(t, http.StatusOK, w.get("/", "new").StatusCode, "new ones go to the other")
}

func TestProbesFindALostInstance(t *testing.T) {
	w := start(t, nil, body("a"), body("b")).noKeepAlive()
	first := w.get("/", "s")
	w.kill(first.Header.Get("Instance"))
	require.Eventually(t, func() bool { return len(w.pool.Candidates(0)) == 1 }, patience, time.Millisecond)
	a := w.get("/", "s")
	require.Equal(t, epoch(t, first)+1, epoch(t, a))
	require.NotEqual(t, first.Header.Get("Instance"), a.Header.Get("Instance"))
}

// closing reads the request and hangs up, as a program does that crashes while it serves.
type closing struct {
	net.Listener
	requests atomic.Int64
}

func newClosing(t *testing.T) *closing {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	c := &closing{Listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return c
}

func (c *closing) serve(conn net.Conn) {
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if r.URL.Path == "/healthz" {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return
	}
	io.Copy(io.Discard, r.Body)
	c.requests.Add(1)
}

// What an instance may have executed is never executed again, neither here nor elsewhere.
func TestWhatWasSentIsNotSentAgain(t *testing.T) {
	c := newClosing(t)
	w := start(t, func(cfg *proxy.FunctionConfig) {
		cfg.Instances.Static = append(cfg.Instances.Static, instances.StaticInstance{ID: "z", URL: "http://" + c.Addr().String()})
		slowProbes(cfg)
	})
	a := w.do(w.request(http.MethodPost, "/", strings.NewReader("x"), "X-Session-Id", "s"))
	a.fails(t, "BadGateway", http.StatusBadGateway)
	require.EqualValues(t, 1, c.requests.Load())
	require.Equal(t, []string{"s"}, a.Header["X-Session-Id"], "the session is there, and the client is told its ID")
	got, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
	require.NoError(t, err)
	require.Equal(t, "z", got.Home.ID, "not moved")
	require.Equal(t, sessions.EventCreated, got.Event.Kind, "not delivered: the next exchange announces it")
}

// An instance takes a request on a kept connection, executes it, and dies. net/http sends a GET on a closed kept
// connection once more to the same instance, and that dial is refused; but it proves nothing about the first sending.
func TestARefusedDialAfterAConnectionProvesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var executed atomic.Int64
	back := &http.Server{Handler: healthy(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if executed.Add(1) == 2 {
			l.Close()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Instance", "z")
	}))}
	go back.Serve(l)
	t.Cleanup(func() { back.Close() })
	w := start(t, func(c *proxy.FunctionConfig) {
		slowProbes(c)
		c.Instances.Static = append(c.Instances.Static, instances.StaticInstance{ID: "z", URL: "http://" + l.Addr().String()})
	}, body("a"))
	id := "s"
	for w.get("/", id).Header.Get("Instance") != "z" {
		id += "s"
	}
	w.get("/", id).fails(t, "BadGateway", http.StatusBadGateway)
	require.EqualValues(t, 2, executed.Load())
	got, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: id})
	require.NoError(t, err)
	require.Equal(t, "z", got.Home.ID, "not moved by the request that may have been executed")
}

func TestARefusedDialKeepsNewSessionsAway(t *testing.T) {
	w := start(t, slowProbes, body("a"), body("b")).noKeepAlive()
	lost := w.get("/", "s").Header.Get("Instance")
	w.kill(lost)
	require.NotEmpty(t, w.get("/", "s").Header.Get("Limpet-Session-Event"))
	for i := range 5 {
		require.Equal(t, "created", w.get("/", fmt.Sprint("new", i)).Header.Get("Limpet-Session-Event"), "not sent there first")
	}
}

func TestInstanceTooSlow(t *testing.T) {
	release := make(chan struct{})
	w := start(t, func(c *proxy.FunctionConfig) { c.Timeouts.ResponseHeader = 50 * time.Millisecond },
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}))
	defer close(release)
	w.get("/", "s").fails(t, "GatewayTimeout", http.StatusGatewayTimeout)
}

// deaf is a listener whose queue is full: a dial hangs until it times out.
func deaf(t *testing.T) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	sa, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	addr := fmt.Sprint("127.0.0.1:", sa.(*syscall.SockaddrInet4).Port)
	for range 8 {
		d := net.Dialer{Timeout: 50 * time.Millisecond}
		c, err := d.Dial("tcp", addr)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the listener's queue does not fill")
	return ""
}

// A dial that times out proves nothing about the instance: the session waits, and new ones go elsewhere.
func TestUnreachableInstanceOpensTheCircuit(t *testing.T) {
	addr := deaf(t)
	w := start(t, func(c *proxy.FunctionConfig) {
		slowProbes(c)
		c.Timeouts.Connect = 50 * time.Millisecond
	}, body("a"), body("b")).noKeepAlive()
	first := w.get("/", "s")
	for i := range w.cfg.Instances.Static { // the same program, seen through a network that has gone dark
		if w.cfg.Instances.Static[i].ID == first.Header.Get("Instance") {
			w.dark(i, addr)
		}
	}
	w.get("/", "s").fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
	begun := time.Now()
	w.get("/", "s").fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
	require.Less(t, time.Since(begun), 50*time.Millisecond, "the circuit is open: nobody dials")
	require.Equal(t, http.StatusOK, w.get("/", "new").StatusCode)
	got, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
	require.NoError(t, err)
	require.Equal(t, epoch(t, first), got.Epoch, "not moved")
}

// dark makes the proxy dial addr for instance i.
func (w *world) dark(i int, addr string) {
	inst, ok := w.pool.Lookup(sessions.Home{Version: "LATEST", ID: w.cfg.Instances.Static[i].ID})
	require.True(w.t, ok)
	inst.URL().Host = addr
}

func TestClientThatLeavesIsSeenByTheInstanceAtOnce(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	w := start(t, slowProbes, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-r.Context().Done()
			close(left)
			return
		}
		fmt.Fprint(w, "ok")
	}))
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		res, err := w.client().Do(w.request(http.MethodGet, "/slow", nil, "X-Session-Id", "s").WithContext(ctx))
		if err == nil {
			res.Body.Close()
		}
		done <- err
	}()
	<-entered
	hangUp()
	require.Error(t, <-done)
	select {
	case <-left:
	case <-time.After(patience):
		t.Fatal("the instance was not told")
	}
	w.idle()
	require.Equal(t, "ok", w.get("/", "s").body, "no mark against the instance")
}

// A response that breaks off in the middle must not look whole, and must give back what it held.
func TestInstanceFailsInMidBody(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { c.RequestsPerInstance = 1 },
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/cut" {
				fmt.Fprint(w, "half")
				http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
		}))
	for range 3 {
		res, err := w.client().Do(w.request(http.MethodGet, "/cut", nil, "X-Session-Id", "s"))
		require.NoError(t, err)
		_, err = io.ReadAll(res.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.NoError(t, res.Body.Close())
		w.idle()
	}
	require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode)
}

func TestStreamThatStandsStillIsCut(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { c.Timeouts.Idle = 600 * time.Millisecond },
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 15 { // moves for longer than the idle time
				fmt.Fprint(w, "data: x\n\n")
				http.NewResponseController(w).Flush()
				select {
				case <-time.After(60 * time.Millisecond):
				case <-r.Context().Done():
					return
				}
			}
			<-r.Context().Done()
		}))
	res, err := w.client().Do(w.request(http.MethodGet, "/", nil, "X-Session-Id", "s"))
	require.NoError(t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	require.Error(t, err)
	require.Equal(t, 15, strings.Count(string(got), "data: x"), "a stream that moves is left alone")
	w.idle()
}

func TestBadRequestBodyIsTheClientsFault(t *testing.T) {
	w := start(t, slowProbes, body("a"))
	w.get("/", "s")
	require.Equal(t, http.StatusBadRequest, w.raw("POST / HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n"))
	require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode)
}
