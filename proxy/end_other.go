//go:build !unix

package proxy

import (
	"net"
	"syscall"
)

func rawConn(net.Conn) syscall.RawConn { return nil }

func (e *end) lend() (int, error) { return 0, syscall.EINVAL } // nobody asks
