package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// requests returns the lines of the access log of a process that has ended.
func (p *process) requests() (lines []map[string]any) {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	require.Zero(p.t, p.exit())
	for text := range strings.Lines(p.stdout.String()) {
		line := map[string]any{}
		require.NoError(p.t, json.Unmarshal([]byte(text), &line), text)
		lines = append(lines, line)
	}
	return lines
}

const (
	secretID    = "bearer-secret-session"
	clientWord  = "given-by-the-client"
	clientTrace = "request-4711"
)

// talk sends what a client could want to see repeated in a log or a label: a session's ID, and words of its own.
func (p *process) talk() {
	p.t.Helper()
	for i, c := range []struct{ method, path, id string }{
		{http.MethodGet, "/?q=" + clientWord, secretID},
		{http.MethodGet, "/", secretID},
		{strings.ToUpper(clientWord), "/", secretID},
		{http.MethodGet, "/", secretID + "!"},
		{http.MethodGet, "/", ""},
	} {
		req, err := http.NewRequest(c.method, p.listen+c.path, nil)
		require.NoError(p.t, err)
		req.Header.Set("X-Request-Id", fmt.Sprintf("%s-%d", clientTrace, i))
		req.Header.Set("User-Agent", clientWord)
		req.Host = clientWord + ".test"
		if c.id != "" {
			req.Header.Set(sampleHeader, c.id)
		}
		_, err = do(quick, req)
		require.NoError(p.t, err)
	}
}

func TestTheAccessLog(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{accessLog: "{enabled: true}", functions: []function{{instances: samples(t, 1)}}}.file(t))
	p.talk()
	p.readyz()
	lines := p.requests()
	require.Len(t, lines, 5, "neither the probes of instances nor those of this process are logged")
	outcomes := []string{"created", "home", "home", "error", "created"}
	for i, line := range lines {
		require.Equal(t, "request", line["msg"])
		require.Equal(t, outcomes[i], line["outcome"])
		require.Equal(t, fmt.Sprintf("%s-%d", clientTrace, i), line["request_id"])
		require.Equal(t, "counter", line["function"])
		require.Equal(t, "LATEST", line["qualifier"])
		require.Equal(t, "/", line["path"])
		require.Contains(t, line, "duration_ms")
		require.Contains(t, line, "proxy_ms")
		require.Contains(t, line, "instance_ms")
		require.Contains(t, line, "time")
		if outcomes[i] == "error" {
			require.EqualValues(t, 400, line["status"])
			require.Equal(t, "InvalidArgument", line["error"])
			continue
		}
		require.EqualValues(t, 200, line["status"])
		require.Equal(t, "i0", line["instance"])
		require.Regexp(t, `^[0-9a-f]{16}$`, line["session"])
	}
	require.Equal(t, lines[0]["session"], lines[1]["session"], "a session's lines can be joined")
	require.NotEqual(t, lines[0]["session"], lines[4]["session"])
	for _, output := range []*output{p.stdout, p.stderr} {
		require.NotContains(t, output.String(), secretID)
		require.NotContains(t, output.String(), "q=")
	}
}

// TestHashesOfSessionsAreKeyed keeps who knows the log from trying IDs until one fits.
func TestHashesOfSessionsAreKeyed(t *testing.T) {
	t.Parallel()
	hashes := map[any]bool{}
	for range 2 { // two deployments
		p := serve(t, setup{accessLog: "{enabled: true}", functions: []function{{instances: samples(t, 1)}}}.file(t))
		p.answer("/", "alice")
		hashes[p.requests()[0]["session"]] = true
	}
	require.Len(t, hashes, 2)
}

func TestTheAccessLogSampled(t *testing.T) {
	t.Parallel()
	const many = 200
	p := serve(t, setup{accessLog: "{enabled: true, sample: 0.5}", functions: []function{{instances: samples(t, 1)}}}.file(t))
	client := newClient()
	for range many {
		_, err := good(client, p.listen, "alice")
		require.NoError(t, err)
	}
	for range 10 {
		_, err := get(client, p.listen, "!")
		require.NoError(t, err)
	}
	lines, failed := p.requests(), 0
	for _, line := range lines {
		if line["outcome"] == "error" {
			failed++
		}
	}
	require.Equal(t, 10, failed, "errors always are logged")
	require.InDelta(t, many/2, len(lines)-failed, many/4, "beyond seven standard deviations")
}

func TestTheAccessLogOff(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{accessLog: "{enabled: false}", functions: []function{{instances: samples(t, 1)}}}.file(t))
	p.talk()
	require.Empty(t, p.requests())
	require.NotContains(t, p.stderr.String(), secretID)
}

func TestMetricsHaveNoWordOfAClient(t *testing.T) {
	t.Parallel()
	p := serve(t, setup{functions: []function{{instances: samples(t, 1)}}}.file(t))
	p.talk()
	_, err := get(quick, p.listen+"/"+clientWord, secretID)
	require.NoError(t, err)
	text := p.metrics()
	for _, word := range []string{secretID, clientWord, strings.ToUpper(clientWord), clientTrace, "127.0.0.1"} {
		require.NotContains(t, text, word)
	}
	for series, value := range map[string]string{
		`limpet_requests_total{code="200",function="counter",outcome="created",qualifier="LATEST"}`: "2",
		`limpet_requests_total{code="200",function="counter",outcome="home",qualifier="LATEST"}`:    "3",
		`limpet_requests_total{code="400",function="counter",outcome="error",qualifier="LATEST"}`:   "1",
		`limpet_sessions{function="counter",instance="i0",qualifier="LATEST"}`:                      "2",
		`limpet_sessions_created_total{function="counter",qualifier="LATEST"}`:                      "2",
	} {
		p.metricIs(series, value)
	}
	require.Contains(t, text, "limpet_build_info{")
	require.NotContains(t, text, "NaN")
}

func TestThePageShowsFunctionsAndInstances(t *testing.T) {
	t.Parallel()
	instances := samples(t, 2)
	p := serve(t, setup{functions: []function{
		{name: "shown-first", path: "/first", instances: instances}, {name: "shown-second", path: "/second", instances: instances[:1]},
	}}.file(t))
	p.answer("/first", secretID)
	page, err := good(quick, p.admin+"/", "")
	require.NoError(t, err)
	require.Contains(t, page.header.Get("Content-Type"), "text/html")
	for _, word := range []string{"shown-first", "shown-second", "i0", "i1", "LATEST", "HEADER_FIELD", "ready"} {
		require.Contains(t, string(page.body), word)
	}
	require.NotContains(t, string(page.body), secretID)
	require.NotContains(t, string(page.body), strings.TrimPrefix(instances[0].URL(), "http://"), "an address is nobody's business")
}

func TestKeysGuardTheAdminPlane(t *testing.T) {
	t.Parallel()
	const secret = "the operator's secret"
	file := filepath.Join(t.TempDir(), "secret")
	replace(t, file, secret+"\n")
	p := serve(t, setup{
		more:      fmt.Sprintf("auth: {keys: [{id: operator, secret_file: %q, functions: [\"*\"], allow: [read]}]}", file),
		functions: []function{{instances: samples(t, 1)}},
	}.file(t))
	status := func(path, bearer string) int {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, p.admin+path, nil)
		require.NoError(t, err)
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		r, err := do(quick, req)
		require.NoError(t, err)
		return r.status
	}
	for _, path := range []string{"/metrics", "/", "/debug/pprof/"} {
		require.Equal(t, http.StatusUnauthorized, status(path, ""), path)
		require.Equal(t, http.StatusForbidden, status(path, "somebody else's secret"), path)
		require.Equal(t, http.StatusOK, status(path, secret), path)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		require.Equal(t, http.StatusOK, status(path, ""), path)
	}
	p.answer("/", "alice") // the data plane asks for no key
}
