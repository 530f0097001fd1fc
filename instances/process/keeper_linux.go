package process

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes this process the parent of what its descendants leave behind (prctl(2), PR_SET_CHILD_SUBREAPER):
// so a process that leaves its group or its session is still found.
func adoptOrphans() bool { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == nil }

// keepFiles keeps from the command whatever files Limpet itself was started with.
func keepFiles() { _ = unix.CloseRange(statusFile+1, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }

// commandAttr lets the kernel kill the command when its keeper is killed.
func commandAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitChild waits until a child has ended, and leaves it to be waited for. ECHILD: there is none.
func awaitChild() error {
	return unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT, nil)
}

// descendants returns the processes that root has started, and those that they have.
func descendants(root int) []int {
	children := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if parent := parentOf(pid); parent > 0 {
				children[parent] = append(children[parent], pid)
			}
		}
	}
	var all []int
	for next := []int{root}; len(next) > 0; {
		found := children[next[0]]
		all, next = append(all, found...), append(next[1:], found...)
	}
	return all
}

// parentOf reads /proc/PID/stat (proc(5)); 0 if the process is gone.
func parentOf(pid int) int {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The name, in parentheses, may have anything in it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return parent
}
