// Package limpettest runs real limpet processes, and waits for what they do: for tests that see Limpet from outside.
package limpettest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Patience is how long a test waits for what should take no time, on a machine that does much else.
const Patience = 20 * time.Second

// Build builds the command under the race detector, as the tests themselves are, and returns the binary's path in dir.
// root is Limpet's own module, where the tests are of another one.
func Build(root, dir string) (string, error) { return build(root, dir, "-race") }

// BuildBare is Build without the race detector, which costs time and memory: for what is measured.
func BuildBare(root, dir string) (string, error) { return build(root, dir) }

func build(root, dir string, flags ...string) (string, error) {
	binary := filepath.Join(dir, "limpet")
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", binary, "./cmd/limpet")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build limpet: %w\n%s", err, out)
	}
	return binary, nil
}

// Process is a running limpet serve. It is safe for concurrent use.
type Process struct {
	Listen, Admin string // host:port
	File          string // its configuration
	cmd           *exec.Cmd

	serving chan struct{} // closed when the addresses are known
	done    chan struct{} // closed when it has ended and was waited for
	mu      sync.Mutex
	log     strings.Builder
}

// Start runs limpet serve and returns when it serves and every instance was probed. Who starts it stops it. The kernel kills it when this
// binary dies. That signal comes when the thread that started the child ends, so a goroutine keeps its thread.
func Start(binary, file string) (*Process, error) {
	p := &Process{
		File: file, cmd: exec.Command(binary, "serve", "-c", file),
		serving: make(chan struct{}), done: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	p.cmd.SysProcAttr = dieWithParent()
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.read(stderr)
			_ = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	select {
	case <-p.serving:
	case <-p.done:
		return nil, errors.New("limpet ended before it served:\n" + p.Tail())
	case <-time.After(Patience):
		p.Kill()
		return nil, errors.New("limpet does not serve:\n" + p.Tail())
	}
	if err := Poll(p.ready); err != nil {
		p.Kill()
		return nil, fmt.Errorf("%w\n%s", err, p.Tail())
	}
	return p, nil
}

// read keeps what the process says, and learns its addresses.
func (p *Process) read(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	known := false
	for lines.Scan() {
		p.mu.Lock()
		p.log.Write(lines.Bytes())
		p.log.WriteByte('\n')
		p.mu.Unlock()
		var line struct{ Msg, Listen, Admin string }
		if !known && json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			p.Listen, p.Admin, known = line.Listen, line.Admin, true
			close(p.serving)
		}
	}
}

// ready says whether it may be asked. A function without a healthy instance is no objection.
func (p *Process) ready() error {
	res, err := http.Get("http://" + p.Admin + "/readyz")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("readyz: %s", body)
	}
	return err
}

// Stop ends the process as an operator does, and waits for it.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(Patience):
		p.Kill()
		return errors.New("limpet does not stop:\n" + p.Tail())
	}
	if strings.Contains(p.Said(), "DATA RACE") {
		return errors.New("limpet has a data race:\n" + p.Said())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("limpet: exit status %d\n%s", code, p.Tail())
	}
	return nil
}

// Kill ends the process as kill -9 does, and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// Pid is the process's ID.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Said is all that the process has written to its standard error.
func (p *Process) Said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Tail is the end of what the process said, but for its audit lines: tests write much.
func (p *Process) Tail() string {
	var b strings.Builder
	for line := range strings.Lines(p.Said()) {
		if !strings.Contains(line, `"msg":"audit"`) {
			b.WriteString(line)
		}
	}
	return b.String()[max(0, b.Len()-3000):]
}

// Poll asks until what returns nil, and returns its last error when that takes too long. What it waits for has no event
// of its own.
func Poll(what func() error) error {
	deadline := time.Now().Add(Patience)
	for {
		err := what()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Ended says whether the process has ended and was waited for.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
