package sample_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
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

func TestShutdownWaitsForRequestsUnderWay(t *testing.T) {
	for _, c := range []struct {
		query string
		wait  time.Duration
		want  error
		read  error
	}{
		{"/?stream=3&interval=20ms", time.Minute, nil, nil},
		{"/?stream=2&interval=1h", time.Millisecond, context.DeadlineExceeded, io.ErrUnexpectedEOF},
	} {
		r, err := sample.Start("127.0.0.1:0", sample.Options{})
		require.NoError(t, err)
		resp, err := http.Get(r.URL() + c.query)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), c.wait)
		require.ErrorIs(t, r.Shutdown(ctx), c.want)
		cancel()
		_, err = io.ReadAll(resp.Body)
		require.ErrorIs(t, err, c.read)
		require.NoError(t, resp.Body.Close())
		_, err = http.Get(r.URL())
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	}
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
