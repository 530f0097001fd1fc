package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

var (
	// errStart means that a command could not be started.
	errStart = errors.New("cannot be started")
	// errKeeper means that it is not the command's fault.
	errKeeper = errors.New("its keeper cannot be started")
)

// child is a command that runs under its keeper. All methods are safe for concurrent use.
type child struct {
	pid    int // of the command
	keeper int // its parent's

	gone chan struct{} // closed when nothing of it is left

	mu      sync.Mutex
	control *os.File // nil once it is gone
	exit    string   // how it ended
}

// launch is what starts a child.
type launch struct {
	keeper         []string // the command line that runs Keep
	command        []string
	env            []string
	stdout, stderr *lines // get what the command writes
	group          *group // nil: no limits
}

// start starts the command and returns when it runs. errStart, errKeeper.
func (l launch) start() (*child, error) {
	p, err := openPipes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKeeper, err)
	}
	cmd := exec.Command(l.keeper[0]) // its path: what the rest of the line is called does not matter to it
	cmd.Args = append(append([]string(nil), l.keeper...), l.command...)
	cmd.Env = l.env
	cmd.Stdout, cmd.Stderr = p.stdoutW, p.stderrW
	cmd.ExtraFiles = []*os.File{p.controlR, p.statusW}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	release := l.group.join(cmd.SysProcAttr)
	err = cmd.Start()
	release()
	p.closeTheirs()
	if err != nil {
		p.closeOurs()
		l.group.remove()
		return nil, fmt.Errorf("%w: %w", errKeeper, err)
	}
	var output sync.WaitGroup
	output.Go(func() { drain(p.stdoutR, l.stdout) })
	output.Go(func() { drain(p.stderrR, l.stderr) })
	reports := bufio.NewScanner(p.statusR)
	first, _ := readStatus(reports)
	c := &child{pid: first.PID, keeper: cmd.Process.Pid, control: p.controlW, gone: make(chan struct{})}
	go c.follow(reports, func() {
		_ = p.statusR.Close()
		_ = cmd.Wait() // the keeper's own end says nothing that it has not reported
		l.group.remove()
		output.Wait()
	})
	if c.pid == 0 {
		<-c.gone
		return nil, fmt.Errorf("%w: %s", errStart, first.problem())
	}
	return c, nil
}

// problem is why a command that has no process ID does not run.
func (s status) problem() string {
	if s.Error == "" {
		return "its keeper ended"
	}
	return strings.TrimSpace(s.Error)
}

func readStatus(lines *bufio.Scanner) (s status, ok bool) {
	if !lines.Scan() {
		return s, false
	}
	return s, json.Unmarshal(lines.Bytes(), &s) == nil
}

// drain copies until there is no writer left.
func drain(from *os.File, to *lines) {
	_, _ = io.Copy(to, from)
	_ = from.Close()
	to.flush()
}

// follow waits until the keeper reports no more: it holds the only other end, and ends when nothing is left.
func (c *child) follow(reports *bufio.Scanner, wait func()) {
	last, ok := readStatus(reports)
	for ; ok && last.Exit == ""; last, ok = readStatus(reports) {
	}
	exit := last.Exit
	if exit == "" {
		exit = "its keeper was killed"
		if c.pid > 0 {
			// The kernel kills the command, but not what it has started.
			_ = syscall.Kill(-c.pid, syscall.SIGKILL)
		}
	}
	c.mu.Lock()
	c.exit = exit
	c.mu.Unlock()
	for ok {
		_, ok = readStatus(reports)
	}
	wait()
	c.mu.Lock()
	_ = c.control.Close()
	c.control = nil
	c.mu.Unlock()
	close(c.gone)
}

// term sends SIGTERM to the command's process group.
func (c *child) term() { c.tell(controlTerm) }

// kill kills the command and all that it has started.
func (c *child) kill() { c.tell(controlKill) }

func (c *child) tell(what byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.control != nil {
		_, _ = c.control.Write([]byte{what}) // to a keeper that is gone: so is the command
	}
}

// done is closed when nothing of the child is left.
func (c *child) done() <-chan struct{} { return c.gone }

// how says how the command ended; "" before.
func (c *child) how() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exit
}

// owns says whose the listener on the port is.
func (c *child) owns(port int) owner { return listenerOwner(port, c.keeper) }
