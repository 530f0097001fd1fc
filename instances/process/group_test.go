package process_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/process"
)

const (
	mounts   = "25 1 0:22 / /proc rw - proc proc rw\n30 25 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
	v1       = "9:name=systemd:/\n4:memory:/x\n"
	ownGroup = "0::/system.slice/limpet.service\n"
)

func TestOwnGroup(t *testing.T) {
	for name, test := range map[string]struct{ mounts, self, want string }{
		"v2":           {mounts, ownGroup, "/sys/fs/cgroup/unified/system.slice/limpet.service"},
		"beside v1":    {mounts, v1 + ownGroup, "/sys/fs/cgroup/unified/system.slice/limpet.service"},
		"the root":     {mounts, "0::/\n", "/sys/fs/cgroup/unified"},
		"a namespace":  {strings.Replace(mounts, "0:26 / ", "0:26 /docker/1 ", 1), "0::/docker/1/a\n", "/sys/fs/cgroup/unified/a"},
		"v1 only":      {mounts, v1, ""},
		"not mounted":  {"", ownGroup, ""},
		"out of sight": {strings.Replace(mounts, "0:26 / ", "0:26 /docker/1 ", 1), "0::/other\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := process.OwnDir(test.mounts, test.self)
			if test.want == "" {
				require.ErrorIs(t, err, process.ErrNoGroups)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, dir)
		})
	}
}

// tree is a directory that looks like the group of a service. The kernel does not live there: what is written stays as
// it is, and files that the kernel would make are made here.
func tree(t *testing.T, controllers, delegated string) (mounts, dir string) {
	t.Helper()
	dir = t.TempDir()
	for file, text := range map[string]string{
		"cgroup.controllers": controllers + "\n", "cgroup.subtree_control": delegated + "\n", "cgroup.procs": "",
		"limpet.self/cgroup.procs": "",
	} {
		path := filepath.Join(dir, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return "30 25 0:26 / " + dir + " rw - cgroup2 cgroup2 rw\n", dir
}

func limited() instances.ProcessConfig {
	return instances.ProcessConfig{Memory: 64 << 20, CPU: 1.5}
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts...))
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

func TestGroupsAreDelegated(t *testing.T) {
	mounts, dir := tree(t, "cpuset cpu io memory pids", "")
	_, err := process.NewGroups(limited(), mounts, "0::/\n")
	require.NoError(t, err)
	require.Equal(t, "0", read(t, dir, "limpet.self", "cgroup.procs"), "first this process moves down")
	require.Equal(t, "+memory +cpu", read(t, dir, "cgroup.subtree_control"))

	mounts, dir = tree(t, "cpu memory", "cpu memory")
	_, err = process.NewGroups(limited(), mounts, "0::/\n")
	require.NoError(t, err)
	require.Empty(t, read(t, dir, "limpet.self", "cgroup.procs"), "where it is done already nothing moves")
	_, err = process.NewGroups(limited(), mounts, "0::/limpet.self\n")
	require.NoError(t, err, "from where it has moved to")
}

func TestWithoutControllersThereAreNoGroups(t *testing.T) {
	for _, controllers := range []string{"", "cpu", "hugetlb", "memory.x cpux"} {
		mounts, _ := tree(t, controllers, "")
		_, err := process.NewGroups(limited(), mounts, "0::/\n")
		require.ErrorIs(t, err, process.ErrNoGroups, controllers)
	}
	mounts, _ := tree(t, "cpu", "cpu")
	_, err := process.NewGroups(instances.ProcessConfig{CPU: 1}, mounts, "0::/\n")
	require.NoError(t, err, "only what is configured is needed")
	g, err := process.NewGroups(instances.ProcessConfig{}, "", "")
	require.NoError(t, err)
	dir, _, err := g.Open("i")
	require.NoError(t, err)
	require.Empty(t, dir, "nothing to limit")
}

// A group that lacks a file cannot be limited, and must not be left behind.
func TestAGroupThatCannotBeLimitedIsRemoved(t *testing.T) {
	mounts, dir := tree(t, "cpu memory", "cpu memory")
	g, err := process.NewGroups(limited(), mounts, "0::/\n")
	require.NoError(t, err)
	_, _, err = g.Open("i")
	require.ErrorIs(t, err, process.ErrNoGroups)
	require.NoDirExists(t, filepath.Join(dir, "limpet-i"))
}

func TestTheSettingsOfAGroup(t *testing.T) {
	mounts, _ := tree(t, "cpu memory", "cpu memory")
	g, err := process.NewGroups(limited(), mounts, "0::/\n")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"memory.max": "67108864", "memory.oom.group": "1", "cpu.max": "150000 100000"}, g.Settings())
}

// Limits that cannot be set are told once, and stop nothing. This machine either can (then nothing is told) or cannot.
func TestProcessesStartWithLimitsThatCannotBeSet(t *testing.T) {
	var out bytes.Buffer
	process.Limit(instances.ProcessConfig{}, slog.New(slog.NewTextHandler(&out, nil)))
	require.Empty(t, out.String(), "nothing to limit, nothing to tell")
	c := realCommand("web")
	c.Min, c.Memory, c.CPU = 3, 4<<30, 100
	w := start(t, c)
	w.await(3)
	require.LessOrEqual(t, strings.Count(w.log.String(), "without the configured limits"), 1)
}
