package process_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/process"
	"github.com/limpet-proxy/limpet/instances/sourcetest"
)

// realCommand is a source's configuration whose processes run one of the programs.
func realCommand(program string, args ...string) process.Config {
	c := config()
	c.Command = append([]string{"/proc/self/exe", play, program}, args...)
	c.StartTimeout, c.StopGrace = 20*time.Second, 20*time.Second
	c.Probe = func(ctx context.Context, u *url.URL) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", u.Host)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	return c
}

func realHost(log *slog.Logger) process.Host {
	return process.Host{Keeper: []string{"/proc/self/exe", keep}, Owner: "me", Ports: &process.Ports{}, Logger: log}
}

func backgroundUntilSignal() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM) //nolint:govet // until the program ends
	return ctx
}

// working is a source at work, with real processes.
type working struct {
	*process.Source
	t    *testing.T
	log  *buffer
	stop func()
}

func start(t *testing.T, cfg process.Config) *working {
	t.Helper()
	w := &working{t: t, log: &buffer{}}
	w.Source = process.New(cfg, realHost(slog.New(slog.NewJSONHandler(w.log, nil))))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, func() {})
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(func() {
		w.stop()
		require.Empty(t, process.Descendants(os.Getpid()), "other tests of this package do not run beside")
		if t.Failed() {
			t.Log(w.log.String())
		}
	})
	return w
}

func (w *working) await(n int) []instances.Place {
	w.t.Helper()
	var places []instances.Place
	eventually(w.t, fmt.Sprintf("%d processes serve", n), func() bool {
		places, _ = w.Places()
		return len(places) == n
	})
	return places
}

// lines returns what the log has of the output, with the stream before it.
func (w *working) lines() (all []string) {
	for text := range strings.Lines(w.log.String()) {
		var l struct{ Msg, Stream, Line, Instance string }
		require.NoError(w.t, json.Unmarshal([]byte(text), &l), text)
		if l.Msg == "instance output" {
			require.NotEmpty(w.t, l.Instance)
			all = append(all, l.Stream+" "+l.Line)
		}
	}
	return all
}

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{Own: true, Open: func(testing.TB) sourcetest.World {
		return sourcetest.World{New: func() instances.Source {
			c := realCommand("web")
			c.Min = 2
			return process.New(c, realHost(nil))
		}}
	}})
}

func TestTheCommandGetsItsPort(t *testing.T) {
	c := realCommand("web")
	c.Command = []string{"/usr/bin/env", "CHECK=${PORT}", "/bin/sh", "-c", `[ "$PORT" = "$CHECK" ] && exec "$0" play web`, executable(t)}
	w := start(t, c)
	place := w.await(1)[0]
	require.Equal(t, "127.0.0.1", place.URL.Hostname())
	res, err := http.Get(place.URL.String())
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.True(t, place.Local)
	require.Equal(t, place.ID, place.Start, "a process has one program all its life")
}

func executable(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return exe
}

func TestStopTakesTheWholeFamily(t *testing.T) {
	dir := t.TempDir()
	c := realCommand("family", dir)
	c.StopGrace = 200 * time.Millisecond // the child and the daemon ignore SIGTERM
	w := start(t, c)
	w.await(1)
	var pids []int
	for _, name := range []string{"parent", "child", "daemon"} {
		pids = append(pids, readPID(t, dir, name))
		require.True(t, runs(pids[len(pids)-1]), name)
	}
	w.stop()
	for _, pid := range pids {
		require.False(t, runs(pid))
	}
}

// What a command leaves behind when it ends by itself serves nobody, and would keep its port.
func TestACrashTakesTheWholeFamily(t *testing.T) {
	dir := t.TempDir()
	w := start(t, realCommand("family", dir))
	w.await(1)
	parent, daemon, child := readPID(t, dir, "parent"), readPID(t, dir, "daemon"), readPID(t, dir, "child")
	require.NoError(t, syscall.Kill(parent, syscall.SIGKILL))
	eventually(t, "they are gone", func() bool { return !runs(daemon) && !runs(child) })
}

func TestNothingIsLeftWhenLimpetIsKilled(t *testing.T) {
	dir := t.TempDir()
	limpet := exec.Command("/proc/self/exe", play, "host", dir)
	limpet.Stderr = os.Stderr
	require.NoError(t, limpet.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = limpet.Wait()
	}()
	t.Cleanup(func() { _ = limpet.Process.Kill(); <-ended })
	var pids []int
	for _, name := range []string{"parent", "child", "daemon"} {
		pids = append(pids, readPID(t, dir, name))
	}
	pids = append(pids, process.Descendants(limpet.Process.Pid)...)
	require.GreaterOrEqual(t, len(pids), 3+4, "the keeper, the parent, the child and the daemon")
	require.NoError(t, limpet.Process.Kill())
	eventually(t, "they are gone", func() bool {
		for _, pid := range pids {
			if runs(pid) {
				return false
			}
		}
		return true
	})
}

// Limpet cannot clean up after a keeper when it does nothing any more itself.
func TestTheKernelEndsTheCommandOfAKilledKeeper(t *testing.T) {
	dir := t.TempDir()
	limpet := exec.Command("/proc/self/exe", play, "host", dir)
	require.NoError(t, limpet.Start())
	defer func() {
		_ = limpet.Process.Kill()
		_ = limpet.Wait()
	}()
	parent := readPID(t, dir, "parent")
	readPID(t, dir, "daemon")
	require.NoError(t, limpet.Process.Signal(syscall.SIGSTOP))
	for _, pid := range process.Descendants(limpet.Process.Pid) {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(string(line), "\x00"+keep+"\x00") {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	eventually(t, "the command is gone", func() bool { return !runs(parent) })
	for _, name := range []string{"child", "daemon"} { // what a killed keeper does not find any more
		_ = syscall.Kill(readPID(t, dir, name), syscall.SIGKILL)
	}
}

// A keeper that is killed takes its command along.
func TestAKilledKeeperIsACrash(t *testing.T) {
	w := start(t, realCommand("web"))
	first := w.await(1)[0]
	var keepers []int
	for _, pid := range process.Descendants(os.Getpid()) {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(string(line), "\x00"+keep+"\x00") {
			keepers = append(keepers, pid)
		}
	}
	require.Len(t, keepers, 1)
	command := process.Descendants(keepers[0])
	require.Len(t, command, 1)
	require.NoError(t, syscall.Kill(keepers[0], syscall.SIGKILL))
	eventually(t, "the command is gone, and another one serves", func() bool {
		places, _ := w.Places()
		return !runs(command[0]) && len(places) == 1 && places[0].ID != first.ID
	})
	require.Contains(t, w.log.String(), "its keeper was killed")
}

// Ctrl-C in Limpet's terminal, or a service manager that signals every process, ends no instance.
func TestAKeeperMindsNoSignals(t *testing.T) {
	w := start(t, realCommand("web"))
	first := w.await(1)
	all := process.Descendants(os.Getpid())
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		require.NoError(t, syscall.Kill(all[0], s))
	}
	time.Sleep(100 * time.Millisecond)
	require.Equal(t, all, process.Descendants(os.Getpid()))
	require.Equal(t, first, w.await(1))
	w.stop()
	require.NotContains(t, w.log.String(), "SIGKILL")
}

// What its keeper ignores the command must not ignore: SIGTERM ends it. sleep takes what it is given; Go would not.
func TestSIGTERMEndsACommand(t *testing.T) {
	c := realCommand("web")
	c.Command = []string{"/bin/sh", "-c", `"$0" play web & exec sleep 4321`, executable(t)}
	w := start(t, c)
	w.await(1)
	began := time.Now()
	w.stop()
	require.Less(t, time.Since(began), 10*time.Second, "stop_grace is 20 s")
}

func TestADeafCommandIsKilledAfterTheGrace(t *testing.T) {
	c := realCommand("deaf")
	c.StopGrace = 300 * time.Millisecond
	w := start(t, c)
	w.await(1)
	began := time.Now()
	w.stop()
	require.GreaterOrEqual(t, time.Since(began), c.StopGrace)
}
