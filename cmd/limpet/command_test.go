package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := run(t, "version")
	require.Zero(t, status)
	require.Regexp(t, `^limpet \S+, commit \S+, go1\.\S+\n$`, stdout)
	require.Empty(t, stderr)
}

func TestTheExamplesPassCheck(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "configs", "*.yaml"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 4)
	for _, file := range files {
		status, stdout, stderr := run(t, "check", "-c", file)
		require.Zero(t, status, "%s: %s", file, stderr)
		require.Empty(t, stderr)
		for _, key := range []string{"listen: ", "admin: ", "header_timeout: ", "per_instance: ", "drain_deadline: "} {
			require.Contains(t, stdout, key, "what is in force, defaults included")
		}
		printed := filepath.Join(t.TempDir(), "printed.yaml")
		replace(t, printed, stdout)
		status, again, stderr := run(t, "check", "-c", printed)
		require.Zero(t, status, stderr)
		require.Equal(t, stdout, again, "what check prints is a configuration, and the same one")
	}
}

const manyErrors = `listen: 127.0.0.1:0
admin: 0.0.0.0:9090
shutdwon: {delay: 1s}
store: {kind: etcd}
functions:
  - name: counter
    sessions: {ttl: 6 hours, per_instance: "many"}
    instances: {static: [{id: a, url: "http://127.0.0.1:1"}]}
  - name: counter
    instances: {static: [{id: a, url: "ftp://127.0.0.1:1"}]}
`

func TestErrorsTellFileLineAndColumn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bad.yaml")
	replace(t, file, manyErrors)
	for _, command := range []string{"check", "serve"} {
		status, stdout, stderr := run(t, command, "-c", file)
		require.Equal(t, 1, status)
		require.Empty(t, stdout)
		lines := strings.Split(strings.TrimSpace(stderr), "\n")
		for _, line := range lines {
			require.Regexp(t, `^`+regexp.QuoteMeta(file)+`:\d+:\d+: [a-z_.\[\]0-9]+: .*[Aa]ccepted (is|are) `, line, command)
		}
		for _, where := range []string{
			":3:1: shutdwon: ", ":4:15: store.kind: ", ":7:21: functions[0].sessions.ttl: ", ":7:44: functions[0].sessions.per_instance: ",
		} {
			require.Contains(t, stderr, file+where, command)
		}
	}
}

func TestEachProblemIsFoundByItself(t *testing.T) {
	t.Parallel()
	const function = "functions: [{name: counter, instances: {static: [{id: a, url: \"http://127.0.0.1:1\"}]}}]\n"
	for name, c := range map[string]struct{ text, where string }{
		"admin beyond loopback without keys": {"admin: 0.0.0.0:0\n" + function, ":1:8: admin: "},
		"twice the same function": {
			function[:len(function)-2] + ", {name: counter, instances: {static: [{id: a, url: \"http://127.0.0.1:1\"}]}}]\n", "functions[1]",
		},
		"a variable that is not set": {"deployment: ${LIMPET_TEST_UNSET}\n" + function, ":1:13: deployment: "},
		"not YAML":                   {"listen: [\n", ":"},
	} {
		file := filepath.Join(t.TempDir(), "bad.yaml")
		replace(t, file, c.text)
		for _, command := range []string{"check", "serve"} {
			status, _, stderr := run(t, command, "-c", file)
			require.Equal(t, 1, status, "%s: %s", command, name)
			require.Contains(t, stderr, c.where, "%s: %s", command, name)
			require.Contains(t, stderr, file+":", "%s: %s", command, name)
		}
	}
}

func TestWithoutACommandItSaysWhichThereAre(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"help"}, {"--help"}} {
		status, stdout, stderr := run(t, args...)
		require.Zero(t, status)
		require.Empty(t, stderr)
		for _, command := range []string{"serve", "check", "demo", "instance", "load", "sessions", "instances", "version"} {
			require.Regexp(t, `(?m)^  `+command+` +\S`, stdout)
		}
	}
	_, _, stderr := run(t, "sevre")
	require.Regexp(t, `^limpet: unknown command "sevre", accepted are check, .*serve.*\n$`, stderr)
}

func TestMisuseIsOneLineOnStderr(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"sevre"},
		{"serve"},
		{"serve", "--nonsense"},
		{"serve", "-c", filepath.Join(t.TempDir(), "missing.yaml")},
		{"serve", "-c", "x.yaml", "surplus"},
		{"check"},
		{"demo", "--listen", "nowhere"},
		{"version", "surplus"},
	} {
		status, stdout, stderr := run(t, args...)
		require.Equal(t, 1, status, args)
		require.Empty(t, stdout, args)
		require.Regexp(t, `^(limpet: |\S+:\d+:\d+: )[^\n]+\n$`, stderr, args)
	}
}

func TestAnAddressInUseIsOneLineOnStderr(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{functions: []function{{instances: samples(t, 1)}}}.file(t))
	taken := strings.TrimPrefix(p.listen, "http://")
	for _, s := range []setup{{listen: taken}, {admin: taken}} {
		s.functions = []function{{instances: samples(t, 1)}}
		status, _, stderr := run(t, "serve", "-c", s.file(t))
		require.Equal(t, 1, status)
		require.Regexp(t, `^limpet: (listen|admin): [^\n]+ address already in use\n$`, stderr)
	}
}

// TestASecondProcessOnOneDirectory would otherwise write over what the first one wrote.
func TestASecondProcessOnOneDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	s := setup{
		store:     fmt.Sprintf("{kind: embedded, path: %q}", filepath.Join(t.TempDir(), "store")),
		functions: []function{{instances: samples(t, 1)}},
	}
	p := serve(t, s.file(t))
	status, _, stderr := run(t, "serve", "-c", s.file(t))
	require.Equal(t, 1, status)
	require.Regexp(t, `^limpet: [^\n]+\n$`, stderr)
	p.answer("/", "alice")
}

// curl is one line that the demo prints, as far as it uses curl.
type curl struct {
	header string
	cookie bool
	url    string
}

func parseCurls(t *testing.T, text string) (all []curl) {
	t.Helper()
	for line := range strings.Lines(text) {
		line, ok := strings.CutPrefix(line, "  curl ")
		if !ok {
			continue
		}
		m := regexp.MustCompile(`^(?:-H '([^']+)' |-c (\S+) -b (\S+) )(http://\S+)\n$`).FindStringSubmatch(line)
		require.NotNil(t, m, line)
		require.Equal(t, m[2], m[3], "reads the cookies that it writes")
		all = append(all, curl{m[1], m[2] != "", m[4]})
	}
	return all
}

// send does what curl would do with this line.
func (c curl) send(client *http.Client) (reply, error) {
	req, err := http.NewRequest(http.MethodGet, c.url, nil)
	if err != nil {
		return reply{}, err
	}
	if name, value, ok := strings.Cut(c.header, ": "); ok {
		req.Header.Set(name, value)
	}
	return do(client, req)
}

func TestTheDemoDoesWhatItSays(t *testing.T) {
	t.Parallel()
	p := start(t, "demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	p.eventually(func() error {
		if !strings.Contains(p.stdout.String(), "Ctrl-C stops it.") {
			return errors.New("the demo has not said what to try")
		}
		return nil
	})
	lines := parseCurls(t, p.stdout.String())
	require.Len(t, lines, 3)
	cookies := 0
	for _, line := range lines {
		client := &http.Client{Transport: quick.Transport}
		if line.cookie {
			cookies++
			jar, err := cookiejar.New(nil)
			require.NoError(t, err)
			client.Jar = jar
		}
		home := ""
		for n := range 4 { // more than once each
			r, err := line.send(client)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, r.status)
			require.Equal(t, n+1, r.Count, `"count" goes up`)
			require.True(t, n == 0 || r.Instance == home, `"instance" stays the same`)
			home = r.Instance
		}
	}
	require.Equal(t, 1, cookies, "two by header, one by cookie")

	commands := regexp.MustCompile(`(?m)^  go run ./cmd/limpet (.+)$`).FindAllStringSubmatch(p.stdout.String(), -1)
	require.Len(t, commands, 4)
	plots := filepath.Join(t.TempDir(), "report.html")
	for i, shown := range []string{"bob", "carol", "browser", "PROVEN: 0 misroutes"} {
		command := strings.NewReplacer("report.html", plots, "20000", "2000").Replace(commands[i][1])
		status, out, problem := run(t, strings.Fields(command)...)
		require.Zero(t, status, problem)
		require.Contains(t, out, shown)
	}

	dashboard := regexp.MustCompile(`Dashboard: +(http://\S+)`).FindStringSubmatch(p.stdout.String())
	require.NotNil(t, dashboard)
	page, err := good(quick, dashboard[1], "")
	require.NoError(t, err)
	for _, shown := range []string{"counter", "browser", "HEADER_FIELD", "GENERATED_COOKIE"} {
		require.Contains(t, string(page.body), shown)
	}
	p.signal(syscall.SIGINT)
	require.Zero(t, p.exit())
	require.True(t, strings.HasSuffix(p.stdout.String(), "\nStopped.\n"))
	require.Empty(t, p.stderr.String())
	_, err = quick.Get(lines[0].url)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = os.Stat("limpet.jar")
	require.ErrorIs(t, err, os.ErrNotExist)
}
