package sample_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sample"
)

func TestTroubleOnRequest(t *testing.T) {
	s := start(t, sample.Options{})
	resp, _ := call(t, s.URL()+"/?status=503")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	resp, body := call(t, s.URL()+"/?status=204")
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	require.Empty(t, body)

	_, err := http.Get(s.URL() + "/?fail=head")
	require.ErrorIs(t, err, io.EOF)
	broken, err := http.Get(s.URL() + "/?fail=body")
	require.NoError(t, err)
	_, err = io.ReadAll(broken.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, broken.Body.Close())

	began := time.Now()
	answer(t, s.URL()+"/?sleep=30ms")
	require.GreaterOrEqual(t, time.Since(began), 30*time.Millisecond)

	for _, query := range []string{
		"status=99", "status=x", "status=600", "sleep=x", "sleep=-1s", "stream=-1", "stream=x", "interval=1", "fail=x",
		"grow=1023", "grow=-1", "grow=64KiB", "grow=x",
	} {
		resp, body := call(t, s.URL()+"/?"+query)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, query)
		require.Contains(t, body, "accepted is")
	}
}

func TestASleepEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sample.New(sample.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?sleep=1h", nil)
		req.Header.Set("Limpet-Session-Id", "s")
		began := time.Now()
		s.ServeHTTP(httptest.NewRecorder(), req)
		require.Equal(t, time.Second, time.Since(began))
		require.Zero(t, s.Count("s"))
	})
}

func TestStream(t *testing.T) {
	s := start(t, sample.Options{Name: "one"})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/?stream=3&interval=1ms", nil)
	require.NoError(t, err)
	req.Header.Set("Limpet-Session-Id", "s")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines, n := bufio.NewScanner(resp.Body), 0
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		n++
		var a sample.Answer
		require.NoError(t, json.Unmarshal([]byte(data), &a))
		require.Equal(t, sample.Answer{Instance: "one", Session: "s", Count: 1, Start: s.StartNonce(), Of: 3, N: n}, a)
	}
	require.NoError(t, lines.Err())
	require.Equal(t, 3, n)
}

// The first event is there while the second is an hour away.
func TestStreamIsFlushedAtOnce(t *testing.T) {
	s := start(t, sample.Options{})
	resp, err := http.Get(s.URL() + "/?stream=2&interval=1h")
	require.NoError(t, err)
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "id: 1\n", line)
	require.NoError(t, resp.Body.Close())
}

func TestHeadersAreEchoed(t *testing.T) {
	s := start(t, sample.Options{})
	_, body := call(t, s.URL()+"/headers?a=1;b", "X-Test", "one", "X-Test", "two")
	var head sample.Head
	require.NoError(t, json.Unmarshal([]byte(body), &head))
	require.Equal(t, []string{"one", "two"}, head.Headers["X-Test"])
	require.Equal(t, "/headers?a=1;b", head.URI)
	require.Equal(t, s.Addr(), head.Host)
	require.Equal(t, http.MethodGet, head.Method)
}

// Part by part: the second is sent only when the first has come back.
func TestEchoStreamsBothWays(t *testing.T) {
	s := start(t, sample.Options{})
	reader, writer := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/echo", reader)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "text/x-test")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, "text/x-test", resp.Header.Get("Content-Type"))
	for _, part := range []string{"one", "two", "three"} {
		_, err := io.WriteString(writer, part)
		require.NoError(t, err)
		back := make([]byte, len(part))
		_, err = io.ReadFull(resp.Body, back)
		require.NoError(t, err)
		require.Equal(t, part, string(back))
	}
	require.NoError(t, writer.Close())
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, rest)
}

// A body that the client cut short must not come back looking whole.
func TestEchoOfABrokenBody(t *testing.T) {
	s := start(t, sample.Options{})
	conn, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	all, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(all), "abc")
	require.NotContains(t, string(all), "\r\n0\r\n\r\n", "the end of a chunked body")
}
