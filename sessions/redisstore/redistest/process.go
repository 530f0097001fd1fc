package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// process is one running server program.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended and was waited for
}

// spawn starts a program that the kernel kills when this test binary dies.
//
// That signal is sent when the *thread* that started the child ends, and the Go runtime ends idle threads at will.
// So a goroutine is locked to its thread for as long as the child lives: it starts it, waits for it, and takes the
// thread down with it when it returns.
func spawn(bin string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.cmd.SysProcAttr = dieWithParent()
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
	return p, <-started
}

// pid is safe to signal until done is closed: a child that was not waited for keeps its number.
func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// kill ends the program at once, paused or not, and waits until it is gone.
func (p *process) kill() {
	_ = p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Ports below the range from which systems take the local ports of outgoing connections: a port from that range
// could be taken by a client between two lives of a server that is restarted.
const (
	firstPort = 16000
	lastPort  = 31000
)

// freePort returns a loopback port that nothing listens on.
func freePort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free loopback port between %d and %d", firstPort, lastPort)
}
