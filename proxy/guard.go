package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// stuckGrace is how long an exchange that is cut may take to notice. One that has not by then waits for a client who
// takes nothing.
const stuckGrace = time.Second

// guardAfter is how long an exchange may take before it is watched, in a function whose requests are cut by a drain only.
// What is done sooner does not pay for a watcher, and what takes longer is cut that much late at the most.
const guardAfter = time.Second

// guard cuts an exchange when its use ends: its session has ended, in a function with isolation, where the instance is
// the session's alone and goes with it; or the instance has drained and the session was sent away.
type guard struct {
	x    *exchange     // of which watch reads w and body only: the rest is the exchange's own goroutine's
	use  sessions.Use  // as the exchange had it: a copy, to ask only
	bare *http.Request // the exchange's request without the guard
	cut  context.CancelCauseFunc
	late *time.Timer   // starts watch; nil: it was started at once
	stop chan struct{} // nil: it does not watch
	gone chan struct{} // closed when watch has returned
}

// guard runs what follows under a context that ends with the use of the session. What has no session yet is guarded from
// when it gets one: see bind.
func (x *exchange) guard() {
	ctx, cut := context.WithCancelCause(x.r.Context())
	x.watch = &guard{x: x, bare: x.r, cut: cut}
	x.r = x.r.WithContext(ctx)
	if !x.use.Reserved() {
		x.watch.begin(x.use)
	}
}

// begin makes the guard one of use.
func (g *guard) begin(use sessions.Use) {
	g.use, g.stop, g.gone = use, make(chan struct{}), make(chan struct{})
	if g.x.fn.Config.Sessions.Isolation {
		go g.watch()
		return
	}
	g.late = time.AfterFunc(guardAfter, g.watch)
}

// leave ends the guarding, and waits for it: afterwards the guard touches neither response nor connection, which may
// serve another request.
func (g *guard) leave() {
	if g.stop == nil {
		return
	}
	if g.late == nil || !g.late.Stop() {
		close(g.stop)
		<-g.gone
	}
	g.stop = nil
}

// unguard ends the guard and its context.
func (x *exchange) unguard() {
	g := x.watch
	if g == nil {
		return
	}
	g.leave()
	g.cut(nil)
	x.watch, x.r = nil, g.bare
}

// watch cancels the exchange's context, which ends dials, bodies that come from the instance, and tunnels. Two things it
// does not end. http.Transport waits for whoever reads the client's body, and a read from a silent client returns by a
// deadline only; where the body has been read the deadline would hit net/http's own read, which looks for the client's
// end. And a write to a client that takes nothing, which gets some time first, for the answer is a write as well.
func (g *guard) watch() {
	defer close(g.gone)
	ended := g.use.Ended()
	select {
	case <-ended.Done():
	case <-g.stop:
		return
	}
	g.cut(context.Cause(ended))
	client, body := http.NewResponseController(g.x.w), g.x.body
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

// useEnded says whether the exchange is cut, or about to be: what ended the session may have ended its instance before
// the guard ran.
func (x *exchange) useEnded() bool { return x.cutBy() != nil }

// cutBy is the failure for which the exchange is cut; nil if it is not.
func (x *exchange) cutBy() *Failure {
	if x.watch == nil || x.watch.stop == nil {
		return nil
	}
	cause := context.Cause(x.r.Context())
	if cause == nil {
		cause = context.Cause(x.use.Ended())
	}
	return x.endedBy(cause)
}

// endedBy is the failure that the end of a session's use is, by its cause; nil for any other cause.
func (x *exchange) endedBy(cause error) *Failure {
	switch {
	case errors.Is(cause, sessions.ErrDrained):
		return errDrained
	case !errors.Is(cause, sessions.ErrEnded):
		return nil // such as that the client was gone first
	case x.use.HomeDrained():
		return errDrained // another replica has moved it
	default:
		return errSessionEnded
	}
}
