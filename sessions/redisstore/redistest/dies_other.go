//go:build !linux

package redistest

import "syscall"

// dieWithParent is Linux's: elsewhere a killed test binary leaves its servers behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
