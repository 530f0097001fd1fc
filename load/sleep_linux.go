package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleepExactly sleeps in the system: some 60 µs late instead of 1 ms.
func sleepExactly(d time.Duration) {
	left := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&left, nil) // one that a signal cuts short is looked at again by the caller
}
