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

// TestPoolGivesOutNothingBroken: not what an exchange has failed on, nor what the peer has closed meanwhile.
func TestPoolGivesOutNothingBroken(t *testing.T) {
	var dialed atomic.Int32
	conns := make(chan net.Conn, 10)
	p := wire.NewPool(serve(t, func(conn net.Conn) {
		conns <- conn
		marks(&dialed)(conn)
	}))
	defer p.Close()
	exchange(t, p)
	require.NoError(t, (<-conns).Close())
	for dialed.Load() == 1 { // until the end has arrived, the connection looks sound
		c, err := p.Take(t.Context())
		require.NoError(t, err)
		if _, err = c.Do(get(http.MethodGet)); err != nil {
			p.Put(c)
		}
	}
	exchange(t, p)

	c, err := p.Take(t.Context())
	require.NoError(t, err)
	e := get(http.MethodGet)
	e.Deadline = time.Now().Add(-time.Second)
	_, err = c.Do(e)
	require.Error(t, err)
	p.Put(c)
	other, err := p.Take(t.Context())
	require.NoError(t, err)
	require.NotSame(t, c, other)
}

func TestClosedPool(t *testing.T) {
	var dialed atomic.Int32
	p := wire.NewPool(serve(t, marks(&dialed)))
	exchange(t, p)
	used, err := p.Take(t.Context())
	require.NoError(t, err)
	p.Close()
	_, err = used.Do(get(http.MethodGet))
	require.ErrorIs(t, err, net.ErrClosed)
	p.Put(used)
	_, err = p.Take(t.Context())
	require.ErrorIs(t, err, net.ErrClosed)
	require.EqualValues(t, 1, dialed.Load())
	p.Close()
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
