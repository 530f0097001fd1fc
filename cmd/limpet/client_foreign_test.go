package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/login", http.StatusFound)
		}, "answered 302 with a redirect to http://127.0.0.1:1/login, which"},
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
	for n := copy(p, "a"); n < len(p); n *= 2 {
		copy(p[n:], p[:n])
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
