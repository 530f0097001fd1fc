package proxy

import (
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// chunkSize is how many bytes a tunnel moves at once.
	chunkSize = 8 << 10
	// waitSize is the size of the buffer by which a tunnel waits where it cannot wait without one.
	waitSize = 512
)

// chunks lends the buffers that tunnels pass bytes through.
type chunks struct{ pool sync.Pool }

func (c *chunks) get() *[chunkSize]byte {
	if b, ok := c.pool.Get().(*[chunkSize]byte); ok {
		return b
	}
	return new([chunkSize]byte)
}

// end is one of the two connections of a tunnel. One goroutine reads from it and another writes.
type end struct {
	net.Conn
	early  []byte // what came before the tunnel was there
	chunks *chunks
	chunk  *[chunkSize]byte // lent

	// A connection that the kernel can be asked about is waited for without a buffer.
	clock *idleConn
	raw   syscall.RawConn // nil if it cannot
	n     int             // what the last attempt gave
	err   error

	small []byte // else: a small one, and a chunk when that was full
	more  bool
}

// newEnd makes an end of a connection. idle is for one whose idle time nobody looks at yet.
func newEnd(c net.Conn, idle time.Duration, early []byte, lender *chunks) *end {
	e := &end{Conn: c, early: early, chunks: lender}
	ic, ok := c.(*idleConn)
	if !ok && !watched(c) {
		ic = newIdleConn(c, idle)
		e.Conn = ic
	}
	if ic != nil {
		e.clock, e.raw = ic, rawConn(ic.Conn)
	}
	return e
}

// watched says whether c is a layer, such as TLS, over a connection with an idle time.
func watched(c net.Conn) bool {
	layer, ok := c.(interface{ NetConn() net.Conn })
	if !ok {
		return false
	}
	_, ok = layer.NetConn().(*idleConn)
	return ok
}

// receive returns the bytes that have come. They are good until giveBack.
func (e *end) receive() ([]byte, error) {
	switch {
	case len(e.early) > 0:
		early := e.early
		e.early = nil
		return early, nil
	case e.raw == nil:
		return e.receiveSmall()
	}
	n, err := e.clock.read(e.lend)
	if n == 0 {
		return nil, err
	}
	return e.chunk[:n], nil
}

// receiveSmall waits with a small buffer. More bytes than that are read at once if there were more the last time.
func (e *end) receiveSmall() ([]byte, error) {
	if e.small == nil {
		e.small = make([]byte, waitSize)
	}
	b := e.small
	if e.more {
		e.chunk = e.chunks.get()
		b = e.chunk[:]
	}
	n, err := e.Read(b)
	if e.more = n == len(b); n == 0 {
		e.giveBack()
	}
	return b[:n], err
}

// giveBack returns the chunk that bytes were received in.
func (e *end) giveBack() {
	if e.chunk != nil {
		e.chunks.pool.Put(e.chunk)
		e.chunk = nil
	}
}

// CloseWrite says that no more bytes will come. Where the connection cannot say that of one direction, it is closed.
func (e *end) CloseWrite() error {
	if half, ok := e.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return e.Close()
}
