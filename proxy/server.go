package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ErrShutdown is the cause of the contexts of requests that outlive the shutdown's deadline.
var ErrShutdown = errors.New("proxy: shut down")

const (
	// keepAlive is how long a client's idle connection is kept. It is longer than the keep-alive of usual balancers
	// (600 s for one cloud's), so that the balancer, not Limpet, closes first: the other way round it would send a
	// request into a closing connection.
	keepAlive = 620 * time.Second
	// headerSlop is what net/http reads beyond MaxHeaderBytes before it refuses a head.
	headerSlop = 4096
	// newGrace is how long a connection that has sent nothing yet is kept at shutdown.
	newGrace = 250 * time.Millisecond
	// cutGrace is how long handlers may take to notice that their request was cut.
	cutGrace = 2 * time.Second
	// pollInFlight is how often shutdown looks whether upgraded connections have ended.
	pollInFlight = 20 * time.Millisecond
)

// Server is the data plane's listener: it bounds heads and idle connections, and leaves in order.
type Server struct {
	handler *Handler
	http    *http.Server
	cut     context.CancelCauseFunc

	mu    sync.Mutex
	fresh map[net.Conn]struct{} // connections that have sent nothing yet
}

// connKey finds a request's connection in its context.
type connKey struct{}

// NewServer returns a server for h.
func NewServer(h *Handler, limits LimitsConfig, logger *slog.Logger) *Server {
	base, cut := context.WithCancelCause(context.Background())
	s := &Server{handler: h, cut: cut, fresh: map[net.Conn]struct{}{}}
	s.http = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: limits.HeaderTimeout,
		MaxHeaderBytes:    int(limits.HeaderBytes) - headerSlop,
		IdleTimeout:       keepAlive,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, bare(c))
		},
		ConnState: s.connState,
		HTTP2:     clientHTTP2(limits),
		ErrorLog:  slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve takes connections until Shutdown; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	serve := s.http.Serve
	if s.http.TLSConfig != nil {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(idleListener{l}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// connState keeps count of the connections that have sent nothing yet: http.Server.Shutdown would wait five seconds
// for them.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew {
		s.fresh[c] = struct{}{}
		s.awaitPreface(c)
	} else {
		delete(s.fresh, c)
	}
}

// Leave makes clients go elsewhere while requests are still served: each response closes its connection, so that a
// balancer's connections move to other replicas without a request being lost on the way.
func (s *Server) Leave() { s.handler.leaving.Store(true) }

// Shutdown takes no new connections, waits for requests and upgraded connections until deadline, then cuts those left.
// It returns how many were cut.
func (s *Server) Shutdown(deadline time.Duration) int {
	s.Leave()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	grace := time.AfterFunc(newGrace, s.closeFresh)
	defer grace.Stop()
	if err := s.http.Shutdown(ctx); err == nil {
		s.drained(ctx)
	}
	left := s.handler.InFlight()
	s.cut(ErrShutdown)
	s.handler.end(ErrShutdown)
	wait, stop := context.WithTimeout(context.Background(), cutGrace)
	defer stop()
	s.drained(wait)
	s.http.Close() //nolint:errcheck // what is left is being abandoned
	return left
}

func (s *Server) closeFresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.fresh {
		c.Close() //nolint:errcheck // nobody has sent anything on it
	}
}

// drained waits until no exchange is left.
func (s *Server) drained(ctx context.Context) {
	tick := time.NewTicker(pollInFlight)
	defer tick.Stop()
	for s.handler.InFlight() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
