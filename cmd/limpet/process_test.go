package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	limpet "github.com/limpet-proxy/limpet/cmd/limpet"
)

// mainEnv makes this test binary be the limpet command. With -race every process that the tests start is under the
// race detector too: a race makes its exit status 66.
const mainEnv = "LIMPET_TEST_MAIN"

// patience is how long a test waits for what should take no time, on a machine that does much else.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		limpet.Main()
		return
	}
	status := m.Run()
	if err := plain.remove(); err != nil {
		panic(err)
	}
	os.Exit(status)
}

// process is a running limpet command.
type process struct {
	t              testing.TB
	cmd            *exec.Cmd
	stdout, stderr *output
	done           chan struct{} // closed when it has ended and was waited for
	listen, admin  string        // of one that serves: URLs
	reloads        int           // so far
}

// start runs the limpet command with args. The process is killed at the end of the test, and by the kernel when this
// binary dies: that signal comes when the *thread* that started the child ends, so a goroutine keeps its thread for
// as long as the child lives.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return startProgram(t, exe, args...)
}

// startProgram is start with another binary.
func startProgram(t testing.TB, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), stdout: newOutput(), stderr: newOutput(), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), mainEnv+"=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.SysProcAttr = dieWithParent()
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
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
		p.kill()
		if t.Failed() {
			t.Logf("stderr of %v, PID %d:\n%s", args, p.cmd.Process.Pid, p.stderr.tail())
		}
		require.NotContains(t, p.stderr.String(), "DATA RACE")
	})
	return p
}

// serve runs limpet serve and returns when it is ready.
func serve(t testing.TB, file string) *process {
	t.Helper()
	p := start(t, "serve", "-c", file)
	p.awaitServing()
	p.awaitReady()
	return p
}

// awaitServing waits for the line that tells the addresses.
func (p *process) awaitServing() {
	p.t.Helper()
	line := p.awaitLog("serving")
	p.listen, p.admin = "http://"+line["listen"].(string), "http://"+line["admin"].(string)
}

func (p *process) awaitReady() {
	p.t.Helper()
	p.eventually(func() error {
		status, body := p.readyz()
		if status != http.StatusOK || body.Status != "ready" {
			return errors.New(body.Status + ": " + strings.Join(body.Reasons, ", "))
		}
		return nil
	})
}

// readiness is the body of /readyz.
type readiness struct {
	Status  string
	Reasons []string
}

// readyz asks for the readiness; status 0 is no answer.
func (p *process) readyz() (status int, body readiness) {
	res, err := quick.Get(p.admin + "/readyz")
	if err != nil {
		return 0, readiness{Status: err.Error()}
	}
	defer res.Body.Close()
	_ = json.NewDecoder(res.Body).Decode(&body)
	return res.StatusCode, body
}

// eventually asks until what returns nil. It polls: what it waits for has no event of its own.
func (p *process) eventually(what func() error) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for err := what(); err != nil; err = what() {
		if time.Now().After(deadline) {
			require.NoError(p.t, err, p.stderr.tail())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// awaitLog waits for a line of the log with this message, after those that earlier calls have returned.
func (p *process) awaitLog(message string) (line map[string]any) {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		changed := p.stderr.changes()
		for text := p.stderr.next(); text != ""; text = p.stderr.next() {
			line = map[string]any{}
			if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == message {
				return line
			}
		}
		select {
		case <-changed:
		case <-p.done:
			require.Fail(p.t, "ended before it said "+message, p.stderr.tail())
		case <-timeout:
			require.Fail(p.t, "did not say "+message, p.stderr.tail())
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// kill ends the process as kill -9 does, and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// exit waits for the end and returns the exit status; -1 is a signal.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		require.Fail(p.t, "did not end", p.stderr.tail())
		return 0
	}
}

// run runs a limpet command that ends by itself.
func run(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	p := start(t, args...)
	status = p.exit()
	return status, p.stdout.String(), p.stderr.String()
}

// output is what a process has written so far.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	read    int // by next
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

// Write takes in what the process writes.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

// changes returns a channel that is closed at the next write.
func (o *output) changes() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}

// next returns the next whole line, "" if there is none yet.
func (o *output) next() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	rest := o.text.Bytes()[o.read:]
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		return ""
	}
	o.read += end + 1
	return string(rest[:end+1])
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) tail() string {
	text := o.String()
	return text[max(0, len(text)-3000):]
}
