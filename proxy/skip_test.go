package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestABodyThatNobodyReadCostsNoLaterRequest: a client goes on on its connection, whoever answered before the body was read.
func TestABodyThatNobodyReadCostsNoLaterRequest(t *testing.T) {
	hasty := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusConflict)
	})
	w := start(t, slowProbes, hasty).noKeepAlive()
	c, r := w.dial()
	ask := func(framing, body string, status int) {
		t.Helper()
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\n%s\r\n\r\n%s", framing, body)
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		require.Equal(t, status, res.StatusCode)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
	}
	small, large := strings.Repeat("x", 100), strings.Repeat("x", 200<<10)
	for range 3 {
		ask("Content-Length: 100", small, http.StatusConflict)
		ask(fmt.Sprint("Content-Length: ", len(large)), large, http.StatusConflict)
		ask("Transfer-Encoding: chunked", "2\r\nxx\r\n0\r\n\r\n", http.StatusConflict)
	}
	w.kill("a")
	for range 3 {
		ask("Content-Length: 100", small, http.StatusServiceUnavailable)
		ask("Transfer-Encoding: chunked", "2\r\nxx\r\n0\r\n\r\n", http.StatusServiceUnavailable)
	}
	w.idle()
}

// TestABodyThatDoesNotEndIsNotWaitedFor: the answer is there at once, and the connection ends: what comes later in it is no
// request.
func TestABodyThatDoesNotEndIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := start(t, slowProbes, named("a")).noKeepAlive()
	require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode)
	w.kill("a")
	for name, framing := range map[string]string{
		"slow": "Content-Length: 100", "chunked": "Transfer-Encoding: chunked", "long": "Content-Length: 10000000",
	} {
		t.Run(name, func(t *testing.T) {
			c, r := w.dial()
			begun := time.Now()
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nX-Session-Id: s\r\n%s\r\n\r\n", framing)
			res, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
			require.Less(t, time.Since(begun), patience/2)
			_, err = io.Copy(io.Discard, res.Body)
			require.NoError(t, err)
			require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
			_, err = r.ReadByte()
			require.Error(t, err)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection ends")
		})
	}
	w.idle()
}
