//go:build unix && !linux

package process

import (
	"syscall"
	"time"
)

// adoptOrphans is Linux's: elsewhere a process that leaves its group escapes its keeper.
func adoptOrphans() bool { return false }

// keepFiles is Linux's.
func keepFiles() {}

func commandAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// awaitChild waits a moment: waitid, which leaves the child to be waited for, is not everywhere.
func awaitChild() error {
	time.Sleep(killEvery)
	return nil
}

func descendants(int) []int { return nil }
