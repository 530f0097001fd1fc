package redistest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is one server process. Its address and its data directory survive Kill and Restart. It is for one
// goroutine at a time.
type Server struct {
	Addr string // host:port

	bin, dir string
	args     []string
	port     int
	ca       *authority
	proc     *process
}

// Standalone starts one server for a test.
func Standalone(t testing.TB, o Options) *Server {
	t.Helper()
	return forTest(t, StartStandalone, o)
}

// StartStandalone starts one server. The caller closes it.
func StartStandalone(o Options) (*Server, error) { return startServer(o, nil) }

// startServer starts a server with more lines of configuration, which may depend on its port. A port can be taken
// by another process before the server binds it, so a server that ends at once is tried again elsewhere.
func startServer(o Options, more func(port int) ([]string, error)) (*Server, error) {
	bin, err := o.binary()
	if err != nil {
		return nil, err
	}
	for range startTries {
		var s *Server
		if s, err = newServer(bin, o, more); err != nil {
			return nil, err
		}
		if err = s.Restart(); err == nil {
			return s, nil
		}
		s.Close()
	}
	return nil, err
}

func newServer(bin string, o Options, more func(port int) ([]string, error)) (*Server, error) {
	dir, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir}
	if err := s.configure(o, more); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) configure(o Options, more func(port int) ([]string, error)) (err error) {
	if s.port, err = freePort(); err != nil {
		return err
	}
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	lines := []string{"bind 127.0.0.1", "dir " + s.dir, "logfile server.log", "daemonize no"}
	if o.TLS {
		if s.ca, err = newAuthority(s.dir); err != nil {
			return err
		}
		lines = append(lines, s.ca.config(s.port)...)
	} else {
		lines = append(lines, fmt.Sprintf("port %d", s.port))
	}
	if more != nil {
		extra, err := more(s.port)
		if err != nil {
			return err
		}
		lines = append(lines, extra...)
	} else {
		lines = append(lines, dataConfig(o)...)
	}
	lines = append(lines, o.Config...)
	return os.WriteFile(s.conf(), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// dataConfig are the lines for a server that holds data, as a sentinel does not.
func dataConfig(o Options) []string {
	// A master waits five seconds, unless told not to, for more replicas to come before it sends the first its data.
	lines := []string{`save ""`, "repl-diskless-sync-delay 0"}
	if o.AOF {
		lines = append(lines, "appendonly yes", "appendfsync everysec")
	}
	return lines
}

func (s *Server) conf() string { return filepath.Join(s.dir, "server.conf") }

// Restart starts the server again at the same address, after Kill or while it runs, and waits until it answers.
func (s *Server) Restart() error {
	s.Kill()
	p, err := spawn(s.bin, append([]string{s.conf()}, s.args...)...)
	if err != nil {
		return err
	}
	s.proc = p
	err = until(func() error {
		if p.exited() {
			return nil
		}
		return s.answers()
	})
	if err == nil && p.exited() {
		return fmt.Errorf("server ended at once: %s", s.log())
	}
	return err
}

// answers asks for a PONG. A server that wants a password first is up as well; one that loads its data is not.
func (s *Server) answers() error {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if s.ca != nil {
		conn = tls.Client(conn, s.TLSConfig())
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") && !strings.HasPrefix(line, "-NOAUTH") {
		err = errors.New(strings.TrimSpace(line))
	}
	return err
}

func (s *Server) log() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
	return string(b[max(0, len(b)-1000):])
}

// PID is the process ID of the running server.
func (s *Server) PID() int { return s.proc.pid() }

// Kill ends the server as kill -9 does and returns when it is gone. Without a running server it does nothing.
func (s *Server) Kill() {
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
}

// Pause stops the server's program as SIGSTOP does: connections stay open and nothing answers.
func (s *Server) Pause() error { return s.proc.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.proc.signal(syscall.SIGCONT) }

// Close kills the server and removes its data.
func (s *Server) Close() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// TLSConfig is a client's configuration that trusts this server's authority and no other. Nil without Options.TLS.
func (s *Server) TLSConfig() *tls.Config {
	if s.ca == nil {
		return nil
	}
	return &tls.Config{RootCAs: s.ca.pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// CAFile is the path of the authority's certificate in PEM, for a program that is told by SSL_CERT_FILE.
func (s *Server) CAFile() string { return filepath.Join(s.dir, certFile) }
