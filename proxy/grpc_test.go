package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// call is a gRPC call of one session, as far as a proxy can see.
func (w *world) call(client *http.Client, path string, body io.Reader) *http.Response {
	w.t.Helper()
	res, err := client.Do(w.request(http.MethodPost, path, body, "X-Session-Id", "s", "Content-Type", "application/grpc+proto", "Te", "trailers"))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { res.Body.Close() })
	return res
}

// ends checks that a call ended in Limpet with this status before the instance had said anything.
func (a answer) ends(t *testing.T, code, status string) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, code, a.Header.Get("Limpet-Error"))
	require.Equal(t, "application/grpc", a.Header.Get("Content-Type"))
	require.Equal(t, status, a.Header.Get("Grpc-Status"), a.Header)
	require.Contains(t, a.Header.Get("Grpc-Message"), code)
	require.NotContains(t, a.Header.Get("Grpc-Message"), "127.0.0.1", "an instance's address never shows")
	require.Empty(t, a.body)
	require.Empty(t, a.Trailer)
}

// grpcServer streams until it is cut, breaks off or fails with a status of its own.
func grpcServer() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		switch r.URL.Path {
		case "/refused": // with a head and nothing else
			w.Header().Set("Grpc-Status", "7")
			return
		case "/silent":
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, "message")
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		switch r.URL.Path {
		case "/broken":
			panic(http.ErrAbortHandler)
		case "/stream":
			<-r.Context().Done()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})
}

func TestGRPCPassesUnchanged(t *testing.T) {
	w := startH2C(t, nil, grpcServer())
	client, _ := w.h2Client()
	a := rest(t, w.call(client, "/", nil))
	require.Equal(t, "message", a.body)
	require.Equal(t, http.Header{"Grpc-Status": {"0"}}, a.Trailer, "not announced before")
	a = rest(t, w.call(client, "/refused", nil))
	require.Equal(t, "7", a.Header.Get("Grpc-Status"))
	require.Empty(t, a.Trailer)
	require.Equal(t, "s", a.Header.Get("X-Session-Id"))
}

func rest(t *testing.T, res *http.Response) answer {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res, string(body)}
}

func TestFailuresInGRPCsWords(t *testing.T) {
	w := startH2C(t, func(c *proxy.FunctionConfig) {
		c.Match.Path, c.Timeouts.Idle, c.RequestsPerInstance = "/", tight, 1
	}, grpcServer())
	client, _ := w.h2Client()
	rest(t, w.call(client, "/silent", nil)).ends(t, "GatewayTimeout", "4")
	held := w.call(client, "/stream", nil)
	rest(t, w.call(client, "/", nil)).ends(t, "ResourceExhausted", "8")
	require.NoError(t, held.Body.Close())
	w.idle()
	bad := w.request(http.MethodPost, "/", nil, "X-Session-Id", "-", "Content-Type", "application/grpc")
	do(t, client, bad).ends(t, "InvalidArgument", "3")
	web := w.request(http.MethodPost, "/", nil, "X-Session-Id", "-", "Content-Type", "application/grpc-web")
	do(t, client, web).fails(t, "InvalidArgument", http.StatusBadRequest)
	w.do(w.request(http.MethodPost, "/", nil, "X-Session-Id", "-", "Content-Type", "application/grpc")).
		fails(t, "InvalidArgument", http.StatusBadRequest) // in HTTP/1.1 it is no gRPC
	w.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes(nil)})
	rest(t, w.call(client, "/", nil)).ends(t, "FunctionNotFound", "12")
}

// A call that breaks off ends with the status that says why: by a reset stream a client would learn of an internal error.
func TestBrokenCallsEndWithAStatus(t *testing.T) {
	for name, c := range map[string]struct {
		path, status, says string
		do                 func(w *world)
	}{
		"instance":  {"/broken", "14", "BadGateway", func(*world) {}},
		"idle time": {"/stream", "4", "GatewayTimeout", func(*world) {}},
		"session": {"/stream", "9", "SessionExpired", func(w *world) {
			s, err := w.store.Get(w.t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
			require.NoError(w.t, err)
			_, err = w.table.End(w.t.Context(), s, false)
			require.NoError(w.t, err)
		}},
		"shutdown": {"/stream", "14", "InstanceUnavailable", func(w *world) { require.Equal(w.t, 1, w.shutdown(0)) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := startH2C(t, func(f *proxy.FunctionConfig) {
				isolated(f)
				if name == "idle time" {
					f.Timeouts.Idle = tight
				}
			}, grpcServer())
			client, _ := w.h2Client()
			res := w.call(client, c.path, nil)
			_, err := io.ReadFull(res.Body, make([]byte, len("message")))
			require.NoError(t, err)
			c.do(w)
			a := rest(t, res)
			require.Equal(t, c.status, a.Trailer.Get("Grpc-Status"), a.Trailer)
			require.Contains(t, a.Trailer.Get("Grpc-Message"), c.says)
			w.idle()
		})
	}
}

// The cut of a session's exchange leaves the others on the connection alone, also where the client takes or sends nothing.
func TestSessionsEndCutsItsStreamAlone(t *testing.T) {
	for _, path := range []string{"/stream", "/upload", "/slow"} {
		t.Run(path, func(t *testing.T) {
			back, entered, cut := patient()
			both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/other" {
					echo().ServeHTTP(w, r)
					return
				}
				back.ServeHTTP(w, r)
			})
			w := startH2C(t, isolated, both, both)
			client, dials := w.h2Client()
			other := w.move(client, "/other")
			in, send := io.Pipe()
			defer send.Close()
			got := make(chan *http.Response, 1)
			go func() {
				defer close(got)
				if res, err := client.Do(w.request(http.MethodPost, path, in, "X-Session-Id", "s")); err == nil {
					got <- res
				}
			}()
			<-entered
			var res *http.Response
			if path == "/stream" {
				res = <-got // it has begun
			}
			w.delete("s")
			<-cut
			if path == "/stream" {
				_, err := io.Copy(io.Discard, res.Body)
				require.ErrorContains(t, err, "INTERNAL_ERROR")
			} else {
				rest(t, <-got).fails(t, "SessionExpired", http.StatusGone)
			}
			require.NoError(t, other.ping())
			require.EqualValues(t, 1, dials.Load())
		})
	}
}

// While Limpet leaves, a client is told by GOAWAY to connect elsewhere, and no request is lost on the way.
func TestLeavingSendsHTTP2ClientsElsewhere(t *testing.T) {
	w := startH2C(t, nil, echo())
	client, dials := w.h2Client()
	open := w.move(client, "/")
	require.NoError(t, open.ping())
	w.server.Leave()
	for range 3 {
		require.Equal(t, http.StatusOK, do(t, client, w.request(http.MethodGet, "/", nil, "X-Session-Id", "s")).StatusCode)
	}
	require.Greater(t, dials.Load(), int64(1), "on other connections")
	require.NoError(t, open.ping(), "what is open goes on")
	ended := make(chan int, 1)
	go func() { ended <- w.shutdown(patience) }()
	require.NoError(t, open.ping())
	require.NoError(t, open.send.Close())
	_, err := io.Copy(io.Discard, open.res.Body)
	require.NoError(t, err, "to its end")
	require.Zero(t, <-ended, "nothing was cut")
}
