package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// errIdle is the cause of the context of an exchange on which nothing moved.
var errIdle = errors.New("proxy: idle")

// streamIdle cuts an exchange on which no byte has moved, in either direction, for the idle time of its function. It is for
// exchanges that share a connection, by HTTP/2, with others: idleConn knows only of the connection, which pings keep busy,
// and which others need. It goes by the reads of both bodies. A read that begins is a movement too, for what was read
// before has been written by then.
//
// One timer, which fires at most once in an idle time, and no goroutine. A nil *streamIdle watches nothing.
type streamIdle struct {
	x    *exchange
	idle time.Duration
	cut  context.CancelCauseFunc

	epoch time.Time    // makes monotonic readings fit an atomic integer
	last  atomic.Int64 // when a byte moved, in nanoseconds since epoch

	mu    sync.Mutex
	timer *time.Timer // nil before start
	spent bool        // the exchange is cut
	ended bool        // its response must not be touched any more
}

// watchIdle makes the exchange end with its idle time. Nothing counts before start.
func (x *exchange) watchIdle() {
	ctx, cut := context.WithCancelCause(x.r.Context())
	x.idle = &streamIdle{x: x, idle: x.fn.Config.Timeouts.Idle, cut: cut, epoch: time.Now()}
	x.r = x.r.WithContext(ctx)
}

// start begins to watch; again, where a request is sent to another home.
func (s *streamIdle) start() {
	if s == nil {
		return
	}
	s.moved()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		s.timer = time.AfterFunc(s.idle, s.fire)
	}
}

func (s *streamIdle) moved() {
	if s != nil {
		s.last.Store(int64(time.Since(s.epoch)))
	}
}

// fire cuts the exchange as guard does, and for the same reasons: the read of the client's body at once, its response when
// it has had the time to say why.
func (s *streamIdle) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	client, body := http.NewResponseController(s.x.w), s.x.body
	rest := s.idle - time.Since(s.epoch) + time.Duration(s.last.Load())
	switch {
	case s.ended:
	case s.spent:
		client.SetWriteDeadline(time.Now()) //nolint:errcheck // not supported means that there is no connection
		client.SetReadDeadline(time.Now())  //nolint:errcheck // as above
	case rest > 0:
		s.timer.Reset(rest)
	default:
		s.spent = true
		s.cut(errIdle)
		if body != nil && !body.ended.Load() {
			client.SetReadDeadline(time.Now()) //nolint:errcheck // as above
		}
		s.timer.Reset(stuckGrace)
	}
}

// end ends the watch, and waits for it: afterwards it does not touch the response, which may be another's.
func (s *streamIdle) end() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cut(nil)
}

// body watches what comes from the instance.
func (s *streamIdle) body(from io.ReadCloser) io.ReadCloser {
	if s == nil {
		return from
	}
	s.moved()
	return &idleBody{from, s}
}

type idleBody struct {
	io.ReadCloser
	idle *streamIdle
}

// Read reads from the instance.
func (b *idleBody) Read(p []byte) (int, error) {
	b.idle.moved()
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.idle.moved()
	}
	return n, err
}
