package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// operated is a limpet serve with keys, which the terminal commands are used on.
type operated struct {
	*process
	keys map[string]string // files by key
}

// operate serves the functions counter, by header, and browser, by cookie, under the keys operator, who may do all,
// and reader, who may read counter.
func operate(t *testing.T) operated {
	t.Helper()
	o := operated{keys: map[string]string{}}
	for _, id := range []string{"operator", "reader", "stranger"} {
		o.keys[id] = filepath.Join(t.TempDir(), id)
		replace(t, o.keys[id], "the secret of the "+id+"\n")
	}
	few := samples(t, 2)
	o.process = serve(t, setup{
		more: fmt.Sprintf("auth: {keys: [{id: operator, secret_file: %q, functions: ['*'], allow: [read, write]}, "+
			"{id: reader, secret_file: %q, functions: [counter], allow: [read]}]}", o.keys["operator"], o.keys["reader"]),
		functions: []function{
			{instances: few}, {name: "browser", path: "/browser", affinity: "{type: GENERATED_COOKIE}", instances: few},
		},
	}.file(t))
	return o
}

// as runs a command with a key, which must succeed.
func (o operated) as(key string, args ...string) (stdout string) {
	o.t.Helper()
	status, stdout, stderr := here(o.t, append(args, "--admin", o.admin, "--key-file", o.keys[key])...)
	require.Zero(o.t, status, stderr)
	return stdout
}

// refuses runs a command with a key, which must fail.
func (o operated) refuses(key string, args ...string) (problem string) {
	o.t.Helper()
	return fails(o.t, append(args, "--admin", o.admin, "--key-file", o.keys[key])...)
}

// session reads what -o json prints of one session.
func session(t testing.TB, text string) (s fakeSession) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &s), text)
	return s
}

func TestTerminalOnAServerThatServes(t *testing.T) {
	t.Parallel()
	o := operate(t)
	require.Equal(t, sessionsTable, sheet(o.as("operator", "sessions", "list")), "none yet")
	made := session(t, o.as("operator", "sessions", "create", "counter", "--id", "alice", "--ttl", "1h", "--idle-timeout", "10m", "-o", "json"))
	require.Equal(t, [4]any{"alice", "Active", int64(3600), int64(600)}, [4]any{made.SessionID, made.SessionStatus, made.TTL, made.Idle})
	r, err := good(quick, o.listen+"/", "alice")
	require.NoError(t, err)
	require.Equal(t, made.ContainerID, r.Instance, "where the command said")
	require.Regexp(t, `^FUNCTION .*\ncounter LATEST alice i[01] Active \d+s (1h|59m\d+s) 10m\n$`, sheet(o.as("reader", "sessions", "get", "counter", "alice")))
	require.Contains(t, o.refuses("operator", "sessions", "create", "counter", "--id", "alice"), "(409 SessionAlreadyExists, request ")
	require.Contains(t, o.refuses("operator", "sessions", "create", "counter", "--id", "no good"), "(400 InvalidArgument, request ")

	_, err = good(quick, o.listen+"/", "bob")
	require.NoError(t, err)
	changed := session(t, o.as("operator", "sessions", "update", "counter", "bob", "--ttl", "2h", "--idle-timeout", "0", "--no-reuse", "-o", "json"))
	require.Equal(t, [3]any{int64(7200), int64(0), true}, [3]any{changed.TTL, changed.Idle, changed.NoReuse})
	changed = session(t, o.as("operator", "sessions", "update", "counter", "bob", "--reuse", "-o", "json"))
	require.Equal(t, [3]any{int64(7200), int64(0), false}, [3]any{changed.TTL, changed.Idle, changed.NoReuse}, "what no flag names stays")

	list := sheet(o.as("operator", "sessions", "list"))
	require.Contains(t, list, "counter LATEST alice i")
	require.Contains(t, list, "counter LATEST bob i")
	require.Regexp(t, `(?m)^counter LATEST i[01] ready [0-2]/100000 0 \S+ -$`, sheet(o.as("reader", "instances", "list")))

	require.Contains(t, o.as("operator", "sessions", "delete", "counter", "alice", "bob"), "Deleted")
	require.Equal(t, sessionsTable, sheet(o.as("operator", "sessions", "list", "counter")))
	for _, args := range []string{"get counter alice", "update counter alice --ttl 1h", "delete counter alice"} {
		require.Contains(t, o.refuses("operator", append([]string{"sessions"}, strings.Fields(args)...)...), "(404 SessionNotFound, request ")
	}
	require.Contains(t, o.refuses("operator", "sessions", "list", "nope"), "function nope: ")
}

func TestTerminalShowsTheCookieOfAServedSession(t *testing.T) {
	t.Parallel()
	o := operate(t)
	status, stdout, stderr := here(t, "sessions", "create", "browser", "-o", "json", "--admin", o.admin, "--key-file", o.keys["operator"])
	require.Zero(t, status)
	cookie := regexp.MustCompile(`^Set-Cookie: (limpet-session=[^;]+);`).FindStringSubmatch(stderr)
	require.NotNil(t, cookie, stderr)
	req, err := http.NewRequest(http.MethodGet, o.listen+"/browser", nil)
	require.NoError(t, err)
	req.Header.Set("Cookie", cookie[1])
	r, err := do(quick, req)
	require.NoError(t, err)
	require.Equal(t, session(t, stdout).ContainerID, r.Instance)
	require.Equal(t, session(t, stdout).SessionID, r.Session, "the session that was made")
}

func TestTerminalIsHeldToTheRightsOfItsKey(t *testing.T) {
	t.Parallel()
	o := operate(t)
	o.as("operator", "sessions", "create", "browser")
	o.as("operator", "sessions", "create", "counter", "--id", "alice")
	require.NotContains(t, o.as("reader", "sessions", "list"), "browser")
	require.Contains(t, o.as("reader", "sessions", "list"), "alice")
	require.NotContains(t, o.as("reader", "instances", "list", "-o", "wide"), "browser")
	require.Contains(t, o.as("operator", "instances", "list", "-o", "wide"), "browser")
	for _, args := range []string{"list browser", "create counter", "update counter alice --ttl 1h", "delete counter alice"} {
		problem := o.refuses("reader", append([]string{"sessions"}, strings.Fields(args)...)...)
		require.Contains(t, problem, "(403 AccessDenied, request ", args)
		require.Contains(t, problem, "the key is that of --key-file "+o.keys["reader"], args)
	}
	require.Contains(t, o.refuses("reader", "instances", "list", "browser"), "no function browser that this key may read")
	require.Contains(t, o.refuses("stranger", "sessions", "list"), "(403 ")
	require.Contains(t, fails(t, "sessions", "list", "--admin", o.admin), "(401 ")
	require.Contains(t, fails(t, "sessions", "list", "--admin", o.admin), "--key-file")
	require.Contains(t, o.as("operator", "sessions", "get", "counter", "alice"), "alice", "nothing has changed")
}

func TestTerminalOnTheDataListener(t *testing.T) {
	t.Parallel()
	o := operate(t)
	for _, args := range []string{"sessions list", "sessions create counter", "sessions delete counter alice", "instances list"} {
		require.Contains(t, fails(t, append(strings.Fields(args), "--admin", o.listen)...), "is a data listener, where instances answer")
	}
}

func TestTerminalWalksAllPagesOfAServer(t *testing.T) {
	t.Parallel()
	const many = 1000
	o := operate(t)
	client := newClient()
	for i := range many {
		_, err := good(client, o.listen+"/", fmt.Sprintf("s%d", i))
		require.NoError(t, err)
	}
	client.CloseIdleConnections()
	var all []fakeSession
	require.NoError(t, json.Unmarshal([]byte(o.as("reader", "sessions", "list", "-o", "json")), &all))
	seen := map[string]bool{}
	for _, s := range all {
		seen[s.SessionID] = true
	}
	require.Len(t, all, many, "each once")
	require.Len(t, seen, many)
	require.Equal(t, 1+150, strings.Count(o.as("reader", "sessions", "list", "counter", "--limit", "150"), "\n"))
}

func TestTerminalWatchesAServer(t *testing.T) {
	t.Parallel()
	o := operate(t)
	table := start(t, "sessions", "list", "--watch=100ms", "--admin", o.admin, "--key-file", o.keys["reader"])
	lines := start(t, "instances", "list", "-o", "json", "--watch=100ms", "--admin", o.admin, "--key-file", o.keys["reader"])
	shows := func(p *process, what string) {
		p.eventually(func() error {
			if !regexp.MustCompile(what).MatchString(p.stdout.String()) {
				return errors.New("not shown: " + what)
			}
			return nil
		})
	}
	shows(table, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\nFUNCTION .*\n\d{4}-`)
	o.as("operator", "sessions", "create", "counter", "--id", "alice")
	shows(table, `Z\nFUNCTION .*\ncounter +LATEST +alice .*\n\d{4}-`)
	shows(lines, `(?m)^\{"deployment":"limpet".*"sessions":1,.*\}$`)

	o.kill()
	for _, p := range []*process{table, lines} {
		p.eventually(func() error {
			if strings.Count(p.stderr.String(), "connection refused: is limpet serve running?") < 2 {
				return errors.New("has not gone on after the error")
			}
			return nil
		})
	}
	for p, signal := range map[*process]syscall.Signal{table: syscall.SIGINT, lines: syscall.SIGTERM} {
		p.signal(signal)
		require.Zero(t, p.exit(), p.stderr.tail())
	}
	for line := range strings.Lines(lines.stdout.String()) {
		require.True(t, json.Valid([]byte(line)), line)
	}
	require.NotContains(t, table.stdout.String(), "\x1b", "no terminal")
}
