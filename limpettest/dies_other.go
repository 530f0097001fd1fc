//go:build !linux

package limpettest

import "syscall"

// dieWithParent is Linux's: elsewhere a killed test binary leaves its processes behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
