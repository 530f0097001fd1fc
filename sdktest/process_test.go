package sdktest_test

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

// patience is how long a test waits for what should take no time, on a machine that does much else.
const patience = 20 * time.Second

// buildLimpet builds the command under the race detector, as the tests themselves are.
func buildLimpet(dir string) (string, error) {
	binary := filepath.Join(dir, "limpet")
	cmd := exec.Command("go", "build", "-race", "-o", binary, "./cmd/limpet")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build limpet: %w\n%s", err, out)
	}
	return binary, nil
}

// limpet is a running limpet serve.
type limpet struct {
	cmd           *exec.Cmd
	listen, admin string // host:port
	file          string // its configuration

	serving chan struct{} // closed when the addresses are known
	done    chan struct{} // closed when it has ended and was waited for
	mu      sync.Mutex
	log     strings.Builder
}

// startLimpet runs limpet serve and returns when it serves and every instance was probed. The kernel kills it when this
// binary dies. That signal comes when the thread that started the child ends, so a goroutine keeps its thread.
func startLimpet(binary, file string) (*limpet, error) {
	p := &limpet{
		cmd: exec.Command(binary, "serve", "-c", file), file: file,
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
		return nil, errors.New("limpet ended before it served:\n" + p.tail())
	case <-time.After(patience):
		p.kill()
		return nil, errors.New("limpet does not serve:\n" + p.tail())
	}
	if err := poll(p.ready); err != nil {
		p.kill()
		return nil, fmt.Errorf("%w\n%s", err, p.tail())
	}
	return p, nil
}

// read keeps what the process says, and learns its addresses.
func (p *limpet) read(stderr io.Reader) {
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
			p.listen, p.admin, known = line.Listen, line.Admin, true
			close(p.serving)
		}
	}
}

// ready says whether it may be asked. One of the functions has no healthy instance, ever, so that is no objection.
func (p *limpet) ready() error {
	res, err := http.Get("http://" + p.admin + "/readyz")
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

// stop ends the process as an operator does, and waits for it.
func (p *limpet) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
		return errors.New("limpet does not stop:\n" + p.tail())
	}
	if strings.Contains(p.said(), "DATA RACE") {
		return errors.New("limpet has a data race:\n" + p.said())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("limpet: exit status %d\n%s", code, p.tail())
	}
	return nil
}

// kill ends the process as kill -9 does, and waits for it.
func (p *limpet) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

func (p *limpet) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// tail is the end of what the process said, but for its audit lines: tests write much.
func (p *limpet) tail() string {
	var b strings.Builder
	for line := range strings.Lines(p.said()) {
		if !strings.Contains(line, `"msg":"audit"`) {
			b.WriteString(line)
		}
	}
	return b.String()[max(0, b.Len()-3000):]
}

// poll asks until what returns nil, and returns its last error when that takes too long. What it waits for has no event
// of its own.
func poll(what func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := what()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
