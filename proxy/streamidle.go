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

// streamIdle cuts an exchange that is idle, as idleConn does a connection: when for the idle time of its function nothing
// has come from either side, or one side has taken nothing of what is being sent to it. It is for exchanges that share a
// connection, by HTTP/2, with others: pings keep that busy, and the others need it. It goes by the reads of both bodies:
// what was read is being sent on until the next read begins.
//
// One timer, which fires at most twice in an idle time, and no goroutine. A nil *streamIdle watches nothing.
type streamIdle struct {
	x    *exchange
	idle time.Duration
	cut  context.CancelCauseFunc

	epoch   time.Time       // makes monotonic readings fit an atomic integer
	last    atomic.Int64    // when a byte moved, in nanoseconds since epoch
	sending [2]atomic.Int64 // by direction: since when what was read is being sent on; 0: it is not

	mu    sync.Mutex
	timer *time.Timer // nil before start
	spent bool        // the exchange is cut
	ended bool        // its response must not be touched any more
}

// The directions of streamIdle.sending.
const (
	toInstance = 0
	toClient   = 1
)

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

// moved notes that something has come, or is told that it was taken.
func (s *streamIdle) moved() {
	if s != nil {
		s.last.Store(s.now())
	}
}

func (s *streamIdle) now() int64 { return max(1, int64(time.Since(s.epoch))) }

// read reads by call what is sent on in a direction.
func (s *streamIdle) read(dir int, call func([]byte) (int, error), p []byte) (int, error) {
	if s == nil {
		return call(p)
	}
	s.moved()
	s.sending[dir].Store(0)
	n, err := call(p)
	if n > 0 {
		s.moved()
	}
	if n > 0 && err == nil { // else no read may follow that says that it was taken
		s.sending[dir].Store(s.now())
	}
	return n, err
}

// unread says that nothing more of a body is sent on.
func (s *streamIdle) unread(dir int) {
	if s != nil {
		s.sending[dir].Store(0)
	}
}

// rest is how long the exchange may still go on as it does.
func (s *streamIdle) rest() time.Duration {
	since := s.last.Load()
	for dir := range s.sending {
		if begun := s.sending[dir].Load(); begun != 0 {
			since = min(since, begun)
		}
	}
	return s.idle - time.Since(s.epoch) + time.Duration(since)
}

// fire cuts the exchange as guard does, and for the same reasons: the read of the client's body at once, its response when
// it has had the time to say why.
func (s *streamIdle) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	client, body := http.NewResponseController(s.x.w), s.x.body
	rest := s.rest()
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
func (b *idleBody) Read(p []byte) (int, error) { return b.idle.read(toClient, b.ReadCloser.Read, p) }
