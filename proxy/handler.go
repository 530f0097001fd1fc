// Package proxy sends one request to the instance its session is pinned to.
//
// A Handler matches the request to a function; an exchange then extracts the session ID, takes hold of the session,
// and forwards the request through httputil.ReverseProxy, whose hooks are the exchange's methods.
package proxy

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/metrics"
)

// Plane is what is in force on the data plane: a reload replaces it as a whole.
type Plane struct {
	Routes    *Routes
	Trusted   Trusted   // whose X-Forwarded-* count; the zero value trusts none
	AccessLog AccessLog // the zero value logs nothing
}

// Handler is the data plane. There is no http.ServeMux before it, for that one redirects. It is safe for concurrent
// use.
type Handler struct {
	logger    *slog.Logger
	unmatched *metrics.Function
	plane     atomic.Pointer[Plane]
	inForce   chan struct{} // closed by the first Swap
	first     sync.Once
	leaving   atomic.Bool
	inFlight  atomic.Int64
	life      context.Context // of the requests that Invoke serves; Server has its own
	end       context.CancelCauseFunc
	buffers   bufferPool
	chunks    chunks
	quiet     *log.Logger // drops what ReverseProxy would log: the exchange records each failure itself
}

// startGrace is how long a request waits for the first plane: one that comes with the start is not refused for it.
const startGrace = time.Second

// NewHandler returns a handler that answers 503 StoreUnavailable, after startGrace, until Swap puts a plane in force. logger is for what
// Limpet itself has to say; unmatched counts the requests of no function, and may be nil.
func NewHandler(logger *slog.Logger, unmatched *metrics.Function) *Handler {
	h := &Handler{
		logger: logger, unmatched: unmatched, quiet: log.New(io.Discard, "", 0), inForce: make(chan struct{}),
	}
	h.life, h.end = context.WithCancelCause(context.Background())
	h.plane.Store(&Plane{})
	return h
}

// Swap puts p in force for the requests that arrive from now on; those in flight finish on what they started with. It
// is safe for concurrent use.
func (h *Handler) Swap(p Plane) {
	h.plane.Store(&p)
	h.first.Do(func() { close(h.inForce) })
}

// current is the plane in force. Without one it has no routes.
func (h *Handler) current(ctx context.Context) *Plane {
	if p := h.plane.Load(); p.Routes != nil {
		return p
	}
	grace := time.NewTimer(startGrace)
	defer grace.Stop()
	select {
	case <-h.inForce:
	case <-grace.C:
	case <-ctx.Done():
	}
	return h.plane.Load()
}

// InFlight is the number of requests under way, upgraded connections included, which http.Server.Shutdown does not
// wait for.
func (h *Handler) InFlight() int { return int(h.inFlight.Load()) }

// Invoke serves an invocation, a request that names its function on a path of a cloud's API, for another listener, which
// knows that the caller may make it: of any function in force, whatever its key invoke says. The caller's credentials
// for that listener do not reach the instance. A request that is no invocation gets 404 NotFound. Shutdown of a Server
// of this handler waits for it, and cuts it, like one of its own. It is safe for concurrent use.
func (h *Handler) Invoke(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(h.life, func() { cancel(context.Cause(h.life)) })()
	x := newExchange(h, w, r.WithContext(ctx))
	x.admin = true
	defer x.finish()
	x.serve()
}

// ServeHTTP forwards the request to the instance that its session is pinned to, or answers with an error of the
// table in errors.go.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(h, w, r)
	defer x.finish()
	x.serve()
}
