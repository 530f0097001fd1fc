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

// request watches the body of r, a request to the instance that is the caller's to change.
func (s *streamIdle) request(r *http.Request) {
	if s != nil && r.Body != nil && r.Body != http.NoBody {
		r.Body = &idleBody{ReadCloser: r.Body, idle: s, dir: toInstance}
	}
}

// response watches the body of res.
func (s *streamIdle) response(res *http.Response) {
	if s != nil {
		s.moved()
		res.Body = &idleBody{ReadCloser: res.Body, idle: s, dir: toClient}
	}
}

// idleBody is what is sent on in one direction.
type idleBody struct {
	io.ReadCloser
	idle   *streamIdle
	dir    int
	closed atomic.Bool
}

// Read reads what is to be sent.
func (b *idleBody) Read(p []byte) (int, error) {
	b.idle.moved()
	sending := &b.idle.sending[b.dir]
	sending.Store(0)
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.idle.moved()
	}
	if n > 0 && err == nil { // else no read may follow that says that it was taken
		sending.Store(b.idle.now())
	}
	if b.closed.Load() {
		sending.Store(0)
	}
	return n, err
}

// Close says that the rest of it is not wanted: an instance may answer without the body. A read may be under way.
func (b *idleBody) Close() error {
	b.closed.Store(true)
	b.idle.sending[b.dir].Store(0)
	return b.ReadCloser.Close()
}
