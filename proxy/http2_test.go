package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sample"
)

// h2c makes the instances speak HTTP/2.
func h2c(c *proxy.FunctionConfig) { c.Instances.Protocol = instances.H2C }

// startH2C is start for a proxy that is spoken to by HTTP/2 without TLS, before instances that are too.
func startH2C(t *testing.T, configure func(*proxy.FunctionConfig), handlers ...http.Handler) *world {
	t.Helper()
	return speaking(t, proxy.Protocols{H2C: true}, func(c *proxy.FunctionConfig) {
		h2c(c)
		if configure != nil {
			configure(c)
		}
	}, handlers...)
}

// h2Client speaks HTTP/2 without TLS on one connection at a time, and counts its connections. Without the bound it may dial
// again before it has noted that a new connection takes more requests.
func (w *world) h2Client() (client *http.Client, dials *atomic.Int64) {
	dials = &atomic.Int64{}
	tr := &http.Transport{
		Protocols: &http.Protocols{}, MaxConnsPerHost: 1, DisableCompression: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
	tr.Protocols.SetUnencryptedHTTP2(true)
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}, dials
}

// do sends a request by client and reads the response whole.
func do(t *testing.T, client *http.Client, r *http.Request) answer {
	t.Helper()
	res, err := client.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res, string(body)}
}

func TestSessionsOfOneConnectionGoHome(t *testing.T) {
	const sessions, requests = 100, 5
	w := startH2C(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 40 },
		sample.New(sample.Options{Name: "a"}), sample.New(sample.Options{Name: "b"}), sample.New(sample.Options{Name: "c"}))
	client, dials := w.h2Client()
	do(t, client, w.request(http.MethodGet, "/", nil, "X-Session-Id", "first")) // makes the connection
	var all errgroup.Group
	for s := range sessions {
		all.Go(func() error {
			var home string
			for n := 1; n <= requests; n++ {
				res, err := client.Do(w.request(http.MethodGet, "/", nil, "X-Session-Id", fmt.Sprint("s", s)))
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				if err != nil {
					return err
				}
				count, instance := res.Header.Get("Sample-Count"), res.Header.Get("Sample-Instance")
				if count != fmt.Sprint(n) || home != "" && instance != home || res.ProtoMajor != 2 {
					return fmt.Errorf("session %d, request %d: %s %v", s, n, res.Proto, res.Header)
				}
				home = instance
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
	require.EqualValues(t, 1, dials.Load())
}

func TestHTTP2WithoutTLSIsOffByDefault(t *testing.T) {
	w := start(t, nil, named("a"))
	client, _ := w.h2Client()
	_, err := client.Do(w.request(http.MethodGet, "/", nil, "X-Session-Id", "s"))
	require.Error(t, err)
	c, err := net.Dial("tcp", w.addr)
	require.NoError(t, err)
	defer c.Close()
	fmt.Fprint(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	said, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Contains(t, string(said), "400 Bad Request")
	require.Contains(t, string(said), "HTTP/2 without TLS is not served here")
	require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode, "others are served")
}

// The bound for heads holds while a client may still turn out to speak HTTP/2.
func TestSilentConnectionsAreClosedBesideHTTP2Too(t *testing.T) {
	w := speaking(t, proxy.Protocols{H2C: true}, nil, named("a"))
	w.shutdown(0)
	w.serve(proxy.LimitsConfig{HeaderBytes: proxy.MinHeaderBytes, HeaderTimeout: 50 * time.Millisecond})
	for _, said := range []string{"", "P", "PRI * HTTP/2.0\r\n\r\nS", "GET / HT"} {
		c, err := net.Dial("tcp", w.addr)
		require.NoError(t, err)
		fmt.Fprint(c, said)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		_, err = io.Copy(io.Discard, c)
		require.NoError(t, err, "closed, said %q", said)
		require.NoError(t, c.Close())
	}
}

func TestCONNECTIsRefusedByHTTP2(t *testing.T) {
	w := startH2C(t, nil, named("a"))
	client, _ := w.h2Client()
	r := w.request(http.MethodConnect, "", nil, "X-Session-Id", "s")
	r.URL.Path = ""
	a := do(t, client, r)
	a.fails(t, "InvalidArgument", http.StatusBadRequest)
}

// In HTTP/2 a body of known length may have trailers as well.
func TestTrailersByHTTP2(t *testing.T) {
	got := make(chan *http.Request, 1)
	w := startH2C(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum, Limpet-Session-Event")
		w.Header().Set("Content-Length", "7")
		_, err := io.Copy(w, r.Body)
		require.NoError(t, err)
		got <- r
		w.Header().Set("Sum", "42")
		w.Header().Set("Limpet-Session-Event", "forged")
		w.Header().Set(http.TrailerPrefix+"Undeclared", "1")
		w.Header().Set(http.TrailerPrefix+"Limpet-Session-Epoch", "forged")
	}))
	client, _ := w.h2Client()
	r := w.request(http.MethodPost, "/", io.NopCloser(strings.NewReader("payload")), "X-Session-Id", "s", "Te", "trailers")
	r.Trailer = http.Header{"Client-Sum": {"7"}, "Limpet-Session-Id": {"forged"}, "X-Session-Id": {"forged"}}
	a := do(t, client, r)
	require.Equal(t, "payload", a.body)
	require.EqualValues(t, 7, a.ContentLength)
	in := <-got
	require.Equal(t, "HTTP/2.0", in.Proto)
	require.Equal(t, "trailers", in.Header.Get("Te"))
	require.Equal(t, http.Header{"Client-Sum": {"7"}}, in.Trailer)
	require.Equal(t, http.Header{"Sum": {"42"}, "Undeclared": {"1"}}, a.Trailer)
}

func TestBodiesStreamBothWaysByHTTP2(t *testing.T) {
	w := startH2C(t, nil, echo())
	client, _ := w.h2Client()
	in, send := io.Pipe()
	res, err := client.Do(w.request(http.MethodPost, "/", in, "X-Session-Id", "s"))
	require.NoError(t, err, "the response begins before the request ends")
	defer res.Body.Close()
	for range 5 {
		fmt.Fprint(send, "ping")
		got := make([]byte, 4)
		_, err := io.ReadFull(res.Body, got)
		require.NoError(t, err)
		require.Equal(t, "ping", string(got), "at once")
	}
	require.NoError(t, send.Close())
	rest, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Empty(t, rest)
}

// echo sends back what comes, as it comes.
func echo() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := http.NewResponseController(w)
		if out.Flush() != nil {
			return
		}
		for buf := make([]byte, 1024); ; {
			n, err := r.Body.Read(buf)
			if _, werr := w.Write(buf[:n]); err != nil || werr != nil || out.Flush() != nil {
				return
			}
		}
	})
}

// An instance that takes two streams on a connection gets more connections, not a queue.
func TestMoreRequestsThanStreamsOpenConnections(t *testing.T) {
	const requests = 7
	entered, finish := make(chan struct{}, requests), make(chan struct{})
	narrow := httptest.NewUnstartedServer(healthy(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-finish
	})))
	narrow.Config.Protocols, narrow.Config.HTTP2 = bothHTTP(), &http.HTTP2Config{MaxConcurrentStreams: 2}
	narrow.Start()
	t.Cleanup(narrow.Close)
	w := startH2C(t, func(c *proxy.FunctionConfig) {
		c.Instances.Static = []instances.StaticInstance{{ID: "narrow", URL: narrow.URL}}
	})
	client, _ := w.h2Client()
	var all errgroup.Group
	for range requests {
		all.Go(func() error {
			res, err := client.Do(w.request(http.MethodGet, "/", nil, "X-Session-Id", "s"))
			if err == nil {
				err = res.Body.Close()
			}
			return err
		})
	}
	for range requests {
		<-entered
	}
	close(finish)
	require.NoError(t, all.Wait())
}
