package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// stuckGrace is how long an exchange that is cut may take to notice. One that has not by then waits for a client who
// takes nothing.
const stuckGrace = time.Second

// guard cuts an exchange when its session has ended, in a function with isolation: the instance is the session's alone
// and goes with it.
type guard struct {
	bare  *http.Request // the exchange's request without the guard
	ended <-chan struct{}
	cut   context.CancelCauseFunc
	stop  chan struct{}
	gone  chan struct{} // closed when watch has returned
}

// guard runs what follows under a context that ends with the session, where the use says so. It costs nothing elsewhere.
func (x *exchange) guard() {
	ended := x.use.Ended()
	if ended == nil {
		return
	}
	ctx, cut := context.WithCancelCause(x.r.Context())
	g := &guard{bare: x.r, ended: ended, cut: cut, stop: make(chan struct{}), gone: make(chan struct{})}
	x.watch, x.r = g, x.r.WithContext(ctx)
	go g.watch(http.NewResponseController(x.w), x.body)
}

// unguard ends the guard, and waits for it: afterwards it touches neither response nor connection, which may serve
// another request.
func (x *exchange) unguard() {
	g := x.watch
	if g == nil {
		return
	}
	close(g.stop)
	<-g.gone
	g.cut(nil)
	x.watch, x.r = nil, g.bare
}

// watch cancels the exchange's context, which ends dials, bodies that come from the instance, and tunnels. Two things it
// does not end. http.Transport waits for whoever reads the client's body, and a read from a silent client returns by a
// deadline only; where the body has been read the deadline would hit net/http's own read, which looks for the client's
// end. And a write to a client that takes nothing, which gets some time first, for the answer is a write as well.
func (g *guard) watch(client *http.ResponseController, body *watchedBody) {
	defer close(g.gone)
	select {
	case <-g.ended:
	case <-g.stop:
		return
	}
	g.cut(errSessionEnded)
	if body != nil && !body.ended.Load() {
		client.SetReadDeadline(time.Now()) //nolint:errcheck // not supported means that there is no connection
	}
	late := time.NewTimer(stuckGrace)
	defer late.Stop()
	select {
	case <-late.C:
		client.SetWriteDeadline(time.Now()) //nolint:errcheck // as above
		client.SetReadDeadline(time.Now())  //nolint:errcheck // as above
	case <-g.stop:
	}
}

// sessionEnded says whether the exchange is cut, or about to be: what ended the session may have ended its instance
// before the guard ran.
func (x *exchange) sessionEnded() bool {
	if x.watch == nil {
		return false
	}
	if cause := context.Cause(x.r.Context()); cause != nil {
		return errors.Is(cause, errSessionEnded) // else the client was gone first
	}
	select {
	case <-x.watch.ended:
		return true
	default:
		return false
	}
}
