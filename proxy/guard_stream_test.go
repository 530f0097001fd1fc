package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
)

func TestIsolatedStreamIsCutInMidBody(t *testing.T) {
	back, entered, cut := patient()
	w := start(t, isolated, back)
	var log bytes.Buffer
	w.handler.Swap(proxy.Plane{
		Routes:    proxy.NewRoutes([]*proxy.Function{w.function()}),
		AccessLog: proxy.AccessLog{Logger: slog.New(slog.NewTextHandler(&log, nil))},
	})
	res, err := w.client().Do(w.request(http.MethodGet, "/stream", nil, "X-Session-Id", "s"))
	require.NoError(t, err)
	defer res.Body.Close()
	<-entered
	w.delete("s")
	body, err := io.ReadAll(res.Body)
	require.Error(t, err, "a stream that was cut does not look whole")
	require.Equal(t, "begun\n", string(body))
	<-cut
	w.unharmed()
	require.Contains(t, log.String(), "error=SessionExpired")
}

// The client has sent a part of the body and waits. Whoever reads the rest waits with it, and is in the way.
func TestIsolatedUploadIsCut(t *testing.T) {
	back, entered, cut := patient()
	w := start(t, isolated, back, back, back, back, back, back, back, back)
	for i := range 8 {
		w.cutsAnUpload(fmt.Sprint("s", i), entered)
		<-cut
	}
	w.unharmed()
}

func (w *world) cutsAnUpload(id string, entered <-chan string) {
	t := w.t
	c, br := w.dial()
	fmt.Fprintf(c, "POST /upload HTTP/1.1\r\nHost: f\r\nX-Session-Id: %s\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n", id)
	<-entered
	w.delete(id)
	res, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	answer{res, string(body)}.fails(t, "SessionExpired", http.StatusGone)
}

func TestIsolatedUpgradeIsCut(t *testing.T) {
	w := start(t, isolated, upgrading("websocket"))
	c, br, res := w.upgrade("websocket")
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	fmt.Fprint(c, "ping")
	got := make([]byte, 4)
	_, err := io.ReadFull(br, got)
	require.NoError(t, err)
	w.delete("s")
	_, err = br.ReadByte()
	require.Error(t, err)
	var timeout net.Error
	require.NotErrorAs(t, err, &timeout, "the connection was closed, not left alone")
	w.unharmed()
}

// Who takes nothing of the response does not keep the session's request alive by it.
func TestIsolatedStreamToAClientThatTakesNothingIsCut(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	w := start(t, isolated, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for chunk := make([]byte, 64<<10); ; sent.Add(1) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	c, _ := w.dial()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: f\r\nX-Session-Id: s\r\n\r\n")
	was := int64(0)
	require.Eventually(t, func() bool { // all buffers on the way are full
		now := sent.Load()
		full := now > 0 && now == was
		was = now
		return full
	}, patience, 200*time.Millisecond)
	w.delete("s")
	w.unharmed()
}
