package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// A keeper is a small parent process between Limpet and an instance's command: this binary again, running Keep. It
// holds the read end of a pipe from Limpet, which the kernel closes however Limpet ends; then it kills everything that
// the command has started. Limpet itself can do nothing more after a kill -9.

// The files that a keeper gets beside the command's output.
const (
	controlFile = 3 // bytes from Limpet
	statusFile  = 4 // lines of JSON to Limpet
)

// What Limpet writes to the control file. Its end is controlKill too.
const (
	controlTerm = 'T'
	controlKill = 'K'
)

// What a keeper reports, once each: the command's process ID or why it did not start, then how it ended.
type status struct {
	PID   int    `json:"pid,omitempty"`
	Error string `json:"error,omitempty"`
	Exit  string `json:"exit,omitempty"`
}

// killEvery is how often a keeper looks for what is still alive after a kill.
const killEvery = 5 * time.Millisecond

// keeper is the state of Keep.
type keeper struct {
	pid    int // of the command
	status *json.Encoder
	over   chan struct{} // closed when nothing of the command is left
	adopts bool          // orphans come here

	mu      sync.Mutex
	ended   bool // the command itself
	leaving bool // it was told to end: what it has started may do so in its own time
	killing sync.Once
}

// Keep runs command, reports about it, and returns the exit status of the keeper when the command and all that it has
// started are gone. It is the whole program of a process that Source starts. A program that uses Source calls it when
// it is started as Host.Keeper says.
func Keep(command []string) int {
	// Pdeathsig goes by the thread that started the command. The main goroutine keeps its thread until the end.
	runtime.LockOSThread()
	// Notified and not ignored: what is ignored stays ignored in the command. Ctrl-C in Limpet's terminal, or a service
	// manager that signals every process, must not end an instance before its requests have ended.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	control, out := os.NewFile(controlFile, "control"), os.NewFile(statusFile, "status")
	syscall.CloseOnExec(controlFile)
	syscall.CloseOnExec(statusFile)
	keepFiles()
	k := &keeper{status: json.NewEncoder(out), over: make(chan struct{})}
	k.adopts = adoptOrphans()
	pid, err := startCommand(command)
	if err != nil {
		_ = k.status.Encode(status{Error: err.Error()}) // to whom it may concern: if Limpet is gone, to nobody
		return 1
	}
	k.pid = pid
	_ = k.status.Encode(status{PID: pid})
	go k.obey(control)
	k.reap()
	return 0
}

// startCommand starts the command in a session, and so in a process group, of its own.
func startCommand(command []string) (pid int, err error) {
	if len(command) == 0 {
		return 0, fmt.Errorf("no command")
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close() //nolint:errcheck // only read from
	// Not os/exec: its Wait and the keeper's own would steal each other's children.
	pid, err = syscall.ForkExec(path, command, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{null.Fd(), 1, 2}, Sys: commandAttr(),
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pid, nil
}

// obey does what Limpet says.
func (k *keeper) obey(control *os.File) {
	var b [1]byte
	for {
		if n, err := control.Read(b[:]); n == 0 || err != nil || b[0] == controlKill {
			k.kill()
			return
		}
		k.terminate()
	}
}

// terminate asks the command, and all of its process group, to end.
func (k *keeper) terminate() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.leaving = true
	if !k.ended { // else its process ID, and the group's, may be somebody else's
		_ = syscall.Kill(-k.pid, syscall.SIGTERM)
	}
}

// kill kills everything until nothing is left.
func (k *keeper) kill() {
	k.killing.Do(func() {
		go func() {
			for {
				k.killOnce()
				select {
				case <-k.over:
					return
				case <-time.After(killEvery):
				}
			}
		}()
	})
}

func (k *keeper) killOnce() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.ended {
		_ = syscall.Kill(-k.pid, syscall.SIGKILL)
	}
	for _, pid := range descendants(os.Getpid()) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// reap waits for the command and for all that it has left behind.
func (k *keeper) reap() {
	defer close(k.over)
	for {
		var s syscall.WaitStatus
		pid, err := k.wait(&s)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return // ECHILD: nothing is left
		case pid == k.pid:
			_ = k.status.Encode(status{Exit: describe(s)})
		}
	}
}

// wait waits for a child to end, and takes it away. In between, with the mutex held, the command is noted as ended: from
// then on its process ID is free for others.
func (k *keeper) wait(s *syscall.WaitStatus) (int, error) {
	if err := awaitChild(); err != nil {
		return 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	pid, err := syscall.Wait4(-1, s, syscall.WNOHANG, nil)
	if pid == k.pid && err == nil {
		k.ended = true
		k.leftBehind()
	}
	return pid, err
}

// leftBehind is about what the command leaves when it ends. If it was told to, the others of its group were told too, and
// may take their time. If not, they serve nobody.
func (k *keeper) leftBehind() {
	if !k.leaving || !k.adopts {
		_ = syscall.Kill(-k.pid, syscall.SIGKILL)
		k.kill()
	}
}

// describe says how a process ended.
func describe(s syscall.WaitStatus) string {
	if s.Signaled() {
		return "signal: " + s.Signal().String()
	}
	return fmt.Sprintf("exit status %d", s.ExitStatus())
}
