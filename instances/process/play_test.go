package process_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances/process"
)

// This test binary is the keeper, and the programs that instances run, too: its first argument says which.
const (
	keep = "keep"
	play = "play"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == keep {
		os.Exit(process.Keep(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == play {
		programs()[os.Args[2]](os.Args[3:])
		os.Exit(0)
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // of the programs: each would take a second more to end
	os.Exit(m.Run())
}

// programs are what an instance may be.
func programs() map[string]func(args []string) {
	return map[string]func([]string){
		"web":    func([]string) { web(os.Getenv("PORT")) },
		"deaf":   func([]string) { signal.Ignore(syscall.SIGTERM); web(os.Getenv("PORT")) },
		"family": family,
		"leave":  leave,
		"stay":   stay,
		"noise":  noise,
		"late":   late,
		"host":   host,
		"exit":   func(args []string) { n, _ := strconv.Atoi(args[0]); os.Exit(n) },
	}
}

// web serves until it is killed.
func web(port string) {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(4)
	}
	_ = http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

// family leaves process IDs in a directory: its own, a child's, and that of one that has left the process group, the
// session and its parent, as daemons do.
func family(args []string) {
	note(args[0], "parent")
	spawn(nil, "stay", args[0], "child")
	spawn(&syscall.SysProcAttr{Setsid: true}, "leave", args[0])
	for {
		if _, err := os.Stat(filepath.Join(args[0], "daemon")); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	web(os.Getenv("PORT"))
}

// leave starts a daemon and ends.
func leave(args []string) { spawn(&syscall.SysProcAttr{Setsid: true}, "stay", args[0], "daemon") }

func stay(args []string) {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
	note(args[0], args[1])
	select {}
}

func spawn(attr *syscall.SysProcAttr, program string, args ...string) {
	cmd := exec.Command("/proc/self/exe", append([]string{play, program}, args...)...)
	cmd.SysProcAttr = attr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(5)
	}
	go func() { _ = cmd.Wait() }()
}

// note leaves this process's ID in a file, whole or not at all.
func note(dir, name string) {
	file := filepath.Join(dir, name)
	if os.WriteFile(file+".next", []byte(strconv.Itoa(os.Getpid())), 0o600) != nil || os.Rename(file+".next", file) != nil {
		os.Exit(6)
	}
}

// noise writes what no log wants, then serves.
func noise([]string) {
	fmt.Println("hello")
	fmt.Fprintln(os.Stderr, "a problem")
	fmt.Println(strings.Repeat("x", 10<<20))
	_, _ = os.Stdout.Write([]byte("\xff\x00\x1b[31m\r\n"))
	fmt.Println("the last whole line")
	fmt.Print("no end of line")
	web(os.Getenv("PORT"))
}

// late tells its port in a directory, and listens there only if it is told to; then it serves.
func late(args []string) {
	_ = os.WriteFile(filepath.Join(args[0], "port."+os.Getenv("PORT")), nil, 0o600)
	if entries, _ := os.ReadDir(args[0]); len(entries) > 1 {
		web(os.Getenv("PORT"))
	}
	select {}
}

// host is a Limpet, as far as it matters here: it runs a family for each directory.
func host(args []string) {
	s := process.New(realCommand("family", args[0]), realHost(nil))
	s.Run(backgroundUntilSignal(), func() {})
}

// readPID returns the process ID that a program has left in a file.
func readPID(t *testing.T, dir, name string) int {
	t.Helper()
	var pid int
	eventually(t, name+" has told its process ID", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(string(text))
		return err == nil
	})
	return pid
}

// runs says whether a process is there and no zombie: those wait for a parent, and do nothing.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	rest := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	return !strings.HasPrefix(rest, " Z") && !strings.HasPrefix(rest, " X")
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			require.Fail(t, "not within 30 s: "+what)
		}
	}
}
