package proxy

import (
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipeConn gives net.Pipe's end idle time; net.Pipe's deadlines run on the bubble's clock.
func pipeConn(t *testing.T, idle time.Duration) (*idleConn, net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	return newIdleConn(a, idle), b
}

func TestIdleConnFailsWhenNothingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pipeConn(t, time.Minute)
		start := time.Now()
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestIdleConnWriteFailsWhenThePeerTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pipeConn(t, time.Minute)
		start := time.Now()
		_, err := c.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestIdleConnLivesWhileTheOtherDirectionMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeConn(t, time.Minute)
		go func() {
			for range 10 {
				time.Sleep(40 * time.Second)
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		go func() {
			for {
				if _, err := peer.Read(make([]byte, 1)); err != nil {
					return
				}
			}
		}()
		start := time.Now()
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 400*time.Second+time.Minute, time.Since(start), "idle counts from the last byte written")
	})
}

// The server wakes its background read with a deadline in the past; a read that armed its own after that would sleep
// on and hang the connection.
func TestIdleConnOwnersDeadlineWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeConn(t, time.Minute)
		done := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		require.NoError(t, c.SetReadDeadline(time.Unix(1, 0)))
		require.ErrorIs(t, <-done, os.ErrDeadlineExceeded)

		require.NoError(t, c.SetReadDeadline(time.Time{}))
		go func() { time.Sleep(50 * time.Second); peer.Write([]byte("y")) }()
		n, err := c.Read(make([]byte, 1))
		require.NoError(t, err)
		require.Equal(t, 1, n)

		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Second)))
		start := time.Now()
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start), "the owner's own deadline, not the idle time")
	})
}

func TestIdleConnSetIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pipeConn(t, time.Hour)
		c.setIdle(time.Second)
		start := time.Now()
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
	})
}

// Who sends and never takes is as stuck as who does neither.
func TestIdleConnWriteFailsThoughThePeerSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeConn(t, time.Minute)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				time.Sleep(10 * time.Second)
				if _, err := peer.Write([]byte("y")); err != nil {
					return
				}
			}
		}()
		go io.Copy(io.Discard, c)
		start := time.Now()
		_, err := c.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
		require.NoError(t, c.Close())
		<-ended
	})
}

func TestIdleConnWriteLivesWhileThePeerTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeConn(t, time.Minute)
		took := make(chan struct{})
		go func() {
			defer close(took)
			for range 20 {
				time.Sleep(50 * time.Second)
				peer.Read(make([]byte, 1))
			}
		}()
		start := time.Now()
		n, err := c.Write(make([]byte, 21))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 20, n)
		<-took
		require.Greater(t, time.Since(start), 1000*time.Second+30*time.Second)
		require.LessOrEqual(t, time.Since(start), 1000*time.Second+2*time.Minute)
	})
}

// Where nobody asked for bytes, because those before could not be delivered, none were late.
func TestIdleConnReadCountsFromItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeConn(t, time.Minute)
		go peer.Write([]byte("y"))
		_, err := c.Read(make([]byte, 1))
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		start := time.Now()
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestIdleConnWriteCountsFromItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipeConn(t, time.Minute)
		go peer.Read(make([]byte, 1))
		_, err := c.Write([]byte("x"))
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		start := time.Now()
		_, err = c.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

// Touching a deadline costs more than noting a time.
func TestIdleConnSetsFewDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		counted := &deadlines{Conn: a}
		c := newIdleConn(counted, time.Minute)
		go io.Copy(io.Discard, b)
		for range 1000 {
			_, err := c.Write([]byte("x"))
			require.NoError(t, err)
			time.Sleep(60 * time.Millisecond)
		}
		require.LessOrEqual(t, counted.set, 3, "in one idle time")
		require.Positive(t, counted.set)
	})
}

// deadlines counts how often the deadline of writes is set.
type deadlines struct {
	net.Conn
	set int
}

func (c *deadlines) SetWriteDeadline(t time.Time) error {
	c.set++
	return c.Conn.SetWriteDeadline(t)
}
