package sample_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
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

func start(t *testing.T, o sample.Options) *sample.Running {
	t.Helper()
	r, err := sample.Start("127.0.0.1:0", o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// call sends a GET with the headers, given as pairs, and returns the response with its body.
func call(t *testing.T, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func answer(t *testing.T, url string, headers ...string) sample.Answer {
	t.Helper()
	resp, body := call(t, url, headers...)
	require.Equal(t, http.StatusOK, resp.StatusCode, body)
	var a sample.Answer
	require.NoError(t, json.Unmarshal([]byte(body), &a))
	return a
}

func TestCountsEachSession(t *testing.T) {
	s := start(t, sample.Options{Name: "one", Start: "nonce", Header: "X-Session-Id", Cookie: "sid"})
	for want := 1; want <= 3; want++ {
		a := answer(t, s.URL()+"/any/path", "Limpet-Session-Id", "s1", "X-Session-Id", "other")
		require.Equal(t, sample.Answer{Instance: "one", Session: "s1", Count: want, Start: "nonce"}, a)
	}
	require.Equal(t, 1, answer(t, s.URL(), "X-Session-Id", "s2", "Cookie", "sid=other").Count)
	require.Equal(t, 2, answer(t, s.URL(), "Cookie", "a=b; sid=s2").Count)
	require.Equal(t, 1, answer(t, s.URL()).Count, "without a session")
	require.Equal(t, 2, s.Sessions())
	require.Equal(t, 3, s.Count("s1"))
	require.Zero(t, s.Count("never"))

	resp, body := call(t, s.URL(), "Limpet-Session-Id", strings.Repeat("x", sample.MaxSessionID+1))
	require.Equal(t, http.StatusBadRequest, resp.StatusCode, body)
	require.Equal(t, "one", resp.Header.Get("Sample-Instance"))
}

func TestAGreaterEpochIsANewSession(t *testing.T) {
	s := start(t, sample.Options{})
	in := func(epoch, event string) sample.Answer {
		return answer(t, s.URL(), "Limpet-Session-Id", "s", "Limpet-Session-Epoch", epoch, "Limpet-Session-Event", event)
	}
	first := in("10", "created")
	require.Equal(t, "created", first.Event)
	require.Equal(t, "10", first.Epoch)
	require.Equal(t, 2, in("10", "created").Count, "a repeated announcement changes nothing")
	require.Equal(t, 1, in("11", `rehomed; reason="instance lost"; from="b"`).Count)
	require.Equal(t, 2, in("10", "").Count, "a request that was late")
}

func TestMemoryIsBounded(t *testing.T) {
	s := start(t, sample.Options{MaxSessions: 3})
	for i := range 5 {
		answer(t, s.URL(), "Limpet-Session-Id", fmt.Sprint("s", i))
	}
	require.Equal(t, 3, s.Sessions())
	require.Zero(t, s.Count("s0"))
	require.Equal(t, 1, s.Count("s4"))
}

func TestHealthAndRestart(t *testing.T) {
	s := start(t, sample.Options{Start: "one"})
	resp, _ := call(t, s.URL()+"/healthz?fail=head")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "one", resp.Header.Get("Limpet-Instance-Start"))
	answer(t, s.URL(), "Limpet-Session-Id", "s")

	s.Restart()
	require.Zero(t, s.Sessions())
	require.NotEqual(t, "one", s.StartNonce())
	s.SetHealth(http.StatusServiceUnavailable)
	resp, _ = call(t, s.URL()+"/healthz")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, s.StartNonce(), resp.Header.Get("Limpet-Instance-Start"))
	require.NotEqual(t, sample.New(sample.Options{}).StartNonce(), sample.New(sample.Options{}).StartNonce())
}

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
		"status=99", "status=x", "status=600", "sleep=x", "sleep=-1s", "stream=0", "stream=x", "interval=1", "fail=x",
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

func TestCloseFreesThePort(t *testing.T) {
	r, err := sample.Start("127.0.0.1:0", sample.Options{})
	require.NoError(t, err)
	addr := r.Addr()
	resp, err := http.Get(r.URL() + "/?stream=2&interval=1h")
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "requests under way break off")
	require.NoError(t, resp.Body.Close())

	again, err := sample.Start(addr, sample.Options{})
	require.NoError(t, err)
	_, err = sample.Start(addr, sample.Options{})
	require.Error(t, err)
	require.NoError(t, again.Close())
}

func ExampleNew() {
	instance, err := sample.Start("127.0.0.1:0", sample.Options{Name: "a"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = instance.Close() }()
	for range 2 {
		req, err := http.NewRequest(http.MethodGet, instance.URL(), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		req.Header.Set("Limpet-Session-Id", "alice")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		var a sample.Answer
		err = json.NewDecoder(resp.Body).Decode(&a)
		_ = resp.Body.Close()
		fmt.Println(a.Instance, a.Session, a.Count, err)
	}
	// Output:
	// a alice 1 <nil>
	// a alice 2 <nil>
}
