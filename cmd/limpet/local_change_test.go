package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReloadReplacesTheCommand(t *testing.T) {
	t.Parallel()
	with := func(name string) setup {
		return local(function{}, fmt.Sprintf("{command: %s, min: 1, max: 4}", instanceCommand(name)))
	}
	file := with("one").file(t)
	p := serve(t, file)
	old := p.answer("/", "alice")
	require.Equal(t, "one", old.Instance)
	pids := p.commands()
	with("two").write(t, file)
	p.signal(syscall.SIGHUP)
	p.awaitLog("configuration reloaded")
	p.eventually(func() error {
		r, err := good(quick, p.listen, fmt.Sprintf("new%d", len(p.stderr.String())))
		if err == nil && r.Instance != "two" {
			err = fmt.Errorf("new sessions still go to the old command")
		}
		return err
	})
	again := p.answer("/", "alice")
	require.Equal(t, old.Start, again.Start, "a session stays with its process")
	require.Equal(t, 2, again.Count)
	for _, id := range p.sessionIDs() {
		require.NoError(t, p.end(id))
	}
	p.awaitGone(pids)
	require.Len(t, p.commands(), 1)
}

// sessionIDs are those of the active sessions.
func (p *process) sessionIDs() (ids []string) {
	_, out, _ := run(p.t, "sessions", "list", "counter", "--admin", p.admin)
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "counter" {
			ids = append(ids, f[2])
		}
	}
	return ids
}

func TestAReloadThatDropsTheProcessesEndsThem(t *testing.T) {
	t.Parallel()
	s := local(function{}, fmt.Sprintf("{command: %s, min: 2}", instanceCommand("x")))
	file := s.file(t)
	p := serve(t, file)
	pids := p.commands()
	require.Len(t, pids, 2)
	s.functions[0].process, s.functions[0].instances = "", samples(t, 1)
	s.write(t, file)
	p.signal(syscall.SIGHUP)
	p.awaitLog("configuration reloaded")
	p.awaitGone(pids)
	p.servedBy("i0") // once it has been probed
	s.functions[0].process, s.functions[0].instances = fmt.Sprintf("{command: %s, min: 2}", instanceCommand("y")), nil
	s.write(t, file)
	p.signal(syscall.SIGHUP)
	p.awaitLog("configuration reloaded")
	p.servedBy("y")
}

// servedBy waits until new sessions come to the instance.
func (p *process) servedBy(name string) {
	p.t.Helper()
	n := 0
	p.eventually(func() error {
		n++
		r, err := good(quick, p.listen, fmt.Sprint(name, "-", n))
		if err == nil && r.Instance != name {
			err = fmt.Errorf("%v", r)
		}
		return err
	})
}

// Processes end after the requests: a response that is under way when Limpet is told to stop comes to its end.
func TestProcessesEndAfterTheRequests(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	require.NoError(t, err)
	bye := filepath.Join(t.TempDir(), "bye")
	command := fmt.Sprintf(`[/bin/sh, -c, "trap 'kill $!; sleep 0.3; echo >> %s' TERM; %s instance --listen 127.0.0.1:$PORT & wait"]`, bye, exe)
	p := serve(t, local(function{isolation: true}, fmt.Sprintf("{command: %s, min: 2}", command)).file(t))
	pids := offspring(p.cmd.Process.Pid)
	got := make(chan error, 1)
	go func() {
		_, err := good(newClient(), p.listen+"/?sleep=2s", "alice")
		got <- err
	}()
	p.eventually(func() error {
		r, err := do(quick, must(http.NewRequest(http.MethodGet, p.admin+"/metrics", nil)))
		if err == nil && !strings.Contains(string(r.body), `limpet_requests_in_flight{function="counter",qualifier="LATEST"} 1`) {
			err = fmt.Errorf("the request has not arrived")
		}
		return err
	})
	p.signal(syscall.SIGTERM)
	require.NoError(t, <-got)
	require.Zero(t, p.exit())
	for _, pid := range pids {
		require.Zero(t, parent(pid), "exit is after the last process's")
	}
	said, err := os.ReadFile(bye)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(said), 2, "each had the time to end as it likes; behind the used one there may be a third")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
