package embeddedstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// dataFile syncs a file's bytes and its size, but not its times, which would be a second write to disk.
type dataFile struct{ *os.File }

// Sync waits until what was written is on disk.
func (f dataFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
