package load_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what takes a moment on an idle machine.
const patience = 30 * time.Second

// program is a running server of Debian's. It ends with the test.
type program struct {
	cmd  *exec.Cmd
	log  string        // file
	done chan struct{} // closed when it has ended and was waited for
}

// find returns the path of a program. Debian has servers in sbin, which is not in every user's PATH.
func find(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	require.FailNow(t, name+" is missing", "make test installs it, and so does .ci/need %s %s", name, name)
	return ""
}

// launch starts a program for the test. A thread is kept for as long as it runs: the system sends the signal of
// ownGroup when the thread that started the program ends, and the Go runtime ends idle threads at will.
func launch(t *testing.T, dir, name string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(find(t, name), args...), log: filepath.Join(dir, "log"), done: make(chan struct{})}
	// A file: with a pipe, Wait would wait for the workers too.
	log, err := os.Create(p.log)
	require.NoError(t, err)
	defer log.Close()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = dir, log, log, ownGroup()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			close(p.done)
		}
	}()
	require.NoError(t, <-started)
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s: %s", name, p.said())
		}
	})
	return p
}

// stop ends the program and its workers, and returns when they are gone. It may be called again.
func (p *program) stop() {
	if p.ended() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

func (p *program) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// said returns what the program has written.
func (p *program) said() string {
	text, _ := os.ReadFile(p.log)
	return string(text)
}
