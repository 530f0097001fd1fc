package proxy

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// idleConn is a connection that fails once it is idle. Each direction has a clock of its own, which starts with a call
// and starts again with each byte that moves:
//
//   - A read is idle when nothing has come for the idle time and nothing has gone out either: who waits for a stream that
//     the other direction carries is not idle.
//   - A write is idle when the peer has taken nothing of it for the idle time, whatever that peer sends meanwhile.
//
// It bounds streams, uploads and upgraded connections alike, without a goroutine and without a wrapper around bodies, which
// would take Flush, Hijack and ReadFrom away.
//
// The owner's own deadlines go first: net/http's server bounds heads and keep-alive by read deadlines, and wakes its
// background read with one that has passed.
type idleConn struct {
	net.Conn
	epoch time.Time       // makes monotonic readings fit an atomic integer
	idle  atomic.Int64    // time.Duration
	last  [2]atomic.Int64 // by direction: when a call began or a byte moved, in nanoseconds since epoch
	spent atomic.Bool     // a call failed because the connection was idle

	mu       sync.Mutex
	owner    [2]bool      // the owner set a deadline that is in force
	deadline [2]time.Time // ours that is in force; zero if none
}

const (
	reading = 0
	writing = 1
)

func newIdleConn(c net.Conn, idle time.Duration) *idleConn {
	ic := &idleConn{Conn: c, epoch: time.Now()}
	ic.idle.Store(int64(idle))
	return ic
}

// setIdle changes the idle time from the next read or write on.
func (c *idleConn) setIdle(d time.Duration) {
	if c.idle.Swap(int64(d)) == int64(d) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = [2]time.Time{}
}

func (c *idleConn) moved(dir int) { c.last[dir].Store(int64(time.Since(c.epoch))) }

// rest is how long a call may still wait.
func (c *idleConn) rest(dir int) time.Duration {
	last := c.last[dir].Load()
	if dir == reading {
		last = max(last, c.last[writing].Load())
	}
	return time.Duration(c.idle.Load() - int64(time.Since(c.epoch)) + last)
}

// Read reads, and fails with os.ErrDeadlineExceeded when the connection is idle.
func (c *idleConn) Read(b []byte) (int, error) {
	return c.read(func() (int, error) { return c.Conn.Read(b) })
}

// read reads by a call that obeys the read deadline.
func (c *idleConn) read(call func() (int, error)) (int, error) {
	c.moved(reading)
	for {
		c.arm(reading, c.Conn.SetReadDeadline)
		n, err := call()
		if n > 0 {
			c.moved(reading)
		}
		if n > 0 || !c.early(reading, err) {
			return n, err
		}
	}
}

// Write writes, and fails with os.ErrDeadlineExceeded when the peer takes nothing. What it took of a call before it
// stopped counts when the deadline fires, so that such a call fails within twice the idle time.
func (c *idleConn) Write(b []byte) (int, error) {
	c.moved(writing)
	done := 0
	for {
		c.arm(writing, c.Conn.SetWriteDeadline)
		n, err := c.Conn.Write(b[done:])
		done += n
		if n > 0 {
			c.moved(writing)
		}
		if !c.early(writing, err) {
			return done, err
		}
	}
}

// arm makes sure that a deadline of ours is in force, at least half the idle time away, unless the owner has one. It
// touches the timer only twice in an idle time, not at each call; what fires early is armed again.
func (c *idleConn) arm(dir int, set func(time.Time) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	idle := time.Duration(c.idle.Load())
	if c.owner[dir] || time.Until(c.deadline[dir]) > idle/2 {
		return
	}
	c.deadline[dir] = time.Now().Add(max(c.rest(dir), idle/2+1))
	set(c.deadline[dir]) //nolint:errcheck // fails only on a closed connection, which the call after it reports
}

// early says whether err is our deadline in a call that is not idle, and clears the way for another try.
func (c *idleConn) early(dir int, err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owner[dir] {
		return false
	}
	c.deadline[dir] = time.Time{}
	if c.rest(dir) > 0 {
		return true
	}
	c.spent.Store(true)
	return false
}

// SetReadDeadline is the owner's; the zero time gives the direction back to the idle time.
func (c *idleConn) SetReadDeadline(t time.Time) error {
	return c.own(reading, t, c.Conn.SetReadDeadline)
}

// SetWriteDeadline is the owner's; the zero time gives the direction back to the idle time.
func (c *idleConn) SetWriteDeadline(t time.Time) error {
	return c.own(writing, t, c.Conn.SetWriteDeadline)
}

// SetDeadline sets both deadlines.
func (c *idleConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *idleConn) own(dir int, t time.Time, set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owner[dir], c.deadline[dir] = !t.IsZero(), time.Time{}
	return set(t)
}

// CloseWrite closes the sending half, where the connection has one: tunnels pass an end of input on by it.
func (c *idleConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

// idleListener hands out idleConns.
type idleListener struct{ net.Listener }

// Accept waits for the next connection.
func (l idleListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newIdleConn(c, DefaultStreamIdle), nil
}
