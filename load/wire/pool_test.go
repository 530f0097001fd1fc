package wire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

// marks answers every request by mark, and counts connections.
func marks(dialed *atomic.Int32) func(net.Conn) {
	return func(conn net.Conn) {
		dialed.Add(1)
		for in := bufio.NewReader(conn); readHead(in); {
			_, _ = io.WriteString(conn, mark)
		}
	}
}

func exchange(t *testing.T, p *wire.Pool) {
	t.Helper()
	c, err := p.Take(t.Context())
	require.NoError(t, err)
	_, err = c.Do(get(http.MethodGet))
	require.NoError(t, err)
	p.Put(c)
}

func TestPoolKeepsConnections(t *testing.T) {
	var dialed atomic.Int32
	target := serve(t, marks(&dialed))
	p := wire.NewPool(target)
	defer p.Close()
	require.Same(t, target, p.Target())
	for range 10 {
		exchange(t, p)
	}
	require.EqualValues(t, 1, dialed.Load())

	// Two at once are two connections, of which the one used last is used again.
	a, err := p.Take(t.Context())
	require.NoError(t, err)
	b, err := p.Take(t.Context())
	require.NoError(t, err)
	require.NotSame(t, a, b)
	p.Put(a)
	p.Put(b)
	again, err := p.Take(t.Context())
	require.NoError(t, err)
	require.Same(t, b, again)
	p.Put(again)
}

// TestPoolGivesOutNothingBroken: not what an exchange has failed on, nor what the peer has closed meanwhile. Those it
// closes.
func TestPoolGivesOutNothingBroken(t *testing.T) {
	for name, breakIt := range map[string]func(*wire.Conn, net.Conn){
		"by an exchange": func(c *wire.Conn, _ net.Conn) {
			e := get(http.MethodGet)
			e.Deadline = time.Now().Add(-time.Second)
			_, err := c.Do(e)
			require.Error(t, err)
		},
		"by the peer": func(c *wire.Conn, peer net.Conn) {
			require.NoError(t, peer.(*net.TCPConn).CloseWrite())
			require.Eventually(t, func() bool { return !c.Reusable() }, patience, time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			peers, ended := make(chan net.Conn, 2), make(chan struct{}, 2)
			p := wire.NewPool(serve(t, func(conn net.Conn) {
				peers <- conn
				_, _ = io.Copy(io.Discard, conn)
				ended <- struct{}{}
			}))
			defer p.Close()
			c, err := p.Take(t.Context())
			require.NoError(t, err)
			breakIt(c, <-peers)
			p.Put(c)
			other, err := p.Take(t.Context())
			require.NoError(t, err)
			require.NotSame(t, c, other)
			within(t, func() { <-ended })
		})
	}
}

func TestClosedPool(t *testing.T) {
	var dialed atomic.Int32
	l := listen(t)
	p := wire.NewPool(serveOn(t, l, "http", marks(&dialed)))
	exchange(t, p)
	used, err := p.Take(t.Context())
	require.NoError(t, err)
	p.Close()
	_, err = used.Do(get(http.MethodGet))
	require.ErrorIs(t, err, net.ErrClosed)
	p.Put(used)
	require.NoError(t, l.Close()) // whoever dials is refused
	_, err = p.Take(t.Context())
	require.ErrorIs(t, err, net.ErrClosed)
	p.Close()
}

// TestPoolClosedWhileItDials keeps nothing open.
func TestPoolClosedWhileItDials(t *testing.T) {
	dialing, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	p := wire.NewPool(serveTLS(t, func(conn net.Conn) {
		close(dialing)
		<-goOn
		_, _ = io.Copy(io.Discard, conn) // the handshake, and then until the client is gone
		close(ended)
	}))
	failed := make(chan error)
	go func() {
		_, err := p.Take(t.Context())
		failed <- err
	}()
	<-dialing
	p.Close()
	close(goOn)
	require.ErrorIs(t, <-failed, net.ErrClosed)
	within(t, func() { <-ended })
}

// TestPoolClosedUnderLoad leaves nothing open and nobody waiting.
func TestPoolClosedUnderLoad(t *testing.T) {
	var dialed atomic.Int32
	p := wire.NewPool(serve(t, marks(&dialed)))
	var clients sync.WaitGroup
	var done atomic.Int32
	for range 8 {
		clients.Go(func() {
			for {
				c, err := p.Take(t.Context())
				if err != nil {
					return
				}
				if _, err = c.Do(get(http.MethodGet)); err == nil {
					done.Add(1)
				}
				p.Put(c)
			}
		})
	}
	require.Eventually(t, func() bool { return done.Load() > 1000 }, patience, time.Millisecond)
	p.Close()
	within(t, clients.Wait)
}
