package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// wire is an HTTP/2 connection of which a test writes each frame.
type wire struct {
	*http2.Framer
	t    *testing.T
	conn net.Conn
}

func (w *world) wire() wire {
	c, err := net.Dial("tcp", w.addr)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	require.NoError(w.t, c.SetDeadline(time.Now().Add(patience)))
	fmt.Fprint(c, http2.ClientPreface)
	f := wire{http2.NewFramer(c, c), w.t, c}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(w.t, f.WriteSettings())
	return f
}

// block encodes header fields, given as name and value in turn, after those of every request.
func block(fields ...string) []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	path := "/"
	if len(fields) > 0 && fields[0] == ":path" {
		path, fields = fields[1], fields[2:]
	}
	all := append([]string{":method", "GET", ":scheme", "http", ":path", path, ":authority", "f.example"}, fields...)
	for i := 0; i < len(all); i += 2 {
		enc.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]}) //nolint:errcheck // to a buffer
	}
	return b.Bytes()
}

// get sends a whole request, or finds the connection closed.
func (f wire) get(stream uint32, fields ...string) {
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(fields...), EndStream: true, EndHeaders: true}) //nolint:errcheck // as it says
}

// open sends the head of a request whose body is to follow.
func (f wire) open(stream uint32, fields ...string) {
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block(fields...), EndHeaders: true}) //nolint:errcheck // as get
}

// head reads up to the head of the next response.
func (f wire) head() *http2.MetaHeadersFrame {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		require.NoError(f.t, err)
		if h, ok := frame.(*http2.MetaHeadersFrame); ok {
			return h
		}
	}
}

func field(h *http2.MetaHeadersFrame, name string) string {
	for _, f := range h.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// A client may send each cookie in a field of its own (RFC 9113, section 8.2.3).
func TestCookiesInSeveralFields(t *testing.T) {
	w := startH2C(t, func(c *proxy.FunctionConfig) { c.Affinity.Type = sessions.AffinityCookie }, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Got", fmt.Sprintf("%q", r.Header["Cookie"]))
	}))
	f := w.wire()
	f.get(1)
	name, rest, _ := strings.Cut(field(f.head(), "set-cookie"), "=")
	value, _, _ := strings.Cut(rest, ";")
	require.Equal(t, "limpet-session", name)
	f.get(3, "cookie", "a=1", "cookie", name+"="+value, "cookie", "b=2")
	h := f.head()
	require.Empty(t, field(h, "limpet-session-event"), "the session was found")
	require.Equal(t, `["a=1; b=2"]`, field(h, "got"), "without Limpet's own")
}

// gRPC's clients look for the status of a call that failed at once in a head that is the end as well, the instance's own
// or Limpet's.
func TestGRPCFailureIsOneFrame(t *testing.T) {
	w := startH2C(t, nil, grpcServer())
	for id, status := range map[string]string{"-": "3", "s": "7"} {
		f := w.wire()
		f.open(1, ":path", "/refused", "content-type", "application/grpc", "x-session-id", id)
		h := f.head()
		require.Equal(t, status, field(h, "grpc-status"))
		require.True(t, h.StreamEnded(), "no DATA follows")
	}
}

// An instance may answer without the body, which then waits for nobody. A client that takes the answer slowly gets it all.
func TestAnswerWithoutTheBodyIsTakenSlowly(t *testing.T) {
	t.Parallel()
	const length, window = 200_000, 20_000
	w := startH2C(t, func(c *proxy.FunctionConfig) { c.Timeouts.Idle = tight }, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(make([]byte, length)) //nolint:errcheck // the client sees it
	}))
	f := w.wire()
	require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
	require.NoError(t, f.WriteWindowUpdate(0, 1<<20))
	f.open(1, "x-session-id", "s")
	for range 6 { // more than the instance lets wait
		require.NoError(t, f.WriteData(1, false, make([]byte, 16<<10)))
	}
	got := 0
	for got < length {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame:
			require.Equal(t, http2.ErrCodeNo, frame.ErrCode, "after %d bytes", got)
		case *http2.DataFrame:
			if got += len(frame.Data()); got%window == 0 && got < length {
				time.Sleep(3 * beat)
				require.NoError(t, f.WriteWindowUpdate(1, window))
			}
		}
	}
}

// Whatever bytes a client sends on a connection, the others are served.
func TestHostileFramesHarmNobodyElse(t *testing.T) {
	w := startH2C(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 5000 }, echo())
	client, dials := w.h2Client()
	other := w.move(client, "/")
	for name, attack := range map[string]func(f wire){
		"no preface":   func(f wire) { fmt.Fprint(f.conn, strings.Repeat("x", 1<<16)) },
		"huge frame":   func(f wire) { f.conn.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1}) }, //nolint:errcheck // it may be closed
		"even stream":  func(f wire) { f.get(2) },
		"stream again": func(f wire) { f.get(5); f.get(3) },
		"bad HPACK": func(f wire) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EndHeaders: true}) //nolint:errcheck // as above
		},
		"data for nobody": func(f wire) { f.WriteData(7, true, []byte("x")) },                                     //nolint:errcheck // as above
		"bad window":      func(f wire) { f.WriteWindowUpdate(0, 1<<31-1); f.WriteWindowUpdate(0, 1<<31-1) },      //nolint:errcheck // as above
		"bad settings":    func(f wire) { f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1}) }, //nolint:errcheck // as above
		"pings": func(f wire) {
			for range 20_000 {
				if f.WritePing(false, [8]byte{}) != nil {
					return
				}
			}
		},
		"rapid reset": func(f wire) {
			for i := range uint32(3000) {
				f.get(2*i+1, "x-session-id", "rapid")
				if f.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
					return
				}
			}
		},
		"continuation": func(f wire) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block()}) //nolint:errcheck // as above
			for i := range 3000 {
				var b bytes.Buffer
				hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: fmt.Sprint("x-", i), Value: strings.Repeat("y", 1000)}) //nolint:errcheck // to a buffer
				if f.WriteContinuation(1, false, b.Bytes()) != nil {
					return
				}
			}
		},
		"long head": func(f wire) {
			var fields []string
			for i := range proxy.DefaultHeaderBytes / 1000 {
				fields = append(fields, fmt.Sprint("x-", i), strings.Repeat("y", 1000))
			}
			f.get(1, fields...)
			require.Equal(f.t, "431", field(f.head(), ":status"))
		},
		"endless head": func(f wire) { f.get(1, "x-long", strings.Repeat("y", 1<<20)) },
		"connection header": func(f wire) {
			f.get(1, "connection", "close", "x-session-id", "s")
			require.NotEqual(f.t, "200", field(f.head(), ":status"))
		},
		"path without slash": func(f wire) {
			f.get(1, ":path", "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := w.wire()
			f.t = t
			attack(f)
			require.NoError(t, other.ping(), "the other connection goes on")
			require.Equal(t, http.StatusOK, do(t, client, w.request(http.MethodGet, "/", nil, "X-Session-Id", "s")).StatusCode)
			f.conn.Close()
		})
	}
	require.EqualValues(t, 1, dials.Load())
	require.NoError(t, other.send.Close())
	_, err := io.Copy(io.Discard, other.res.Body)
	require.NoError(t, err)
	w.unharmed()
}
