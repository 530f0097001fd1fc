package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/limpet-proxy/limpet/instances"
)

// errNoGroups means that this process may not limit others.
var errNoGroups = errors.New("memory and cpu are not limited")

// Limits by control groups (cgroup v2: https://docs.kernel.org/admin-guide/cgroup-v2.html).
const (
	groupPrefix = "limpet-"
	// ownGroup is where Limpet itself moves to: a group whose children have limits may have no processes of its own.
	ownGroup = "limpet.self"
	// cpuPeriod is the time within which a group may use its share, in µs; the kernel's own default.
	cpuPeriod = 100_000
	// removeTries and removeEvery bound the wait for a group whose last process has just ended.
	removeTries, removeEvery = 20, 5 * time.Millisecond
)

// groups makes a control group for each child. The nil groups makes none.
type groups struct {
	dir    string // the parent of all
	memory instances.ByteSize
	cpu    float64
}

// group is one child's. The nil group has no limits.
type group struct {
	dir  string
	file *os.File
}

// settings are what is written into a group.
func (g *groups) settings() map[string]string {
	all := map[string]string{}
	if g.memory > 0 {
		all["memory.max"] = strconv.FormatInt(int64(g.memory), 10)
		all["memory.oom.group"] = "1" // all of an instance or nothing: one without its interpreter would serve errors
	}
	if g.cpu > 0 {
		all["cpu.max"] = fmt.Sprintf("%d %d", int64(g.cpu*cpuPeriod), cpuPeriod)
	}
	return all
}

// open makes the group of an instance. errNoGroups.
func (g *groups) open(instance string) (*group, error) {
	if g == nil {
		return nil, nil
	}
	made := &group{dir: filepath.Join(g.dir, groupPrefix+instance)}
	if err := os.Mkdir(made.dir, 0o755); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoGroups, err)
	}
	for file, value := range g.settings() {
		if err := writeFile(made.dir, file, value); err != nil {
			made.remove()
			return nil, err
		}
	}
	// A limit without this would only move memory to the disk. Where there is no swap, there is no such file.
	if g.memory > 0 {
		_ = writeFile(made.dir, "memory.swap.max", "0")
	}
	var err error
	if made.file, err = os.Open(made.dir); err != nil {
		made.remove()
		return nil, fmt.Errorf("%w: %w", errNoGroups, err)
	}
	return made, nil
}

// writeFile writes into a file that the kernel has made.
func writeFile(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errNoGroups, name, err)
	}
	return nil
}

// join makes what is started with attr begin its life in the group. Call what it returns after the start.
func (g *group) join(attr *syscall.SysProcAttr) (release func()) {
	if g == nil {
		return func() {}
	}
	enter(attr, g.file)
	return func() { _ = g.file.Close() }
}

// remove removes the group, once what was in it has ended.
func (g *group) remove() {
	if g == nil {
		return
	}
	for range removeTries {
		if err := os.Remove(g.dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(removeEvery)
	}
}

// controllers are those that the limits need.
func controllers(c instances.ProcessConfig) (all []string) {
	if c.Memory > 0 {
		all = append(all, "memory")
	}
	if c.CPU > 0 {
		all = append(all, "cpu")
	}
	return all
}

// newGroups returns nil where nothing is to be limited. errNoGroups where this process may not limit others: its group
// has to be its own, as systemd's Delegate=yes makes it.
func newGroups(c instances.ProcessConfig, mountinfo, self string) (*groups, error) {
	need := controllers(c)
	if len(need) == 0 {
		return nil, nil
	}
	dir, err := ownDir(mountinfo, self)
	if err != nil {
		return nil, err
	}
	if filepath.Base(dir) == ownGroup {
		dir = filepath.Dir(dir) // moved there by an earlier call
	} else if err := offers(dir, "cgroup.controllers", need); err != nil {
		return nil, err
	}
	if offers(dir, "cgroup.subtree_control", need) != nil {
		if err := delegate(dir, need); err != nil {
			return nil, err
		}
	}
	return &groups{dir: dir, memory: c.Memory, cpu: c.CPU}, nil
}

// delegate moves this process one level down and lets the groups beside it have limits.
func delegate(dir string, need []string) error {
	down := filepath.Join(dir, ownGroup)
	if err := os.Mkdir(down, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: %w", errNoGroups, err)
	}
	if err := writeFile(down, "cgroup.procs", "0"); err != nil {
		return err
	}
	err := writeFile(dir, "cgroup.subtree_control", "+"+strings.Join(need, " +"))
	if err != nil {
		_ = writeFile(dir, "cgroup.procs", "0") // back to where it was
		_ = os.Remove(down)
	}
	return err
}

// offers says whether a group's file lists all of these controllers.
func offers(dir, file string, need []string) error {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return fmt.Errorf("%w: %w", errNoGroups, err)
	}
	for _, name := range need {
		if !strings.Contains(" "+strings.TrimSpace(string(text))+" ", " "+name+" ") {
			return fmt.Errorf("%w: the cgroup v2 group of this process has no controller %s", errNoGroups, name)
		}
	}
	return nil
}

// ownDir returns the directory of this process's group, from the content of /proc/self/mountinfo and /proc/self/cgroup
// (proc(5), cgroups(7)).
func ownDir(mountinfo, self string) (string, error) {
	path, found := "", false
	for line := range strings.Lines(self) {
		if rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			path, found = rest, true
		}
	}
	for line := range strings.Lines(mountinfo) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if kind, _, _ := strings.Cut(after, " "); kind != "cgroup2" || len(fields) < 5 || !found {
			continue
		}
		inside, ok := strings.CutPrefix(path, strings.TrimSuffix(fields[3], "/"))
		if ok {
			return filepath.Join(fields[4], inside), nil
		}
	}
	return "", fmt.Errorf("%w: this process is in no group of cgroup v2", errNoGroups)
}
