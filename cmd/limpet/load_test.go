package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/sample"
)

// crooked is a proxy before two instances that are the same to every session but for one request in so many.
type crooked struct {
	instances [2]*sample.Server
	every     int64
	n         atomic.Int64
}

func newCrooked(t *testing.T, every int64) string {
	t.Helper()
	c := &crooked{every: every}
	for i := range c.instances {
		c.instances[i] = sample.New(sample.Options{Name: fmt.Sprint("i", i), Header: sampleHeader})
	}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// ServeHTTP passes a request to the first instance, and one of every so many to the second.
func (c *crooked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	home := 0
	if c.n.Add(1)%c.every == 0 {
		home = 1
	}
	c.instances[home].ServeHTTP(w, r)
}

// runLoad runs limpet load and reads its report.
func runLoad(t *testing.T, args ...string) (status int, report load.Report, stderr string) {
	t.Helper()
	p := start(t, append([]string{"load", "-o", "json"}, args...)...)
	select {
	case <-p.done:
	case <-time.After(6 * patience): // thousands of requests under the race detector
		require.Fail(t, "it has not ended", p.stderr.tail())
	}
	require.NoError(t, json.Unmarshal([]byte(p.stdout.String()), &report), "%s %s", p.stdout, p.stderr)
	return p.exit(), report, p.stderr.String()
}

func TestLoadOnLimpet(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{functions: []function{{instances: samples(t, 3)}}}.file(t))
	page := filepath.Join(t.TempDir(), "report.html")
	status, r, stderr := runLoad(t, p.listen, "-n", "2000", "-s", "30", "--report", page)
	require.Zero(t, status, stderr)
	require.Regexp(t, `^( *\d+ %  [^\n]+\n)*$`, stderr, "nothing but how far it is, should it take long")
	require.Equal(t, load.Proven, r.Verdict)
	require.Equal(t, 2000, r.Affinity.Judged)
	require.Len(t, r.Instances, 3)
	for _, i := range r.Instances {
		require.Equal(t, 10, i.Sessions, i.Name)
	}
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "0 misroutes")
	require.Contains(t, string(text), "</html>")
	require.NotContains(t, string(text), "http://www", "self-contained")
}

func TestLoadByCookieAndGivenHeader(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{functions: []function{
		{name: "given", instances: samples(t, 3)},
		{name: "cookie", path: "/cookie", affinity: "{type: GENERATED_COOKIE}", instances: samples(t, 3)},
	}}.file(t))
	for path, carrier := range map[string]string{"/": "given:X-Session-Id", "/cookie": "cookie"} {
		status, r, stderr := runLoad(t, p.listen+path, "-n", "600", "-s", "12", "--session", carrier)
		require.Zero(t, status, stderr)
		require.Equal(t, 12, r.Sessions.Named, carrier)
		require.Equal(t, 600, r.Affinity.Judged)
		require.Len(t, r.Instances, 3)
	}
}

func TestLoadFindsOneMisrouteInTenThousand(t *testing.T) {
	t.Parallel()
	status, r, stderr := runLoad(t, newCrooked(t, 10_000), "-n", "12000", "-s", "50", "-q")
	require.Equal(t, 1, status)
	require.Equal(t, "limpet: 1 misroute, 0 lost states and 0 overcounts in 12000 judged responses\n", stderr)
	require.Equal(t, 1, r.Affinity.Misroutes)
	require.Len(t, r.Affinity.Examples, 1)

	status, stdout, _ := run(t, "load", newCrooked(t, 100), "-n", "500", "-s", "5", "-q")
	require.Equal(t, 1, status)
	require.Regexp(t, `(?m)^BROKEN: 5 misroutes, 0 lost states and 0 overcounts in 500 judged responses$`, stdout)
	require.Regexp(t, `(?m)^  at 0\.\d{3} s +misroute of load-\S+, its request \d+, to http://127`, stdout)
	require.Regexp(t, `(?m)^ +expected: from i0, count \d+$`, stdout)
	require.Regexp(t, `(?m)^ +got: from i1, count 1, status 200$`, stdout)
	require.Contains(t, stdout, "\nviolations, the first 5 of 5:\n")
}

func TestLoadThatCannotBeJudged(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("hello"))
	}))
	t.Cleanup(page.Close)
	for name, c := range map[string]struct {
		args   []string
		stderr string
	}{
		"no instance": {[]string{page.URL, "-n", "50", "-q"}, "the target could not be judged: 50 of 50 successful responses could not be judged; the first: missing: the response has not one header Sample-Instance"},
		"nobody":      {[]string{"http://" + freeAddr(t), "-n", "10", "-q"}, "the target could not be judged: no request succeeded; the first failure: dial tcp"},
		"no URL":      {nil, "load: no URL, accepted are one or more, such as http://127.0.0.1:8080/"},
		"bad URL":     {[]string{"127.0.0.1:80"}, `"127.0.0.1:80": not a target`},
		"bad flag":    {[]string{page.URL, "--rate", "x"}, `invalid argument "x" for "-r, --rate"`},
		"no flag":     {[]string{page.URL, "--nonesuch"}, "unknown flag: --nonesuch"},
		"bad carrier": {[]string{page.URL, "--session", "x"}, `--session: not a carrier of sessions: "x", accepted are header:NAME, given:NAME and cookie`},
		"bad source":  {[]string{page.URL, "--from", "x"}, `--from: not a place in a response: "x", accepted are`},
		"bad span":    {[]string{page.URL, "--think", "2s..1s"}, `--think: not a span of time: "2s..1s", accepted are`},
		"bad header":  {[]string{page.URL, "-H", "x"}, `--header: "x", accepted is 'NAME: VALUE'`},
		"two bodies":  {[]string{page.URL, "--body", "x", "--body-size", "1KiB"}, "--body: given together with --body-size"},
		"bad plan":    {[]string{page.URL, "--sessions", "0", "--connections", "-1"}, "the load cannot be made so: -1 connections, accepted are 1 to"},
		"no file":     {[]string{page.URL, "--report", "/nonesuch/report.html"}, "--report: open /nonesuch/report.html"},
		"no CA":       {[]string{page.URL, "--ca", "/nonesuch"}, "--ca: open /nonesuch"},
		"output":      {[]string{page.URL, "-o", "table"}, `--output: "table", accepted are text and json`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, _, stderr := run(t, append([]string{"load"}, c.args...)...)
			require.Equal(t, 2, status, stderr)
			require.True(t, strings.HasPrefix(stderr, "limpet: "+c.stderr), stderr)
			require.Equal(t, 1, strings.Count(stderr, "\n"), "one line: %s", stderr)
		})
	}
}

// Ctrl-C ends the run with what there is.
func TestLoadIsInterrupted(t *testing.T) {
	t.Parallel()
	inst := sampleNamed(t, "a")
	p := start(t, "load", inst.URL(), "-d", "1h", "-s", "5", "-c", "2", "-o", "json")
	p.eventually(func() error {
		if n := inst.Sessions(); n < 5 {
			return fmt.Errorf("%d of 5 sessions are there", n)
		}
		return nil
	})
	p.signal(syscall.SIGINT)
	require.Zero(t, p.exit(), p.stderr.String())
	var r load.Report
	require.NoError(t, json.Unmarshal([]byte(p.stdout.String()), &r))
	require.True(t, r.Interrupted)
	require.Equal(t, load.Proven, r.Verdict)
	require.Positive(t, r.Affinity.Checked)
}

// Elsewhere than on a terminal the display is a plain line now and then, on stderr.
func TestLoadSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	inst := sampleNamed(t, "a")
	status, stdout, stderr := run(t, "load", inst.URL(), "-d", "6s", "-r", "50", "-s", "5")
	require.Zero(t, status, stderr)
	require.Regexp(t, `^ *[89]\d %  [56]s  [12]\d\d answered  \d\d/s  p50 \d+\.\d+ ms  p99 \d+(\.\d+)? ms  0 failed  5 sessions  0 moves  0 misroutes  0 lost states  0 overcounts\n$`, stderr)
	require.Regexp(t, `(?m)^PROVEN: 0 misroutes, 0 lost states and 0 overcounts in 300 judged responses of 5 sessions$`, stdout)
	require.Regexp(t, `(?m)^requests +300 answered in [67]\.\d s: 300 succeeded, 0 failed$`, stdout)
	require.Regexp(t, `(?m)^rate +[45]\d/s of 50/s asked; \d+ sent late, \d+ of them because this program was$`, stdout)
	require.Regexp(t, `(?m)^instances +a: 300 responses, home of 5 sessions$`, stdout)
	require.Contains(t, stdout, "Warning: all responses came from one instance, which leaves nothing to misroute")
	require.NotContains(t, stdout+stderr, "\x1b")
}

// What a target chooses cannot act on the terminal.
func TestLoadShowsHostileTextHarmlessly(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Sample-Instance", fmt.Sprintf("\u009b31m%d \u202eevil", n.Add(1)%2))
		w.Header().Set("Sample-Count", "1")
	}))
	t.Cleanup(s.Close)
	status, stdout, stderr := run(t, "load", s.URL, "-n", "40", "-s", "4", "-q")
	require.Equal(t, 1, status)
	for _, r := range "\u009b\u202e\x1b" {
		require.NotContains(t, stdout+stderr, string(r))
	}
	require.Contains(t, stdout, `\u009b31m`)
}
