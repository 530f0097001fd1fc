package process_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances/process"
)

func TestACommandThatCannotStartSaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		command []string
		says    string
	}{
		"not there":  {[]string{"limpet-no-such-program"}, "executable file not found"},
		"no program": {[]string{t.TempDir()}, "is a directory"},
		"exits":      {[]string{executable(t), play, "exit", "7"}, "ended before it was healthy: exit status 7"},
	} {
		t.Run(name, func(t *testing.T) {
			c := realCommand("web")
			c.Command = test.command
			w := start(t, c)
			eventually(t, "it says so", func() bool { return strings.Contains(w.Problem(), test.says) })
			eventually(t, "it is tried again", func() bool { return strings.Count(w.log.String(), "process did not start") > 1 })
		})
	}
}

// The test's own listener takes the port before the command does.
func TestAPortThatAnotherProgramTookIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	w := start(t, realCommand("late", dir))
	var port string
	eventually(t, "the command has its port", func() bool {
		entries, _ := os.ReadDir(dir)
		if len(entries) == 1 {
			port = strings.TrimPrefix(entries[0].Name(), "port.")
		}
		return port != ""
	})
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	require.NoError(t, err)
	defer l.Close()
	place := w.await(1)[0]
	require.NotEqual(t, port, place.URL.Port())
	require.Contains(t, w.log.String(), "another program took the port")
	require.Empty(t, w.Problem())
}

func TestPortsAreGivenToOneAtATime(t *testing.T) {
	var ports process.Ports
	seen := map[int]bool{}
	for range 300 {
		port, err := ports.Take()
		require.NoError(t, err)
		require.False(t, seen[port])
		seen[port] = true
		require.GreaterOrEqual(t, port, process.FirstPort)
		require.LessOrEqual(t, port, process.LastPort)
	}
	for port := range seen {
		ports.Release(port)
	}
}

func TestOutputGoesToTheLog(t *testing.T) {
	w := start(t, realCommand("noise"))
	w.await(1)
	w.stop()
	all := w.lines()
	require.Len(t, all, 6)
	require.Contains(t, all, "stdout hello")
	require.Contains(t, all, "stderr a problem")
	require.Contains(t, all, "stdout "+strings.Repeat("x", process.MaxLine))
	require.Contains(t, all, "stdout \uFFFD\x00\x1b[31m")
	require.Contains(t, all, "stdout the last whole line")
	require.Contains(t, all, "stdout no end of line")
}

func TestFilesOfLimpetAreNotTheCommands(t *testing.T) {
	var inherited [2]int
	require.NoError(t, syscall.Pipe(inherited[:]), "which exec does not close, as those that Limpet was started with")
	defer syscall.Close(inherited[0])
	defer syscall.Close(inherited[1])
	c := realCommand("web")
	dir := t.TempDir()
	c.Command = []string{"/bin/sh", "-c", `ls -l /proc/self/fd > "$1"; exec "$0" play web`, executable(t), filepath.Join(dir, "fds")}
	start(t, c).await(1)
	text, err := os.ReadFile(filepath.Join(dir, "fds"))
	require.NoError(t, err)
	held := 0
	for line := range strings.Lines(string(text)) {
		if _, link, ok := strings.Cut(line, " -> "); ok && strings.HasPrefix(link, "pipe:") {
			held++
		}
	}
	require.Equal(t, 1, held, "stderr; stdout is the file: %s", text)
}
