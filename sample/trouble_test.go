package sample_test

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sample"
)

func TestTroubleOfEachRequestUnlessItsQuerySaysElse(t *testing.T) {
	s := start(t, sample.Options{Trouble: sample.Trouble{Status: 503, Stream: 2, Interval: -1, Grow: sample.MinGrow}})
	resp, body := call(t, s.URL(), "Limpet-Session-Id", "s")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, 2, strings.Count(body, "data: "))
	require.Equal(t, "1", resp.Header.Get("Sample-Count"))
	require.EqualValues(t, sample.MinGrow, s.Grown())
	require.Equal(t, 2, answer(t, s.URL()+"/?status=200&stream=0&grow=0", "Limpet-Session-Id", "s").Count)
	require.EqualValues(t, sample.MinGrow, s.Grown())
	resp, _ = call(t, s.URL()+"/headers")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	resp, _ = call(t, s.URL()+"/healthz")
	require.Equal(t, http.StatusOK, resp.StatusCode)

	s = start(t, sample.Options{Trouble: sample.Trouble{Fail: sample.FailHead, Sleep: time.Hour}})
	_, err := http.Get(s.URL() + "/?sleep=0s")
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 1, answer(t, s.URL()+"/?sleep=0s&fail=", "Limpet-Session-Id", "s").Count)
}

// An answer with an error status says that it counted, in its head and in its body, and so does its head alone.
func TestEveryCountedAnswerSaysSo(t *testing.T) {
	s := start(t, sample.Options{})
	resp, body := call(t, s.URL()+"/?status=500", "Limpet-Session-Id", "s")
	require.Equal(t, "1", resp.Header.Get("Sample-Count"))
	require.Contains(t, body, `"count":1`)
	head, err := http.NewRequestWithContext(t.Context(), http.MethodHead, s.URL()+"/?stream=3&interval=1h", nil)
	require.NoError(t, err)
	head.Header.Set("Limpet-Session-Id", "s")
	for _, want := range []string{"2", "3"} {
		resp, err := http.DefaultClient.Do(head)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.Header.Get("Sample-Count"))
	}
	head.URL.RawQuery = ""
	resp, err = http.DefaultClient.Do(head)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "4", resp.Header.Get("Sample-Count"))
	require.Positive(t, resp.ContentLength, "as a GET would have it")
	require.Equal(t, 5, answer(t, s.URL(), "Limpet-Session-Id", "s").Count)

	for _, uncounted := range []string{"/headers", "/echo", "/healthz", "/?status=x"} {
		resp, _ := call(t, s.URL()+uncounted, "Limpet-Session-Id", "s")
		require.Empty(t, resp.Header.Values("Sample-Count"), uncounted)
	}
	require.Equal(t, 5, s.Count("s"))
}

// serve calls the handler itself and returns the status, 0 for a connection that it breaks off.
func serve(s *sample.Server, url string) (status int) {
	defer func() {
		if p := recover(); p != nil && p != any(http.ErrAbortHandler) {
			panic(p)
		}
	}()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	return w.Code
}

// How many are hit is binomial: 20 standard deviations are left by chance in no run that anybody will see.
func TestAShareOfTheRequestsIsSpared(t *testing.T) {
	const requests = 10_000
	for _, share := range []float64{0, 0.1, 0.9, 1} {
		broken, refused := 0, 0
		fails := sample.New(sample.Options{Trouble: sample.Trouble{Fail: sample.FailHead, Spare: 1 - share}})
		errs := sample.New(sample.Options{Trouble: sample.Trouble{Status: 503, Spare: 1 - share}})
		for range requests {
			if serve(fails, "/") == 0 {
				broken++
			}
			if serve(errs, "/") == http.StatusServiceUnavailable {
				refused++
			}
		}
		bound := 20 * math.Sqrt(requests*share*(1-share))
		require.InDelta(t, requests*share, broken, bound, share)
		require.InDelta(t, requests*share, refused, bound, share)
	}
}

// What the query asks for is no matter of luck, and neither is a status that is no error.
func TestTheShareSparesNothingElse(t *testing.T) {
	s := sample.New(sample.Options{Trouble: sample.Trouble{Status: 201, Fail: sample.FailHead, Spare: 1}})
	for range 100 {
		require.Equal(t, http.StatusCreated, serve(s, "/"))
		require.Zero(t, serve(s, "/?fail=head"))
		require.Equal(t, http.StatusTeapot, serve(s, "/?status=418"))
	}
}
