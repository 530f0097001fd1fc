package process

import (
	"os"
	"syscall"

	"github.com/limpet-proxy/limpet/instances"
)

// enter makes the kernel put what is started with attr into the group at once (clone3(2), CLONE_INTO_CGROUP).
func enter(attr *syscall.SysProcAttr, dir *os.File) {
	attr.UseCgroupFD, attr.CgroupFD = true, int(dir.Fd())
}

// findGroups is newGroups for this process.
func findGroups(c instances.ProcessConfig) (*groups, error) {
	mountinfo, _ := os.ReadFile("/proc/self/mountinfo") // unread, it names no group
	self, _ := os.ReadFile("/proc/self/cgroup")
	return newGroups(c, string(mountinfo), string(self))
}
