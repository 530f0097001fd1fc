//go:build !linux

package load_test

import "syscall"

// ownGroup gives a program a process group, so that its workers can be ended with it. That it ends with a killed test
// binary is Linux's.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
