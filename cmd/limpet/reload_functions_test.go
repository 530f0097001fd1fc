package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRequestsInFlightFinishOnWhatTheyStartedWith holds a request open over a reload that takes its function away.
func TestRequestsInFlightFinishOnWhatTheyStartedWith(t *testing.T) {
	t.Parallel()
	instances := samples(t, 2)
	s := setup{functions: []function{
		{name: "stays", path: "/stays", instances: instances[:1]}, {name: "goes", path: "/goes", instances: instances[1:]},
	}}
	file := s.file(t)
	p := serve(t, file)
	p.answer("/goes", "alice")
	slow := p.slow("/goes", "alice", 10)
	s.functions = s.functions[:1]
	p.reload(s, file, true)
	r, err := get(quick, p.listen+"/goes", "alice")
	require.NoError(t, err)
	require.Equal(t, "FunctionNotFound", r.code())
	slow.finish(t)
	p.answer("/stays", "alice")
}

func TestFunctionsAndInstancesComeAndGo(t *testing.T) {
	t.Parallel()
	instances := samples(t, 3)
	s := setup{functions: []function{{name: "old", path: "/old", instances: instances[:2]}}}
	file := s.file(t)
	p := serve(t, file)
	reload := func() {
		t.Helper()
		p.reload(s, file, true)
		p.awaitReady()
	}

	const many = 20
	before := map[string]reply{}
	for i := range many {
		id := fmt.Sprintf("id-%d", i)
		before[id] = p.answer("/old", id)
	}

	s.functions = append(s.functions, function{name: "new", path: "/new", instances: instances[2:]})
	reload()
	require.Equal(t, "i2", p.answer("/new", "alice").Instance)

	s.functions[0].instances = instances[:3]
	reload()
	r := p.answer("/old", "another")
	require.Equal(t, "i2", r.Instance, "the least loaded is the one that came")
	for id, was := range before {
		r := p.answer("/old", id)
		require.Equal(t, was.Instance, r.Instance)
		require.Equal(t, was.epoch, r.epoch)
		require.Equal(t, 2, r.Count)
	}

	s.functions[0].instances = instances[1:3]
	reload()
	moved := 0
	for id, was := range before {
		r := p.answer("/old", id)
		if was.Instance != "i0" {
			require.Equal(t, was.Instance, r.Instance, "only the removed instance's sessions move")
			require.Equal(t, was.epoch, r.epoch)
			require.Equal(t, 3, r.Count)
			require.Empty(t, r.event())
			continue
		}
		moved++
		require.NotEqual(t, "i0", r.Instance)
		require.Equal(t, was.epoch+1, r.epoch)
		require.Equal(t, 1, r.Count)
		require.Equal(t, `rehomed; reason="instance gone"; from="i0"`, r.event(), "the client is told")
		require.Equal(t, r.event(), r.Event, "and so is the instance")
		again := p.answer("/old", id)
		require.Empty(t, again.event(), "once")
		require.Equal(t, r.Instance, again.Instance)
	}
	require.Equal(t, many/2, moved)
	require.Equal(t, fmt.Sprint(moved), p.metric(`limpet_sessions_rehomed_total{function="old",qualifier="LATEST",reason="gone"}`))

	s.functions = s.functions[:1]
	reload()
	r, err := get(quick, p.listen+"/new", "alice")
	require.NoError(t, err)
	require.Equal(t, "FunctionNotFound", r.code())
}

// TestInstancesOfAnUnlistedQualifierAreGone: the function is still there, so they can be asked for, and so can a session
// that they had.
func TestInstancesOfAnUnlistedQualifierAreGone(t *testing.T) {
	t.Parallel()
	all := samples(t, 2)
	s := setup{functions: []function{
		{instances: all[:1]}, {path: "/v2", more: "    qualifier: v2\n", instances: all[1:]},
	}}
	file := s.file(t)
	p := serve(t, file)
	p.answer("/v2", "alice")
	s.functions = s.functions[:1]
	p.reload(s, file, true)
	p.eventually(func() error {
		r, err := good(quick, p.admin+"/2023-03-30/functions/counter/instances?qualifier=v2", "")
		if err == nil && !strings.Contains(string(r.body), "destroyedTimeMs") {
			err = fmt.Errorf("not gone: %s", r.body)
		}
		return err
	})
	r, err := good(quick, p.admin+"/2023-03-30/functions/counter/sessions/alice?qualifier=v2", "")
	require.NoError(t, err)
	require.Contains(t, string(r.body), `"sessionStatus":"Active"`)
	r, err = good(quick, p.admin+"/2023-03-30/functions/counter/instances?qualifier=LATEST", "")
	require.NoError(t, err)
	require.NotContains(t, string(r.body), "destroyedTimeMs")
}

// TestCookieKeysRotateBySIGHUP goes through a whole rotation: the new key comes first, then the old one goes.
func TestCookieKeysRotateBySIGHUP(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys")
	older, newer := strings.Repeat("a", 40), strings.Repeat("b", 40)
	replace(t, keys, older+"\n")
	s := setup{functions: []function{{
		affinity: fmt.Sprintf("{type: GENERATED_COOKIE, cookie: {keys_file: %q}}", keys), instances: samples(t, 2),
	}}}
	file := s.file(t)
	p := serve(t, file)
	rotate := func(lines ...string) {
		t.Helper()
		replace(t, keys, strings.Join(lines, "\n")+"\n")
		p.reload(s, file, true)
	}
	_, first := p.withCookie("")
	rotate(newer, older)
	r, _ := p.withCookie(first)
	require.Equal(t, 2, r.Count, "an old cookie is still good")
	_, second := p.withCookie("")
	rotate(newer)
	r, _ = p.withCookie(second)
	require.Equal(t, 2, r.Count, "the new key signed this one")
	r, third := p.withCookie(first)
	require.Equal(t, 1, r.Count, "the old key is forgotten, so a new session is made")
	require.NotEmpty(t, third)

	replace(t, keys, "short\n")
	p.signal(syscall.SIGHUP)
	require.Contains(t, p.awaitLog(notReloaded)["error"], "keys_file")
	r, _ = p.withCookie(second)
	require.Equal(t, 3, r.Count)
}

// withCookie sends a request with the cookie and returns the answer and the cookie that it set, if any.
func (p *process) withCookie(cookie string) (reply, string) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.listen+"/", nil)
	require.NoError(p.t, err)
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	r, err := do(quick, req)
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusOK, r.status, r)
	set, _, _ := strings.Cut(r.header.Get("Set-Cookie"), ";")
	return r, set
}

// TestAReloadChangesMoreThanFunctions is about the other keys that the reference does not mark (restart).
func TestAReloadChangesMoreThanFunctions(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	replace(t, secret, "sixteen bytes at least\n")
	s := setup{functions: []function{{instances: samples(t, 1)}}}
	file := s.file(t)
	p := serve(t, file)
	p.answer("/unlogged", "alice")
	s.accessLog = "{enabled: true}"
	s.delay = "1500ms"
	s.more = fmt.Sprintf("trusted_proxies: [127.0.0.1]\nauth: {keys: [{id: operator, secret_file: %q, functions: [\"*\"], allow: [read]}]}", secret)
	p.reload(s, file, true)
	p.answer("/logged", "alice")
	p.eventually(func() error {
		if !strings.Contains(p.stdout.String(), `"path":"/logged"`) {
			return errors.New("no access log")
		}
		return nil
	})
	require.NotContains(t, p.stdout.String(), "/unlogged")
	r, err := get(quick, p.admin+"/metrics", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, r.status)
	req, err := http.NewRequest(http.MethodGet, p.listen+"/headers", nil)
	require.NoError(t, err)
	req.Header.Set("X-Forwarded-For", "192.0.2.7")
	r, err = do(quick, req)
	require.NoError(t, err)
	require.Contains(t, string(r.body), "192.0.2.7, 127.0.0.1", "of a trusted proxy")
	p.signal(syscall.SIGTERM)
	began := time.Now()
	require.Zero(t, p.exit())
	require.GreaterOrEqual(t, time.Since(began), 1500*time.Millisecond)
}
