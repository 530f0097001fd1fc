//go:build !linux

package sdktest_test

import "syscall"

// dieWithParent is Linux's: elsewhere a killed test binary leaves its processes behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
