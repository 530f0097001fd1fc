package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// instanceCommand is the command of a sample instance of this name.
func instanceCommand(name string) string {
	return fmt.Sprintf(`[/proc/self/exe, instance, --listen, "127.0.0.1:${PORT}", --name, %s]`, name)
}

// local is a setup whose only function runs its instances itself.
func local(f function, process string) setup {
	f.process = process
	return setup{functions: []function{f}}
}

// commands are the processes that run instances' commands below a limpet: those whose parent is a keeper.
func (p *process) commands() (pids []int) {
	all := families()
	for _, keeper := range all[p.cmd.Process.Pid] {
		pids = append(pids, all[keeper]...)
	}
	return pids
}

// families are the living processes of this machine, by their parents.
func families() map[int][]int {
	all := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if child, err := strconv.Atoi(e.Name()); err == nil {
			up := parent(child)
			all[up] = append(all[up], child)
		}
	}
	return all
}

// offspring are all that pid has started, and those that they have.
func offspring(pid int) (pids []int) {
	all := families()
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		pids, next = append(pids, all[next[0]]...), append(next, all[next[0]]...)
	}
	return pids
}

// parent returns a process's parent; 0 of one that is gone, or a zombie.
func parent(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 2 || string(f[0]) == "Z" || string(f[0]) == "X" {
		return 0
	}
	n, _ := strconv.Atoi(string(f[1]))
	return n
}

// awaitGone waits until none of these processes is there.
func (p *process) awaitGone(pids []int) {
	p.t.Helper()
	p.eventually(func() error {
		if left := slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return parent(pid) == 0 }); len(left) > 0 {
			return fmt.Errorf("processes %v are left", left)
		}
		return nil
	})
}

// end ends a session by the session API.
func (p *process) end(id string) error {
	req, err := http.NewRequest(http.MethodDelete, p.admin+"/2023-03-30/functions/counter/sessions/"+id, nil)
	if err != nil {
		return err
	}
	r, err := do(quick, req)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("end %s: %v", id, r)
	}
	return err
}

// family is a command with a grandchild that has left its group and its session.
func family(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return fmt.Sprintf(`[/bin/sh, -c, "setsid sleep 4321 & sleep 4322 & exec %s instance --listen 127.0.0.1:$PORT --name x"]`, exe)
}

func TestNoProcessOutlivesALimpetThatIsKilled(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]function{"shared": {}, "isolated": {isolation: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "store")
			s := local(f, fmt.Sprintf("{command: %s, min: 2, max: 4}", family(t)))
			s.store = fmt.Sprintf("{kind: embedded, path: %q}", dir)
			file := s.file(t)
			p := serve(t, file)
			before := p.answer("/", "alice")
			pids := offspring(p.cmd.Process.Pid)
			require.GreaterOrEqual(t, len(pids), 2*4, "keepers, commands and what those have started")
			p.kill()
			p.awaitGone(pids)

			// The table is as durable as ever. The state was in the process.
			p = serve(t, file)
			after := p.answer("/", "alice")
			require.NotEqual(t, before.Start, after.Start)
			require.Equal(t, 1, after.Count)
			require.Greater(t, after.epoch, before.epoch)
			require.Contains(t, after.event(), `rehomed; reason="instance gone"`)
			p.answer("/", "bob")
		})
	}
}

// With fail the session ends, once its home has stayed away for the grace, and the client is told so.
func TestSessionsOfKilledProcessesEndWithFail(t *testing.T) {
	t.Parallel()
	s := local(function{more: "    on_instance_loss: fail\n    loss_grace: 300ms"}, fmt.Sprintf("{command: %s}", instanceCommand("x")))
	s.store = fmt.Sprintf("{kind: embedded, path: %q}", filepath.Join(t.TempDir(), "store"))
	file := s.file(t)
	p := serve(t, file)
	before := p.answer("/", "alice")
	p.kill()
	p = serve(t, file)
	var after reply
	p.eventually(func() (err error) {
		after, err = good(quick, p.listen, "alice")
		return err
	})
	require.Equal(t, "created", after.event())
	require.NotEqual(t, before.Start, after.Start)
}

func TestACrashedProcessIsReplacedAndItsSessionsTold(t *testing.T) {
	t.Parallel()
	p := serve(t, local(function{}, fmt.Sprintf("{command: %s}", instanceCommand("x"))).file(t))
	before := p.answer("/", "alice")
	pids := p.commands()
	require.Len(t, pids, 1)
	require.NoError(t, syscall.Kill(pids[0], syscall.SIGKILL))
	line := p.awaitLog("process ended by itself")
	require.Contains(t, line["error"], "signal: killed")
	require.Equal(t, "counter", line["function"])
	var after reply
	p.eventually(func() (err error) {
		after, err = good(quick, p.listen, "alice")
		return err
	})
	require.Contains(t, after.event(), "rehomed")
	require.NotEqual(t, before.Start, after.Start)
	require.Equal(t, 1, after.Count)
}

func TestASessionWaitsForANewProcess(t *testing.T) {
	t.Parallel()
	f := function{perInstance: 2, more: "    when_full: {wait: 20s}"}
	p := serve(t, local(f, fmt.Sprintf("{command: %s, min: 1, max: 3}", instanceCommand("x"))).file(t))
	starts := map[string]int{}
	for n := range 6 {
		starts[p.answer("/", fmt.Sprintf("s%d", n)).Start]++
	}
	require.Len(t, starts, 3)
	for _, n := range starts {
		require.Equal(t, 2, n, "two sessions to each")
	}
	s := local(function{perInstance: 1}, fmt.Sprintf("{command: %s, min: 1, max: 1}", instanceCommand("x")))
	p = serve(t, s.file(t))
	p.answer("/", "a")
	r, err := get(quick, p.listen, "b")
	require.NoError(t, err)
	require.Equal(t, "NoCapacity", r.code())
	s = local(function{isolation: true}, fmt.Sprintf("{command: %s, min: 1, max: 1}", instanceCommand("x")))
	p = serve(t, s.file(t))
	p.answer("/", "a")
	for range 25 { // before its source knows that it is full, and after
		r, err = get(quick, p.listen, "b")
		require.NoError(t, err)
		require.Equal(t, "NoCapacity", r.code())
		time.Sleep(20 * time.Millisecond) // a pace, not a hope
	}
}

func TestOutputOfProcessesIsInTheLog(t *testing.T) {
	t.Parallel()
	p := serve(t, local(function{}, fmt.Sprintf("{command: %s}", instanceCommand("x"))).file(t))
	p.eventually(func() error {
		if !strings.Contains(p.stderr.String(), "sample instance x listens") {
			return fmt.Errorf("no such line")
		}
		return nil
	})
	for line := range strings.Lines(p.stderr.String()) {
		if strings.Contains(line, "sample instance x listens") {
			require.Contains(t, line, `"function":"counter"`)
			require.Contains(t, line, `"instance":"p-0-`)
			require.Contains(t, line, `"stream":"stdout"`)
		}
	}
}

func TestACommandThatDoesNotStartIsAReason(t *testing.T) {
	t.Parallel()
	s := setup{functions: []function{
		{name: "broken", path: "/broken", process: "{command: [limpet-no-such-program]}"}, {instances: samples(t, 1)},
	}}
	p := start(t, "serve", "-c", s.file(t))
	p.awaitServing()
	p.eventually(func() error {
		status, body := p.readyz()
		reasons := strings.Join(body.Reasons, "\n")
		if status != http.StatusOK || body.Status != "degraded" || !strings.Contains(reasons, "broken/LATEST: processes do not start") ||
			!strings.Contains(reasons, "executable file not found") {
			return fmt.Errorf("%d %s %s", status, body.Status, reasons)
		}
		return nil
	})
	p.answer("/", "alice") // the others go on
	r, err := get(quick, p.listen+"/broken", "alice")
	require.NoError(t, err)
	require.Equal(t, "InstanceUnavailable", r.code())
}
