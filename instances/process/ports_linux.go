package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ephemeralFrom is the first local port of outgoing connections (ip(7), ip_local_port_range). A range that leaves no
// room below counts as none.
func ephemeralFrom() int {
	const none = lastPort + 1
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return none
	}
	low, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\t")
	n, err := strconv.Atoi(low)
	if err != nil || n < firstPort+1000 {
		return none
	}
	return n
}

// listenerOwner looks up who listens on the port of the loopback address: root and its descendants, or a program that
// was there before. A listener that this user may not look into, or of another network namespace, is unknown; so is that
// of a younger program, which may do it on the child's behalf, as a container engine does.
func listenerOwner(port, root int) owner {
	sockets := listeners(port)
	if len(sockets) == 0 {
		return ownerUnknown
	}
	for _, pid := range append(descendants(root), root) {
		if holdsAny(pid, sockets) {
			return ownerChild
		}
	}
	began, ok := startTime(root)
	entries, err := os.ReadDir("/proc")
	if err != nil || !ok {
		return ownerUnknown
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if other, ok := startTime(pid); ok && other < began && holdsAny(pid, sockets) {
			return ownerOther
		}
	}
	return ownerUnknown
}

// listeners returns what /proc/PID/fd calls the sockets that listen on the port (proc(5), /proc/net/tcp).
func listeners(port int) map[string]bool {
	const listening = "0A"
	all := map[string]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for row := range bytes.Lines(text) {
			f := strings.Fields(string(row))
			if len(f) > 9 && f[3] == listening && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				all["socket:["+f[9]+"]"] = true
			}
		}
	}
	return all
}

func holdsAny(pid int, sockets map[string]bool) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd/"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if to, err := os.Readlink(dir + e.Name()); err == nil && sockets[to] {
			return true
		}
	}
	return false
}

// startTime is when a process began, in ticks since the system did (proc(5), /proc/PID/stat, field 22).
func startTime(pid int) (uint64, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(fields[19]), 10, 64)
	return n, err == nil
}
