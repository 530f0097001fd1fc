package main_test

import (
	"fmt"
	"io"
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
		problem := fails(t, "sessions", "get", "counter", "alice", "--admin", s.URL, "--timeout", "50ms")
		require.Contains(t, problem, "no answer within 50ms", name)
		require.Contains(t, problem, "--timeout", name)
	}
}

func TestTerminalTellsWhenItIsNotTheAdminListener(t *testing.T) {
	t.Parallel()
	const epoch = "Limpet-Session-Epoch"
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		says   string
	}{
		"HTML":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>hello") }, "answered 200 with text/html, which is not the session API's"},
		"another 404":   {http.NotFound, "answered 404 with text/plain, which"},
		"an empty 502":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, "answered 502 with no content type, which"},
		"other JSON":    {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"success"}`) }, ""},
		"a JSON string": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `"hello"`) }, "answered 200 with text/plain, which"},
		"a JSON error": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":"what?"}`)
		}, "answered 400 with text/plain, which"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://127.0.0.1:1/login", http.StatusFound) }, "answered 302 with a redirect to http://127.0.0.1:1/login, which"},
		"an instance": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(epoch, "1")
			fmt.Fprint(w, `{"sessionId":"alice","functions":[],"sessions":[]}`)
		}, "is a data listener, where instances answer"},
		"an instance's error": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(epoch, "1")
			w.WriteHeader(404)
		}, "is a data listener, where instances answer"},
		"too much": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"sessions":[],"functions":[],"sessionId":"alice","more":"`)
			_, _ = io.CopyN(w, letters{}, 17<<20)
			fmt.Fprint(w, `"}`)
		}, "answered with more than 16 MiB"},
		"TLS": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = conn.Write([]byte("\x15\x03\x01\x00\x02\x02\x16\x1b[2J"))
			_ = conn.Close()
		}, "is that the admin listener?"},
	} {
		s := httptest.NewServer(http.HandlerFunc(c.answer))
		t.Cleanup(s.Close)
		for _, args := range []string{"sessions list", "sessions list counter", "instances list", "sessions get counter alice", "sessions create counter"} {
			problem := fails(t, append(strings.Fields(args), "--admin", s.URL)...)
			require.Contains(t, problem, c.says, "%s: %s", name, args)
			require.Contains(t, problem, "--admin or LIMPET_ADMIN", "%s: %s", name, args)
			require.NotContains(t, problem, "\x1b")
		}
	}
}

// letters is an endless text.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestTerminalDoesNotFollowTheSecretElsewhere(t *testing.T) {
	t.Parallel()
	f, elsewhere := newFakeAdmin(t), newFakeAdmin(t)
	f.instead = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	}
	f.fail(t, "instances", "list")
	require.Empty(t, elsewhere.requests())
}

func TestTerminalIsNotDrivenByWhatAServerSends(t *testing.T) {
	t.Parallel()
	const bad = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\x00\n\tActive \U000e0041"
	hostile := fakeSession{
		SessionID: bad, FunctionName: bad, Qualifier: bad, Affinity: bad, SessionStatus: bad, ContainerID: bad,
		CreatedTime: bad, LastModifiedTime: bad, NASConfig: bad,
	}
	f := newFakeAdmin(t, hostile)
	list := `{"deployment":"x","farmId":BAD,"functions":[{"name":BAD,"qualifier":BAD,"affinity":"NONE","queueId":BAD,"jobId":BAD,"fleetId":BAD,
		"instances":[{"id":BAD,"workerId":BAD,"state":BAD,"since":BAD}]}]}`
	f.functions = strings.ReplaceAll(list, "BAD", `"\u001b[2J\u009b31m\u202e\u0000\nActive "`)
	f.instead = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodPost:
			w.Header()["Set-Cookie"] = []string{"a=\u009b31m\u202e"}
			_, _ = fmt.Fprint(w, `{"sessionId":"\u001b[2J\u009b31m `+"\u009b\x9b"+`"}`)
			return true
		case strings.Contains(r.URL.Path, "/other/"):
			refuse(w, 404, bad, bad)
			return true
		case strings.Contains(r.URL.Path, "/sessions"):
			f.list(w, r, bad)
			return true
		}
		return false
	}
	harmless := func(text string) {
		for _, r := range text {
			require.False(t, r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e || r >= 0xe0000 || r == 0xfffd, "%U in %q", r, text)
		}
	}
	for _, format := range []string{"table", "wide", "json"} {
		for _, args := range []string{"sessions list counter --status all", "sessions create counter", "instances list", "sessions get other alice", "sessions delete other alice"} {
			status, stdout, stderr := here(t, append(strings.Fields(args), "-o", format, "--admin", f.URL)...)
			require.Equal(t, strings.Contains(args, "other"), status != 0, stderr)
			harmless(strings.ReplaceAll(stdout, "\ufffd", ""))
			harmless(stderr)
			require.LessOrEqual(t, strings.Count(stderr, "\n"), 1)
			if format != "json" && status == 0 {
				require.Equal(t, 2, strings.Count(stdout, "\n"), "one line for a session or an instance, whatever it is called: %s", stdout)
			}
		}
	}
}
