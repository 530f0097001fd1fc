package embeddedstore

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// flock takes the lock that the kernel gives up when the process dies, however it dies.
func flock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errors.New("in use by another process; give each its own, or stop the other")
	}
	return os.NewSyscallError("flock", err)
}

// syncDir makes new names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
