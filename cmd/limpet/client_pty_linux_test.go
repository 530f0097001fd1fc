package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a terminal: what a user sees, and what a program writes to.
func openTerminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = screen.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	return screen, tty
}

func TestTerminalWatchOnATerminalRedrawsInPlace(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t, active("alice"))
	screen, tty := openTerminal(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "sessions", "list", "counter", "--watch=100ms", "--admin", f.URL)
	cmd.Env = append(os.Environ(), mainEnv+"=1", "TERM=xterm", "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = tty, tty
	require.NoError(t, cmd.Start())
	give := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer give.Stop()

	var seen bytes.Buffer
	for strings.Count(seen.String(), "alice") < 3 {
		part := make([]byte, 4096)
		n, err := screen.Read(part)
		require.NoError(t, err, seen.String())
		seen.Write(part[:n])
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, cmd.Wait(), seen.String())
	require.Regexp(t, `^\x1b\[H\x1b\[J\x1b\[H\d\d:\d\d:\d\d, every 100ms, Ctrl-C ends\x1b\[K\r\nFUNCTION [^\n]+\x1b\[K\r\n`+
		`counter [^\n]+\x1b\[K\r\n\x1b\[J\x1b\[H\d\d:`, seen.String())
}

func TestTerminalWaitOnATerminalRedrawsItsLine(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.drainLooks(look(3, 0, 600), look(3, 0, 599), look(0, 0, 598))
	screen, tty := openTerminal(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "instances", "drain", "counter", "a", "--wait", "--admin", f.URL)
	cmd.Env = append(os.Environ(), mainEnv+"=1", "TERM=xterm", "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = tty, tty
	require.NoError(t, cmd.Start())
	give := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer give.Stop()
	var seen bytes.Buffer
	for !strings.Contains(seen.String(), "\r\n") {
		part := make([]byte, 4096)
		n, err := screen.Read(part)
		require.NoError(t, err, seen.String())
		seen.Write(part[:n])
	}
	require.NoError(t, cmd.Wait(), seen.String())
	const line = "\rinstance a of counter: draining, "
	require.Equal(t, line+"3 sessions left, which may stay for 10m\x1b[K"+line+"3 sessions left, which may stay for 9m59s\x1b[K"+
		line+"0 sessions left, done\x1b[K\r\n", seen.String())
}

func TestTerminalWaitThatIsInterrupted(t *testing.T) {
	t.Parallel()
	f := newFakeAdmin(t)
	f.drainLooks(look(3, 0, 600))
	p := start(t, "instances", "drain", "counter", "a", "--wait", "--admin", f.URL)
	p.eventually(func() error {
		if len(f.requests()) < 2 {
			return fmt.Errorf("has not begun to wait")
		}
		return nil
	})
	p.signal(syscall.SIGINT)
	require.Equal(t, 1, p.exit())
	require.Contains(t, p.stderr.String(), "limpet: stopped waiting; it drains on")
}
