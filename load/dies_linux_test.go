package load_test

import "syscall"

// ownGroup gives a program a process group, so that its workers can be ended with it. When this test binary dies the
// program gets SIGTERM, for SIGKILL would leave the workers behind.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
