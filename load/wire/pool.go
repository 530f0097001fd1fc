package wire

import (
	"context"
	"net"
	"sync"
)

// Pool keeps the idle connections to one Target. It does not bound how many there are: as many as have been in use at
// once. Safe for concurrent use.
type Pool struct {
	target *Target

	mu     sync.Mutex
	idle   []*Conn // the one used last at the end: few connections do most of the work, and the others show as idle
	all    map[*Conn]struct{}
	closed bool
}

// NewPool returns a pool without connections.
func NewPool(t *Target) *Pool { return &Pool{target: t, all: map[*Conn]struct{}{}} }

// Target returns where its connections go.
func (p *Pool) Target() *Target { return p.target }

// Take returns an idle connection that still stands, or dials one. The error is the dialer's, or net.ErrClosed.
func (p *Pool) Take(ctx context.Context) (*Conn, error) {
	for {
		c, err := p.pop()
		switch {
		case err != nil:
			return nil, err
		case c == nil:
			return p.dial(ctx)
		case c.Reusable():
			return c, nil
		}
		p.drop(c)
	}
}

// pop takes the idle connection used last; nil: there is none.
func (p *Pool) pop() (*Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	if len(p.idle) == 0 {
		return nil, nil
	}
	last := len(p.idle) - 1
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c, nil
}

// dial makes a connection known, or closes it if the pool was closed meanwhile.
func (p *Pool) dial(ctx context.Context) (*Conn, error) {
	c, err := p.target.Dial(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	p.all[c] = struct{}{}
	return c, nil
}

// Put takes a connection back after its exchange, and closes it if it is broken.
func (p *Pool) Put(c *Conn) {
	if c.broken {
		p.drop(c)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

func (p *Pool) drop(c *Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, c)
}

// Close closes every connection, so that requests in flight fail, and makes Take fail with net.ErrClosed. All at once:
// TLS says goodbye first, and waits up to 5 s for a peer that reads nothing.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var closing sync.WaitGroup
	for c := range p.all {
		closing.Go(func() { _ = c.Close() })
	}
	closing.Wait()
}
