package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sessionsTable = "FUNCTION QUALIFIER ID INSTANCE STATUS AGE TTL-LEFT IDLE-LIMIT\n"

func TestTerminalListsSessions(t *testing.T) {
	t.Parallel()
	endless, other := active("bob"), active("carol")
	endless.Idle, endless.TTL, endless.Qualifier = 0, 5401, "blue"
	other.FunctionName, other.CreatedTime = "browser", "2031-03-29T09:00:00Z"
	f := newFakeAdmin(t, active("alice"), endless, other, expired("dave"))

	require.Equal(t, sessionsTable+
		"counter LATEST alice a Active 1h30m 4h30m 30m\n"+
		"counter blue bob a Active 1h30m 1s none\n", sheet(f.run(t, "sessions", "list", "counter")))
	require.Equal(t, sessionsTable+"counter blue bob a Active 1h30m 1s none\n",
		sheet(f.run(t, "sessions", "list", "counter", "--qualifier", "blue")))
	require.Equal(t, sessionsTable+"counter LATEST dave a Expired 1h30m - 30m\n",
		sheet(f.run(t, "sessions", "list", "counter", "--status", "expired")))
	require.Equal(t, 3+1, strings.Count(f.run(t, "sessions", "list", "counter", "--status", "all"), "\n"))
	require.Equal(t, sessionsTable, sheet(f.run(t, "sessions", "list", "counter", "--qualifier", "green")), "an empty table has its head")

	wide := f.run(t, "sessions", "list", "counter", "--limit", "1", "-o", "wide")
	require.Equal(t, strings.TrimSuffix(sessionsTable, "\n")+" TTL AFFINITY ID-REUSE CREATED MODIFIED\n"+
		"counter LATEST alice a Active 1h30m 4h30m 30m 6h HEADER_FIELD allowed 2031-04-01T10:30:00Z 2031-04-01T11:00:00Z\n", sheet(wide))
}

func TestTerminalAlignsTables(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, active("a"), active("a-much-longer-id"))
	lines := strings.Split(f.run(t, "sessions", "list", "counter"), "\n")
	require.Equal(t, strings.Index(lines[0], "INSTANCE"), strings.Index(lines[2], "a-much-longer-id")+len("a-much-longer-id  "))
}

func TestTerminalListsSessionsOfAllFunctions(t *testing.T) {
	t.Parallel()
	other := active("carol")
	other.FunctionName = "browser"
	f := newFakeAdmin(t, active("alice"), other)
	require.Equal(t, sessionsTable+
		"counter LATEST alice a Active 1h30m 4h30m 30m\n"+
		"browser LATEST carol a Active 1h30m 4h30m 30m\n", sheet(f.run(t, "sessions", "list")))
	require.Equal(t, []string{
		"GET /limpet/v1/functions",
		"GET /2023-03-30/functions/counter/sessions?limit=100&sessionStatus=Active",
		"GET /2023-03-30/functions/browser/sessions?limit=100&sessionStatus=Active",
	}, f.requests(), "each function once, whatever its qualifiers, and none without sessions")
	require.Equal(t, sessionsTable, sheet(f.run(t, "sessions", "list", "--qualifier", "blue")))
	require.Len(t, f.requests(), 3+2, "browser has no such qualifier")
	require.Equal(t, 1+1, strings.Count(f.run(t, "sessions", "list", "--limit", "1"), "\n"), "the limit is over all")

	f.instead = func(w http.ResponseWriter, r *http.Request) bool {
		gone := strings.Contains(r.URL.Path, "/counter/")
		if gone {
			refuse(w, 404, "FunctionNotFound", "no such function")
		}
		return gone
	}
	require.Contains(t, f.run(t, "sessions", "list"), "carol", "a reload took one away between the two requests")
	require.Contains(t, f.fail(t, "sessions", "list", "counter"), "function counter: no such function (404 FunctionNotFound, request 1-2-3)")
}

func TestTerminalListsEveryRecordOfAnID(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, expired("alice"), active("alice"), active("bob"))
	require.Equal(t, 1+2, strings.Count(f.run(t, "sessions", "list", "counter", "--id", "alice"), "\n"))
	require.Equal(t, "/2023-03-30/functions/counter/sessions?limit=100&sessionId=alice", f.lastAsked(t).uri)
	require.Equal(t, 1+1, strings.Count(f.run(t, "sessions", "list", "counter", "--id", "alice", "--status", "active"), "\n"))
}

func TestTerminalWalksAllPages(t *testing.T) {
	t.Parallel()
	const many = 1000
	f := newFakeAdmin(t)
	for i := range many {
		f.sessions = append(f.sessions, active(fmt.Sprintf("s%03d", i)))
		if i%3 == 0 {
			f.sessions = append(f.sessions, expired(fmt.Sprintf("old%03d", i)))
		}
	}
	var all []struct{ SessionID string }
	require.NoError(t, json.Unmarshal([]byte(f.run(t, "sessions", "list", "counter", "-o", "json")), &all))
	require.Len(t, all, many)
	for i, s := range all {
		require.Equal(t, fmt.Sprintf("s%03d", i), s.SessionID)
	}
	pages := len(f.requests())
	require.Equal(t, many/100+1, pages, "pages, not sessions")

	require.Equal(t, 1+250, strings.Count(f.run(t, "sessions", "list", "counter", "--limit", "250"), "\n"))
	require.Len(t, f.requests(), pages+3)
	require.Contains(t, f.lastAsked(t).uri, "limit=50&", "no more than are wanted")
}

// A server may give more than was asked for: the limit is the user's.
func TestTerminalKeepsToItsLimit(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprint(w, `{"sessions":[{"sessionId":"alice"},{"sessionId":"bob"}],"nextToken":"more"}`)
		return true
	}
	require.Equal(t, 1+1, strings.Count(f.run(t, "sessions", "list", "counter", "--limit", "1"), "\n"))
	require.Equal(t, 1+3, strings.Count(f.run(t, "sessions", "list", "counter", "--limit", "3"), "\n"))
}

func TestTerminalRefusesAWalkInCircles(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprint(w, `{"sessions":[],"nextToken":"again"}`)
		return true
	}
	require.Contains(t, f.fail(t, "sessions", "list", "counter"), "gave the same page twice")
	require.Len(t, f.requests(), 2)
}

func TestTerminalPrintsSessionsAsJSON(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, active("alice"), active("bob"))
	said, err := json.Marshal([]fakeSession{active("alice"), active("bob")})
	require.NoError(t, err)
	list := f.run(t, "sessions", "list", "counter", "-o", "json")
	require.JSONEq(t, string(said), list, "in the API's names, with what the command does not know")
	require.Equal(t, "[]\n", f.run(t, "sessions", "list", "counter", "--qualifier", "none", "-o", "json"))

	said, err = json.Marshal(active("bob"))
	require.NoError(t, err)
	require.JSONEq(t, string(said), f.run(t, "sessions", "get", "counter", "bob", "-o", "json"))
}

func TestTerminalGetsASession(t *testing.T) {
	t.Parallel()
	odd := active("a/b ?%")
	f := newFakeAdmin(t, active("alice"), odd)
	require.Equal(t, sessionsTable+"counter LATEST alice a Active 1h30m 4h30m 30m\n", sheet(f.run(t, "sessions", "get", "counter", "alice")))
	require.Contains(t, f.run(t, "sessions", "get", "counter", odd.SessionID, "--qualifier", "v 1"), `"a/b ?%"`)
	require.Equal(t, "/2023-03-30/functions/counter/sessions/a%2Fb%20%3F%25?qualifier=v+1", f.lastAsked(t).uri)
	require.Contains(t, f.fail(t, "sessions", "get", "counter", "bob"),
		"session bob of counter: there is no such active session (404 SessionNotFound, request 1-2-3)")
}

func TestTerminalCreatesASession(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	require.Equal(t, sessionsTable+"counter LATEST made-by-server a Active 1h30m 4h30m 30m\n", sheet(f.run(t, "sessions", "create", "counter")))
	require.Equal(t, "POST", f.lastAsked(t).method)
	require.Equal(t, "/2023-03-30/functions/counter/sessions", f.lastAsked(t).uri)
	require.Equal(t, "{}", f.lastAsked(t).body, "what no flag says is not sent: the server knows the defaults")
	require.Equal(t, "application/json; charset=utf-8", f.lastAsked(t).header.Get("Content-Type"))

	made := f.run(t, "sessions", "create", "counter", "--qualifier", "blue", "--id", "alice", "--ttl", "1h", "--idle-timeout", "1m30s",
		"--no-reuse", "-o", "json")
	require.Equal(t, "/2023-03-30/functions/counter/sessions?qualifier=blue", f.lastAsked(t).uri)
	require.JSONEq(t, `{"sessionId":"alice","sessionTTLInSeconds":3600,"sessionIdleTimeoutInSeconds":90,"disableSessionIdReuse":true}`,
		f.lastAsked(t).body)
	require.Contains(t, made, `"sessionId": "alice"`)

	f.run(t, "sessions", "create", "counter", "--idle-timeout", "0", "--no-reuse=false")
	require.JSONEq(t, `{"sessionIdleTimeoutInSeconds":0,"disableSessionIdReuse":false}`, f.lastAsked(t).body, "0 is a value")
}

func TestTerminalShowsTheCookieOfASession(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Set-Cookie", "limpet-session=v1.abc; Path=/; HttpOnly")
		return false
	}
	status, stdout, stderr := here(t, "sessions", "create", "browser", "-o", "json", "--admin", f.URL)
	require.Zero(t, status)
	require.True(t, json.Valid([]byte(stdout)), "the cookie is not in a script's way")
	require.Equal(t, "Set-Cookie: limpet-session=v1.abc; Path=/; HttpOnly\n", stderr)
}

func TestTerminalUpdatesASession(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, active("alice"))
	require.Equal(t, sessionsTable+"counter LATEST alice a Active 1h30m 30m 30m\n",
		sheet(f.run(t, "sessions", "update", "counter", "alice", "--ttl", "2h", "--qualifier", "LATEST")))
	require.Equal(t, "PUT", f.lastAsked(t).method)
	require.Equal(t, "/2023-03-30/functions/counter/sessions/alice?qualifier=LATEST", f.lastAsked(t).uri)
	for flag, body := range map[string]string{
		"--ttl=90s":         `{"sessionTTLInSeconds":90}`,
		"--idle-timeout=0":  `{"sessionIdleTimeoutInSeconds":0}`,
		"--no-reuse":        `{"disableSessionIdReuse":true}`,
		"--no-reuse=false":  `{"disableSessionIdReuse":false}`,
		"--reuse":           `{"disableSessionIdReuse":false}`,
		"--idle-timeout=1h": `{"sessionIdleTimeoutInSeconds":3600}`,
	} {
		f.run(t, "sessions", "update", "counter", "alice", flag)
		require.JSONEq(t, body, f.lastAsked(t).body, "%s: only what was given", flag)
	}
	asked := len(f.requests())
	require.Contains(t, f.fail(t, "sessions", "update", "counter", "alice"), "nothing to change, accepted are --ttl, ")
	require.Contains(t, f.fail(t, "sessions", "update", "counter", "alice", "--reuse", "--no-reuse"), "[reuse no-reuse]")
	require.Len(t, f.requests(), asked, "nothing was sent")
	require.Contains(t, f.fail(t, "sessions", "update", "counter", "bob", "--ttl", "1h"), "session bob of counter: there is no such")
}

func TestTerminalDeletesSessions(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, active("alice"), active("bob"), active("carol"), active("dave"))
	require.Equal(t, "FUNCTION ID STATUS\ncounter alice Deleted\n", sheet(f.run(t, "sessions", "delete", "counter", "alice")))
	require.Equal(t, "DELETE", f.lastAsked(t).method)
	require.Contains(t, f.fail(t, "sessions", "delete", "counter", "alice"), "session alice of counter: there is no such active session")

	status, stdout, stderr := here(t, "sessions", "delete", "counter", "bob", "nobody", "carol", "no\x1bone", "--admin", f.URL)
	require.Equal(t, 1, status)
	require.Equal(t, "FUNCTION ID STATUS\ncounter bob Deleted\ncounter carol Deleted\n", sheet(stdout), "it goes on after an error")
	require.Equal(t, "limpet: session nobody of counter: there is no such active session (404 SessionNotFound, request 1-2-3)\n"+
		`limpet: session no\x1bone of counter: there is no such active session (404 SessionNotFound, request 1-2-3)`+"\n"+
		"limpet: 2 of 4 sessions not deleted\n", stderr)

	status, stdout, _ = here(t, "sessions", "delete", "counter", "dave", "nobody", "--admin", f.URL, "-o", "json", "--qualifier", "LATEST")
	require.Equal(t, 1, status)
	require.JSONEq(t, `[{"functionName":"counter","sessionId":"dave","deleted":true},
		{"functionName":"counter","sessionId":"nobody","deleted":false,
		"error":{"Code":"SessionNotFound","Message":"there is no such active session","RequestId":"1-2-3"}}]`, stdout)
	require.Equal(t, "/2023-03-30/functions/counter/sessions/nobody?qualifier=LATEST", f.lastAsked(t).uri)
	require.Empty(t, f.sessions)
}

func TestTerminalTakesADeletionWithoutContent(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.instead = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusNoContent)
		return true
	}
	require.Contains(t, f.run(t, "sessions", "delete", "counter", "alice"), "Deleted")
}

// TestTerminalRefusesSessionMisuse sends nothing: an empty ID, for one, would make another request of it.
func TestTerminalRefusesSessionMisuse(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, active("alice"))
	for args, says := range map[string]string{
		"create counter --ttl 1500ms":        "1.5s is not a whole number of seconds",
		"create counter --idle-timeout 0.5s": "500ms is not a whole number of seconds",
		"create counter --ttl 10":            "not a span such as 90s",
		"create counter --ttl -1s":           "-1s is below 0",
		"create counter --ttl 0":             "--ttl: 0s, accepted is 1s or more",
		"create counter --id=":               "--id: empty",
		"update counter alice --ttl 0s":      "--ttl: 0s, accepted is 1s or more",
		"list counter --limit 0":             "--limit: 0, accepted is 1 or more",
		"list counter --status Dead":         `--status: "Dead", accepted are active, expired and all`,
		"list counter --watch=1ms":           "--watch: 1ms, accepted is 100ms or more",
		"list --watch 5s":                    "--watch=5s",
		"list counter -o yaml":               `--output: "yaml", accepted are table, wide and json`,
		"list counter --timeout 0s":          "--timeout: 0s, accepted is more than 0",
		"list counter surplus":               "accepts at most 1 arg(s)",
		"get counter":                        "accepts 2 arg(s)",
		"delete counter":                     "requires at least 2 arg(s)",
		"destroy":                            `unknown command "destroy", accepted are create, delete, get, list, update`,
		"get counter ..":                     `".." is no session ID`,
		"get . alice":                        `"." is no function`,
		"list ..":                            `".." is no function`,
		"create ..":                          `".." is no function`,
	} {
		require.Contains(t, f.fail(t, append([]string{"sessions"}, strings.Fields(args)...)...), says, args)
	}
	for _, args := range [][]string{
		{"get", "counter", ""}, {"update", "counter", "", "--reuse"}, {"delete", "counter", ""}, {"delete", "counter", "alice", ""},
		{"get", "", "alice"}, {"list", ""}, {"create", ""},
	} {
		require.Contains(t, f.fail(t, append([]string{"sessions"}, args...)...), `"" is no `)
	}
	require.Empty(t, f.requests())
}
