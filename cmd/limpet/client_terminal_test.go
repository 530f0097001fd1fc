package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTerminalFlagsGoBeforeTheEnvironment is not parallel: the environment is the process's.
func TestTerminalFlagsGoBeforeTheEnvironment(t *testing.T) {
	one, other := newFakeAdmin(t), newFakeAdmin(t)
	file := filepath.Join(t.TempDir(), "key")
	replace(t, file, "of the file\n")
	sent := func(f *fakeAdmin, args ...string) string {
		status, _, stderr := here(t, append([]string{"instances", "list"}, args...)...)
		require.Zero(t, status, stderr)
		return f.lastAsked(t).header.Get("Authorization")
	}
	t.Setenv("LIMPET_ADMIN", one.URL)
	t.Setenv("LIMPET_KEY", "of the environment")
	require.Equal(t, "Bearer of the environment", sent(one))
	require.Equal(t, "Bearer of the environment", sent(other, "--admin", other.URL))
	require.Equal(t, "Bearer of the file", sent(one, "--key-file", file))
	require.Equal(t, "Bearer of the file", sent(other, "--key-file", file, "--admin", other.URL))
	require.Len(t, one.requests(), 2)
	require.Len(t, other.requests(), 2)

	t.Setenv("LIMPET_ADMIN", strings.TrimPrefix(other.URL, "http://"))
	t.Setenv("LIMPET_KEY", "one line end\n")
	require.Equal(t, "Bearer one line end", sent(other), "host:port is enough")
	t.Setenv("LIMPET_KEY", "")
	require.Empty(t, other.lastAsked(t).header.Get("Cookie"))
	require.Empty(t, sent(other), "no key is sent where none is given")
	require.Empty(t, sent(one, "--admin", one.URL+"/"))
	require.Equal(t, "/limpet/v1/functions", one.lastAsked(t).uri)

	t.Setenv("LIMPET_KEY", "two\nlines")
	require.Contains(t, fails(t, "sessions", "list"), "LIMPET_KEY holds a line end or another control character")
	t.Setenv("LIMPET_KEY", "")
	t.Setenv("LIMPET_ADMIN", "nonsense")
	require.Contains(t, fails(t, "sessions", "list"), "LIMPET_ADMIN: neither a URL nor host:port")
}

func TestTerminalReadsTheKeyAsTheServerDoes(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	file := filepath.Join(t.TempDir(), "key")
	for text, secret := range map[string]string{"s3cret": "s3cret", "s3cret\n": "s3cret", "s3cret\r\n": "s3cret"} {
		replace(t, file, text)
		f.run(t, "instances", "list", "--key-file", file)
		require.Equal(t, "Bearer "+secret, f.lastAsked(t).header.Get("Authorization"))
	}
	asked := len(f.requests())
	for text, says := range map[string]string{
		"": "is empty", "\n": "is empty", "a\n\n": "holds a line end", "a\x00b": "control character",
		strings.Repeat("a", 20<<10): "longer than 16 KiB",
	} {
		replace(t, file, text)
		problem := f.fail(t, "instances", "list", "--key-file", file)
		require.Contains(t, problem, says)
		require.Contains(t, problem, "--key-file")
	}
	require.Contains(t, f.fail(t, "instances", "list", "--key-file", file+".missing"), "no such file")
	require.Contains(t, f.fail(t, "instances", "list", "--key-file", ""), "--key-file: no file is named")
	require.Len(t, f.requests(), asked)
}

func TestTerminalTellsWhichKeyIsRefused(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	file := filepath.Join(t.TempDir(), "key")
	replace(t, file, "very secret words")
	refusal := http.StatusUnauthorized
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, refusal, "TheCode", "the message")
		return true
	}
	require.Contains(t, f.fail(t, "sessions", "list"), "the message (401 TheCode, request 1-2-3): name the file of a key's secret with --key-file, or put the secret into LIMPET_KEY")
	for _, refusal = range []int{http.StatusUnauthorized, http.StatusForbidden} {
		problem := f.fail(t, "sessions", "list", "--key-file", file)
		require.Contains(t, problem, fmt.Sprintf("the message (%d TheCode, request 1-2-3): the key is that of --key-file "+file, refusal))
		require.NotContains(t, problem, "very secret words")
	}
	require.Contains(t, f.fail(t, "sessions", "list"), "no key was sent, see --key-file and LIMPET_KEY")
}

func TestTerminalRepeatsWhatTheServerRefuses(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	for status, code := range map[int]string{
		400: "InvalidArgument", 404: "FunctionNotFound", 409: "SessionAlreadyExists", 410: "SessionExpired", 500: "InternalServerError",
	} {
		f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
			refuse(w, status, code, "what is wrong")
			return true
		}
		require.Equal(t, fmt.Sprintf("limpet: function counter: what is wrong (%d %s, request 1-2-3)\n", status, code),
			f.fail(t, "sessions", "create", "counter"))
	}
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "7")
		refuse(w, 503, "NoCapacity", "no instance has a free session slot")
		return true
	}
	require.Contains(t, f.fail(t, "sessions", "create", "counter"), "slot (503 NoCapacity, request 1-2-3): try again in 7 s")
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, 404, "NotFound", "nothing is at this path")
		return true
	}
	require.Contains(t, f.fail(t, "instances", "list"), "give the admin listener's address with --admin or LIMPET_ADMIN")
}

func TestTerminalWaitsOnceForItsRate(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, active("alice"))
	throttled, wait := 1, "1"
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		throttled--
		if throttled < 0 {
			return false
		}
		w.Header().Set("Retry-After", wait)
		refuse(w, 429, "Throttling", "this key's rate is used up")
		return true
	}
	began := time.Now()
	f.run(t, "sessions", "update", "counter", "alice", "--ttl", "1h")
	require.GreaterOrEqual(t, time.Since(began), time.Second, "as long as the server asked for")
	require.JSONEq(t, `{"sessionTTLInSeconds":3600}`, f.lastAsked(t).body, "the second time like the first")
	require.Len(t, f.requests(), 2)

	throttled = 2
	require.Contains(t, f.fail(t, "sessions", "get", "counter", "alice"), "rate is used up (429 Throttling, request 1-2-3): try again in 1 s")
	require.Len(t, f.requests(), 4)
	throttled, wait = 1, "3600"
	require.Contains(t, f.fail(t, "sessions", "get", "counter", "alice"), "try again in 3600 s", "nobody waits that long")
	throttled, wait = 1, "soon"
	require.Contains(t, f.fail(t, "sessions", "get", "counter", "alice"), "(429 Throttling, request 1-2-3)\n")
	require.Len(t, f.requests(), 6)
}

func TestTerminalTellsThatNobodyListens(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.Close()
	for _, args := range [][]string{{"sessions", "list"}, {"instances", "list"}, {"sessions", "delete", "counter", "alice"}} {
		problem := f.fail(t, args...)
		require.Contains(t, problem, f.URL+": connection refused: is limpet serve running?")
		require.Contains(t, problem, "--admin or LIMPET_ADMIN")
	}
}

func TestTerminalGivesUpAfterItsTimeout(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"half of one": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"sessions":[`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		s := httptest.NewServer(http.HandlerFunc(answer))
		t.Cleanup(s.Close)
		began := time.Now()
		problem := fails(t, "sessions", "get", "counter", "alice", "--admin", s.URL, "--timeout", "50ms")
		require.Less(t, time.Since(began), patience/2, name)
		require.Contains(t, problem, "no answer within 50ms", name)
		require.Contains(t, problem, "--timeout", name)
	}
}
