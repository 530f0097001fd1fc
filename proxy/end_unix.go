//go:build unix

package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// rawConn is how the kernel is asked about c, nil where it knows no c.
func rawConn(c net.Conn) syscall.RawConn {
	known, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := known.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// lend reads into a chunk that it takes when there is something to read: who is silent, as most are most of the time, holds
// none.
func (e *end) lend() (int, error) {
	if err := e.raw.Read(e.attempt); err != nil {
		return 0, err
	}
	if e.n > 0 {
		return e.n, nil
	}
	e.giveBack()
	if e.err != nil {
		return 0, os.NewSyscallError("read", e.err)
	}
	return 0, io.EOF
}

// attempt reads if that needs no waiting, and says whether it did.
func (e *end) attempt(fd uintptr) bool {
	if e.chunk == nil {
		e.chunk = e.chunks.get()
	}
	for {
		e.n, e.err = syscall.Read(int(fd), e.chunk[:])
		if !errors.Is(e.err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(e.err, syscall.EAGAIN) {
		e.giveBack()
		return false
	}
	return true
}
