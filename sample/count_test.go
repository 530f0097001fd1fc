package sample_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sample"
)

func TestCountsConcurrentRequests(t *testing.T) {
	const clients, each, sessions = 8, 200, 3
	s := sample.New(sample.Options{})
	seen := make([]sync.Map, sessions)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for n := range each * sessions {
				req := httptest.NewRequest(http.MethodGet, "/", nil)
				req.Header.Set("Limpet-Session-Id", fmt.Sprint(n%sessions))
				w := httptest.NewRecorder()
				s.ServeHTTP(w, req)
				seen[n%sessions].Store(w.Header().Get("Sample-Count"), w.Body.String())
			}
		})
	}
	all.Wait()
	for id := range seen {
		require.Equal(t, clients*each, s.Count(fmt.Sprint(id)))
		for n := 1; n <= clients*each; n++ {
			body, ok := seen[id].Load(fmt.Sprint(n))
			require.True(t, ok, "each count once")
			require.Contains(t, body, fmt.Sprintf(`"session":"%d","count":%d,`, id, n))
		}
	}
}

// The body must be read first, or net/http does not notice that its client has gone.
func TestAClientThatLeavesASleepIsNotCounted(t *testing.T) {
	s := sample.New(sample.Options{})
	begun, ended := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		defer close(ended)
		s.ServeHTTP(w, r)
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/?sleep=1m", strings.NewReader("a body"))
	require.NoError(t, err)
	req.Header.Set("Limpet-Session-Id", "s")
	_, err = http.DefaultClient.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	<-ended
	require.Zero(t, s.Count("s"))
}

func TestGivesACookie(t *testing.T) {
	s := start(t, sample.Options{Header: "x-session-id", Cookie: "sid", GiveCookie: true})
	var ids [2]string
	for i := range ids {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client := &http.Client{Jar: jar}
		for n := 1; n <= 3; n++ {
			resp, err := client.Get(s.URL() + "/some/where")
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, fmt.Sprint(n), resp.Header.Get("Sample-Count"), "the first counts already")
			if n > 1 {
				require.Empty(t, resp.Header.Values("Set-Cookie"), "it has one")
				continue
			}
			require.Len(t, resp.Cookies(), 1)
			c := resp.Cookies()[0]
			require.Equal(t, fmt.Sprintf("sid=%s; Path=/; HttpOnly", c.Value), resp.Header.Get("Set-Cookie"))
			ids[i] = c.Value
		}
		require.Equal(t, 3, s.Count(ids[i]))
	}
	require.NotEqual(t, ids[0], ids[1])

	resp, _ := call(t, s.URL(), "X-Session-Id", "mine")
	require.Empty(t, resp.Header.Values("Set-Cookie"), "it names a session")
	resp, _ = call(t, s.URL()+"/headers")
	require.Empty(t, resp.Header.Values("Set-Cookie"), "nothing is counted")
	without := start(t, sample.Options{Cookie: "sid"})
	resp, _ = call(t, without.URL())
	require.Empty(t, resp.Header.Values("Set-Cookie"))
}

// grow asks for room and returns the status.
func grow(t *testing.T, s *sample.Running, bytes int, headers ...string) int {
	t.Helper()
	resp, body := call(t, fmt.Sprintf("%s/?grow=%d", s.URL(), bytes), headers...)
	if resp.StatusCode != http.StatusOK {
		require.Contains(t, body, "no room to grow by ")
		require.Empty(t, resp.Header.Values("Sample-Count"))
		require.Empty(t, resp.Header.Values("Set-Cookie"))
	}
	return resp.StatusCode
}

func TestGrowthIsBounded(t *testing.T) {
	const most = 8 << 10
	s := start(t, sample.Options{MaxMemory: most, Cookie: "sid", GiveCookie: true})
	require.Equal(t, http.StatusInsufficientStorage, grow(t, s, most+1, "Limpet-Session-Id", "a"))
	require.Zero(t, s.Sessions(), "it did not count")
	require.Equal(t, http.StatusOK, grow(t, s, most/2, "Limpet-Session-Id", "a"))
	require.Equal(t, http.StatusOK, grow(t, s, most/2, "Limpet-Session-Id", "b"))
	require.EqualValues(t, most, s.Grown())
	for _, id := range []string{"a", "c", ""} {
		require.Equal(t, http.StatusInsufficientStorage, grow(t, s, sample.MinGrow, "Limpet-Session-Id", id), id)
	}
	require.Equal(t, 2, answer(t, s.URL(), "Limpet-Session-Id", "a").Count, "what does not grow goes on")
	require.Equal(t, 2, s.Sessions())

	s.Restart()
	require.Zero(t, s.Grown())
	require.Equal(t, http.StatusOK, grow(t, s, most, "Limpet-Session-Id", "a"))
}

func TestRequestsWithoutASessionGrowTheInstance(t *testing.T) {
	s := start(t, sample.Options{MaxMemory: sample.MinGrow})
	require.Equal(t, http.StatusOK, grow(t, s, sample.MinGrow))
	require.Equal(t, http.StatusInsufficientStorage, grow(t, s, sample.MinGrow))
	require.Equal(t, 2, answer(t, s.URL()).Count, "the refused one did not count")
}

func TestForgettingASessionFreesWhatItGrew(t *testing.T) {
	const most = 8 << 10
	s := start(t, sample.Options{MaxMemory: most, MaxSessions: 2})
	require.Equal(t, http.StatusOK, grow(t, s, 2<<10, "Limpet-Session-Id", "a", "Limpet-Session-Epoch", "1"))
	require.Equal(t, http.StatusOK, grow(t, s, 6<<10, "Limpet-Session-Id", "a", "Limpet-Session-Epoch", "1"))

	over := []string{"Limpet-Session-Id", "a", "Limpet-Session-Epoch", "2"}
	require.Equal(t, http.StatusInsufficientStorage, grow(t, s, most+1, over...))
	require.Equal(t, 2, s.Count("a"), "a refused request changes nothing")
	require.EqualValues(t, most, s.Grown())
	require.Equal(t, http.StatusOK, grow(t, s, 5<<10, over...), "a greater epoch is another session")
	require.EqualValues(t, 5<<10, s.Grown())

	require.Equal(t, http.StatusOK, grow(t, s, 1<<10, "Limpet-Session-Id", "b"))
	require.Equal(t, http.StatusOK, grow(t, s, 2<<10, "Limpet-Session-Id", "c"), "evicts a")
	require.EqualValues(t, 3<<10, s.Grown())
}
