package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
)

// tight is an idle time that tests wait for.
const tight = 300 * time.Millisecond

// tightBelow routes what is below /tight to the same instances with a short idle time.
func (w *world) tightBelow() {
	long, short := w.function(), w.function()
	short.Config.Match.Path, short.Config.Timeouts.Idle = "/tight", tight
	short.Table = long.Table
	w.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{long, short})})
}

// stuck says one word at /tight/begun and nothing at /tight/silent, floods at /tight/flood, and is an echo elsewhere.
func stuck() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/tight/silent":
			<-r.Context().Done()
		case "/tight/begun":
			fmt.Fprint(w, "word")
			if http.NewResponseController(w).Flush() == nil {
				<-r.Context().Done()
			}
		case "/tight/deaf": // takes nothing of what is sent to it
			for http.NewResponseController(w).Flush() == nil && r.Context().Err() == nil {
				fmt.Fprint(w, "word")
				time.Sleep(tight / 20)
			}
		case "/tight/early": // answers without the body, and takes its time
			for range 40 {
				fmt.Fprint(w, "word")
				if http.NewResponseController(w).Flush() != nil {
					return
				}
				time.Sleep(tight / 20)
			}
		case "/tight/flood":
			for chunk := make([]byte, 64<<10); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case "/tight/upload":
			io.Copy(io.Discard, r.Body) //nolint:errcheck // the client sees it
		default:
			echo().ServeHTTP(w, r)
		}
	})
}

// moving is an echo of which each ping is awaited.
type moving struct {
	send *io.PipeWriter
	res  *http.Response
}

func (w *world) move(client *http.Client, path string) moving {
	in, send := io.Pipe()
	res, err := client.Do(w.request(http.MethodPost, path, in, "X-Session-Id", "moving"))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { send.Close(); res.Body.Close() })
	return moving{send, res}
}

func (m moving) ping() error {
	if _, err := fmt.Fprint(m.send, "ping"); err != nil {
		return err
	}
	_, err := io.ReadFull(m.res.Body, make([]byte, 4))
	return err
}

// pings pings until stop is called, which returns the first failure.
func (m moving) pings() (stop func() error) {
	done, result := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			if err := m.ping(); err != nil {
				result <- err
				return
			}
			select {
			case <-done:
				result <- nil
				return
			case <-time.After(tight / 20):
			}
		}
	}()
	return func() error { close(done); return <-result }
}

// A stream on which nothing moves is cut; those beside it on the connection go on, be their own idle time long or short.
func TestIdleStreamIsCutAlone(t *testing.T) {
	for name, stall := range map[string]func(t *testing.T, w *world, client *http.Client){
		"before the head": func(t *testing.T, w *world, client *http.Client) {
			a := do(t, client, w.request(http.MethodGet, "/tight/silent", nil, "X-Session-Id", "s"))
			a.fails(t, "GatewayTimeout", http.StatusGatewayTimeout)
		},
		"before the head, body not sent": func(t *testing.T, w *world, client *http.Client) {
			in, send := io.Pipe()
			defer send.Close()
			a := do(t, client, w.request(http.MethodPost, "/tight/silent", in, "X-Session-Id", "s"))
			a.fails(t, "GatewayTimeout", http.StatusGatewayTimeout)
		},
		"in mid-body": func(t *testing.T, w *world, client *http.Client) {
			res, err := client.Do(w.request(http.MethodGet, "/tight/begun", nil, "X-Session-Id", "s"))
			require.NoError(t, err)
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			require.Equal(t, "word", string(got))
			require.ErrorContains(t, err, "INTERNAL_ERROR", "it does not look whole")
		},
		"instance that takes nothing, and answers": func(t *testing.T, w *world, client *http.Client) {
			res, err := client.Do(w.request(http.MethodPost, "/tight/deaf", endless{}, "X-Session-Id", "s"))
			require.NoError(t, err)
			defer res.Body.Close()
			_, err = io.Copy(io.Discard, res.Body)
			require.ErrorContains(t, err, "INTERNAL_ERROR")
		},
		"client that takes nothing": func(t *testing.T, w *world, client *http.Client) {
			res, err := client.Do(w.request(http.MethodGet, "/tight/flood", nil, "X-Session-Id", "s"))
			require.NoError(t, err)
			defer res.Body.Close()
			require.Eventually(t, func() bool { return w.handler.InFlight() == 2 }, patience, time.Millisecond, "only the others are left")
			_, err = io.Copy(io.Discard, res.Body)
			require.ErrorContains(t, err, "INTERNAL_ERROR")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := startH2C(t, nil, stuck())
			w.tightBelow()
			client, dials := w.h2Client()
			silent, busy := w.move(client, "/echo"), w.move(client, "/tight/echo")
			require.NoError(t, silent.ping())
			stop := busy.pings()
			stall(t, w, client)
			require.NoError(t, stop())
			require.NoError(t, silent.ping())
			require.EqualValues(t, 1, dials.Load(), "on one connection")
		})
	}
}

// An exchange with an instance that is spoken to by HTTP/2 has an idle time in HTTP/1 too, and one by another listener.
func TestIdleExchangeBeforeAnHTTP2Instance(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) {
		h2c(c)
		c.Timeouts.Idle, c.Invoke = tight, true
		c.InvokePath = "/tight/silent"
	}, stuck())
	w.get("/tight/silent", "s").fails(t, "GatewayTimeout", http.StatusGatewayTimeout)
	a := w.admin().post(fcPath, "", "X-Session-Id", "s")
	require.Equal(t, http.StatusGatewayTimeout, a.StatusCode, a.body)
	w.unharmed()
}

// endless is a body without an end.
type endless struct{}

// Read always has something.
func (endless) Read(p []byte) (int, error) { return len(p), nil }

// Streams that move are not cut, however long they take: by one direction alone, and where an instance wants no body.
func TestStreamsThatMoveAreNotCut(t *testing.T) {
	w := startH2C(t, nil, stuck())
	w.tightBelow()
	client, _ := w.h2Client()
	a := do(t, client, w.request(http.MethodGet, "/tight/early", nil, "X-Session-Id", "s"))
	require.Len(t, a.body, 160)
	a = do(t, client, w.request(http.MethodPost, "/tight/early", strings.NewReader(strings.Repeat("x", 4<<10)), "X-Session-Id", "s"))
	require.Len(t, a.body, 160)
	a = do(t, client, w.request(http.MethodPost, "/tight/upload", &slow{left: 40}, "X-Session-Id", "s"))
	require.Equal(t, http.StatusOK, a.StatusCode)
}

// slow is a body that takes two idle times.
type slow struct{ left int }

// Read gives a byte after a while.
func (s *slow) Read(p []byte) (int, error) {
	if s.left--; s.left < 0 {
		return 0, io.EOF
	}
	time.Sleep(tight / 20)
	return copy(p, "x"), nil
}
