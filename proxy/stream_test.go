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

// flush sends what was written so far.
func flush(w http.ResponseWriter) {
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// Each piece comes while the next one does not exist yet, the head too.
func TestResponsesAreFlushedAsTheyCome(t *testing.T) {
	for name, head := range map[string][2]string{
		"event stream":              {"Content-Type", "text/event-stream"},
		"chunked":                   {"Content-Type", "application/octet-stream"},
		"known length":              {"Content-Length", "3"},
		"event stream, with length": {"Content-Length", "3; text/event-stream"},
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{}, 3)
			w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				value, kind, _ := strings.Cut(head[1], "; ")
				w.Header().Set(head[0], value)
				if kind != "" {
					w.Header().Set("Content-Type", kind)
				}
				flush(w)
				for i := range 3 {
					select {
					case <-next:
					case <-time.After(patience): // flushed by its end
						return
					}
					fmt.Fprint(w, i)
					flush(w)
				}
			}))
			res, err := w.client().Do(w.request(http.MethodGet, "/", nil, "X-Session-Id", "s"))
			require.NoError(t, err)
			defer res.Body.Close()
			for i := range 3 {
				next <- struct{}{}
				exactly(t, res.Body, fmt.Sprint(i))
			}
			_, err = res.Body.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
		})
	}
}

// An instance that works for a client that has left learns it by an event, not by its next word.
func TestAClientThatLeavesIsSeenByTheInstance(t *testing.T) {
	entered, left := make(chan struct{}, 1), make(chan error, 1)
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/silent" {
			http.NewResponseController(w).EnableFullDuplex()
			fmt.Fprint(w, "begun\n")
			flush(w)
		}
		entered <- struct{}{}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			left <- err
			return
		}
		<-r.Context().Done()
		left <- r.Context().Err()
	}))
	for name, request := range map[string]string{
		"before the head":           "GET /silent HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\n\r\n",
		"in a silent stream":        "GET / HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\n\r\n",
		"after its body":            "POST /silent HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\nContent-Length: 4\r\n\r\nbody",
		"in mid-upload":             "POST /silent HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\nContent-Length: 9\r\n\r\nbody",
		"in a chunked upload":       "POST /silent HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
		"in a stream of both kinds": "POST / HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := w.dial()
			fmt.Fprint(c, request)
			<-entered
			begun := time.Now()
			require.NoError(t, c.Close())
			select {
			case <-left:
				t.Log("seen after", time.Since(begun))
			case <-time.After(patience):
				t.Fatal("the instance was not told")
			}
			w.unharmed()
		})
	}
}

// A response that the instance broke off is not one that has ended.
func TestAStreamThatTheInstanceBreaksOffLooksBroken(t *testing.T) {
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", "1000")
		} else {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		fmt.Fprint(w, "data: 1\n\n")
		flush(w)
		panic(http.ErrAbortHandler)
	}))
	for _, path := range []string{"/length", "/events"} {
		res, err := w.client().Do(w.request(http.MethodGet, path, nil, "X-Session-Id", "s"))
		require.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Equal(t, "data: 1\n\n", string(got))
		require.NoError(t, res.Body.Close())
	}
	w.unharmed()
}

// The time until the head is bounded, the time after it is not.
func TestAStreamThatHasBegunOutlastsTheResponseTimeout(t *testing.T) {
	timeout := 200 * time.Millisecond
	w := start(t, func(c *proxy.FunctionConfig) { c.Timeouts.ResponseHeader = timeout }, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				<-r.Context().Done()
				return
			}
			fmt.Fprint(w, "begun ")
			flush(w)
			time.Sleep(2 * timeout)
			fmt.Fprint(w, "ended")
		}))
	require.Equal(t, "begun ended", w.get("/", "s").body)
	w.get("/late", "s").fails(t, "GatewayTimeout", http.StatusGatewayTimeout)
}

// The client reads nothing and says nothing, or goes on sending: the stream is stuck either way.
func TestAStreamThatTheClientDoesNotTakeIsCut(t *testing.T) {
	t.Parallel()
	for _, sends := range []bool{false, true} {
		t.Run(fmt.Sprint("sending=", sends), func(t *testing.T) {
			cut := make(chan struct{})
			w := start(t, func(c *proxy.FunctionConfig) { c.Timeouts.Idle = 300 * time.Millisecond }, http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					defer close(cut)
					http.NewResponseController(w).EnableFullDuplex()
					go io.Copy(io.Discard, r.Body)
					for chunk := make([]byte, 64<<10); ; {
						if _, err := w.Write(chunk); err != nil {
							return
						}
					}
				}))
			c, _ := w.dial()
			fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
			for over := time.After(patience); ; {
				select {
				case <-cut:
					w.idle()
					return
				case <-over:
					t.Fatal("not cut")
				case <-time.After(50 * time.Millisecond):
				}
				if sends {
					fmt.Fprint(c, "4\r\nbody\r\n")
				}
			}
		})
	}
}

// A stream that moves lasts for many idle times, whichever way it goes.
func TestAStreamThatMovesOneWayIsNotCut(t *testing.T) {
	t.Parallel()
	const idle, pieces = time.Second, 30
	received := make(chan string, 1)
	w := start(t, func(c *proxy.FunctionConfig) { c.Timeouts.Idle = idle }, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				body, err := io.ReadAll(r.Body)
				received <- fmt.Sprint(len(body), err)
				return
			}
			for range pieces {
				fmt.Fprint(w, "x")
				flush(w)
				time.Sleep(3 * idle / pieces)
			}
		}))
	down := make(chan string, 1)
	go func() { down <- w.get("/", "s").body }()
	body, pipe := io.Pipe()
	go func() {
		for range pieces {
			fmt.Fprint(pipe, "x")
			time.Sleep(3 * idle / pieces)
		}
		pipe.Close()
	}()
	require.Equal(t, http.StatusOK, w.do(w.request(http.MethodPost, "/", body, "X-Session-Id", "s")).StatusCode)
	require.Equal(t, fmt.Sprint(pieces, error(nil)), <-received)
	require.Equal(t, strings.Repeat("x", pieces), <-down)
}

// A stream is a use of its session for as long as it is open.
func TestAStreamKeepsItsSession(t *testing.T) {
	h, _, _ := held()
	w := start(t, nil, h)
	res, err := w.client().Do(w.request(http.MethodGet, "/stream", nil, "X-Session-Id", "s"))
	require.NoError(t, err)
	w.delete("s")
	require.True(t, w.ending(), "it is in use")
	require.NoError(t, res.Body.Close())
	w.idle()
}
