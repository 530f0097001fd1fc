package main_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/cookiejar"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sample"
)

// sampleProgram is a running limpet instance; its URL is listen.
type sampleProgram struct {
	*process
	name, nonce string // as it said
}

// sampleLine is all that limpet instance says on stdout.
const sampleLine = `^sample instance (\S+) listens on (http://127\.0\.0\.1:\d+) \(start (\S+)\)\n$`

// startSample runs limpet instance, on a free port unless args say another, and returns when it listens.
func startSample(t *testing.T, args ...string) *sampleProgram {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return startSampleOf(t, exe, args...)
}

// startSampleOf is startSample with another binary.
func startSampleOf(t *testing.T, program string, args ...string) *sampleProgram {
	t.Helper()
	p := &sampleProgram{process: startProgram(t, program, append([]string{"instance", "--listen", "127.0.0.1:0"}, args...)...)}
	p.eventually(func() error {
		m := regexp.MustCompile(sampleLine).FindStringSubmatch(p.stdout.String())
		if m == nil {
			return errors.New("it has not said where it listens")
		}
		p.name, p.listen, p.nonce = m[1], m[2], m[3]
		return nil
	})
	return p
}

// ask sends one request and returns what came.
func (p *sampleProgram) ask(path, id string) reply {
	p.t.Helper()
	r, err := get(quick, p.listen+path, id)
	require.NoError(p.t, err)
	return r
}

// refused waits until it takes no more connections.
func (p *sampleProgram) refused() {
	p.t.Helper()
	p.eventually(func() error {
		if r, err := get(quick, p.listen, ""); !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("it takes connections: %v, %w", r, err)
		}
		return nil
	})
}

func TestAnInstanceCountsUntilASignal(t *testing.T) {
	t.Parallel()
	p := startSample(t)
	require.Equal(t, sample.DefaultName, p.name)
	for want := 1; want <= 3; want++ {
		r := p.ask("/any", "alice") // sampleHeader is the default of --header
		require.Equal(t, sample.Answer{Instance: p.name, Session: "alice", Count: want, Start: p.nonce}, r.Answer)
		require.Equal(t, fmt.Sprint(want), r.header.Get("Sample-Count"))
		require.Equal(t, p.name, r.header.Get("Sample-Instance"))
	}
	require.Equal(t, p.nonce, p.ask("/healthz", "").header.Get("Limpet-Instance-Start"))
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit())
	require.Regexp(t, sampleLine, p.stdout.String(), "nothing else")
	require.Empty(t, p.stderr.String())
}

func TestAnInstanceThatWasKilledComesBackAsAnother(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	before := startSample(t, "--listen", addr, "--name", "one")
	require.Equal(t, 1, before.ask("/", "alice").Count)
	require.Equal(t, 2, before.ask("/", "alice").Count)
	before.kill()
	after := startSample(t, "--listen", addr, "--name", "one")
	require.Equal(t, before.listen, after.listen)
	require.NotEqual(t, before.nonce, after.nonce)
	require.Equal(t, after.nonce, after.ask("/healthz", "").header.Get("Limpet-Instance-Start"))
	r := after.ask("/", "alice")
	require.Equal(t, sample.Answer{Instance: "one", Session: "alice", Count: 1, Start: after.nonce}, r.Answer)
}

func TestAnInstanceIsWhatItsFlagsSay(t *testing.T) {
	t.Parallel()
	p := startSample(t, "--name", "b", "--start", "given", "--header", "x-other", "--max-sessions", "1", "--sleep", "20ms",
		"--status", "418", "--grow", "1KiB", "--max-memory", "2KiB")
	require.Equal(t, []string{"b", "given"}, []string{p.name, p.nonce})
	ask := func(path, id string) reply {
		req, err := http.NewRequest(http.MethodGet, p.listen+path, nil)
		require.NoError(t, err)
		req.Header.Set("X-Other", id)
		r, err := do(quick, req)
		require.NoError(t, err)
		return r
	}
	began := time.Now()
	r := ask("/", "alice")
	require.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)
	require.Equal(t, http.StatusTeapot, r.status)
	require.Equal(t, sample.Answer{Instance: "b", Session: "alice", Count: 1, Start: "given"}, r.Answer)
	require.Equal(t, 2, ask("/", "alice").Count)
	require.Equal(t, http.StatusInsufficientStorage, ask("/", "alice").status)
	r = ask("/?grow=0&status=200&sleep=0s", "alice")
	require.Equal(t, []int{http.StatusOK, 3}, []int{r.status, r.Count}, "the query goes first; the refused one did not count")
	require.Equal(t, 1, ask("/?grow=0", "bob").Count)
	require.Equal(t, 1, ask("/", "alice").Count, "bob took its place")
}

func TestAnInstanceStreamsAndFails(t *testing.T) {
	t.Parallel()
	p := startSample(t, "--stream", "1000", "--interval", "0s")
	began := time.Now()
	r := p.ask("/", "alice")
	require.Equal(t, 1000, strings.Count(string(r.body), "data: "))
	require.Less(t, time.Since(began), 1000*sample.DefaultStreamInterval)
	require.Equal(t, "1", r.header.Get("Sample-Count"))
	require.Equal(t, 2, p.ask("/?stream=0", "alice").Count)

	for fail, want := range map[string]error{sample.FailHead: io.EOF, sample.FailBody: io.ErrUnexpectedEOF} {
		p := startSample(t, "--fail", fail)
		_, err := get(quick, p.listen, "alice")
		require.ErrorIs(t, err, want)
		counted := map[string]int{sample.FailHead: 0, sample.FailBody: 1}[fail]
		require.Equal(t, counted+1, p.ask("/?fail=", "alice").Count)
	}
}

// How many fail is binomial: 20 standard deviations are left by chance in no run that anybody will see.
func TestAnInstanceFailsAShare(t *testing.T) {
	t.Parallel()
	const requests, share = 2000, 0.25
	p := startSample(t, "--status", "503", "--fail-share", fmt.Sprint(share))
	client := newClient()
	failed := 0
	for n := 1; n <= requests; n++ {
		r, err := get(client, p.listen, "alice")
		require.NoError(t, err)
		require.Equal(t, n, r.Count, "one with an error status counts too")
		if r.status == http.StatusServiceUnavailable {
			failed++
		}
	}
	require.InDelta(t, requests*share, failed, 20*math.Sqrt(requests*share*(1-share)))
}

func TestAnInstanceGivesCookies(t *testing.T) {
	t.Parallel()
	p := startSample(t, "--header", "", "--cookie", "sid", "--give-cookie")
	var ids []string
	for range 2 {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client := &http.Client{Jar: jar, Transport: quick.Transport}
		for n := 1; n <= 3; n++ {
			r, err := good(client, p.listen, "no header names a session here")
			require.NoError(t, err)
			require.Equal(t, n, r.Count)
			ids = append(ids, r.Session)
		}
	}
	require.Equal(t, []string{ids[0], ids[0], ids[0], ids[3], ids[3], ids[3]}, ids)
	require.NotEqual(t, ids[0], ids[3])
}

func TestAnInstanceFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	p := startSample(t)
	s := p.slow("/", "alice", 6)
	p.signal(syscall.SIGINT)
	p.refused()
	s.finish(t)
	require.Zero(t, p.exit())
	require.Empty(t, p.stderr.String())
}

func TestAnInstanceCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	p := startSample(t)
	s := p.slow("/", "alice", sample.MaxStream)
	began := time.Now()
	p.signal(syscall.SIGTERM)
	s.cut(t)
	require.GreaterOrEqual(t, time.Since(began), 5*time.Second)
	require.Zero(t, p.exit())
	require.Equal(t, "limpet: requests were still under way after 5s, and are cut off\n", p.stderr.String())
}

func TestASecondSignalStopsAnInstanceAtOnce(t *testing.T) {
	t.Parallel()
	p := startSample(t)
	s := p.slow("/", "alice", sample.MaxStream)
	p.signal(syscall.SIGTERM)
	p.refused() // so the first has been seen
	p.signal(syscall.SIGTERM)
	s.cut(t)
	require.Equal(t, 1, p.exit())
	require.Equal(t, "limpet: stopped at once, by a second signal\n", p.stderr.String())
}

func TestAnInstanceOnATakenPortIsOneLineOnStderr(t *testing.T) {
	t.Parallel()
	p := startSample(t)
	status, stdout, stderr := run(t, "instance", "--listen", strings.TrimPrefix(p.listen, "http://"))
	require.Equal(t, 1, status)
	require.Empty(t, stdout)
	require.Regexp(t, `^limpet: --listen: [^\n]+ address already in use\n$`, stderr)
}
