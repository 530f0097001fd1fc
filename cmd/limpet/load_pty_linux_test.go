package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// On a terminal the display is redrawn in place, no line of it is longer than the terminal is wide, and it makes room for
// the summary.
func TestLoadOnATerminalRedrawsInPlace(t *testing.T) {
	t.Parallel()
	inst := sampleNamed(t, "a")
	screen, tty := openTerminal(t)
	const width = 60
	require.NoError(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width}))
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "load", inst.URL(), "-d", "1500ms", "-r", "100", "-s", "5")
	cmd.Env = append(os.Environ(), mainEnv+"=1", "TERM=xterm", "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = tty, tty
	require.NoError(t, cmd.Start())
	give := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer give.Stop()

	var seen bytes.Buffer
	for !strings.Contains(seen.String(), "Warning: all responses") {
		part := make([]byte, 4096)
		n, err := screen.Read(part)
		require.NoError(t, err, seen.String())
		seen.Write(part[:n])
	}
	require.NoError(t, cmd.Wait(), seen.String())
	text := seen.String()
	require.Regexp(t, `^\[#*\.*\] +\d+ %  \ds\x1b\[K\r\n\d+ answered  [^\n]*\x1b\[K\r\n5 sessions  [^\n]*\x1b\[K\r\n\x1b\[3A\r\[#`, text)
	require.Greater(t, strings.Count(text, "\x1b[3A\r["), 2, "drawn again and again")
	before, after, found := strings.Cut(text, "\x1b[3A\r\x1b[J")
	require.True(t, found, "the last picture is taken away")
	require.Contains(t, after, "PROVEN: ")
	for _, line := range strings.Split(before, "\n") {
		line = regexp.MustCompile(`\x1b\[\d*[A-Z]|\r`).ReplaceAllString(line, "")
		require.Less(t, len(line), width)
	}
}
