package load

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// sleepExactly sleeps in the system: some 60 µs late instead of 1 ms.
func sleepExactly(d time.Duration) {
	left := unix.NsecToTimespec(d.Nanoseconds())
	for errors.Is(unix.Nanosleep(&left, &left), unix.EINTR) { // a signal cut it short: the runtime sends some
	}
}
