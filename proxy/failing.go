package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// roundTripFailed is the ErrorHandler: the instance gave no response, or none that is a ReverseProxy's.
func (x *exchange) roundTripFailed(_ http.ResponseWriter, _ *http.Request, err error) {
	if errors.Is(err, errSwitched) {
		return // to forward, which goes on when ReverseProxy has returned
	}
	if x.r.Context().Err() != nil || x.useEnded() {
		x.fail(err) // whatever broke, broke because of that
		return
	}
	inst, refused := x.inst, isRefused(err)
	switch {
	case x.connected.Load():
		x.fail(x.blame(err))
	case refused:
		inst.Refused()
		x.again(x.move)
	case errors.Is(err, instances.ErrReplaced):
		x.again(x.rejoin)
	case errors.Is(err, instances.ErrUnproven):
		x.fail(errInstanceDown)
	case isDial(err):
		inst.Unreachable(err)
		x.fail(errInstanceDown)
	default:
		x.fail(x.blame(err))
	}
}

// again sends the request to another home, because the dial was refused or led to another program: no connection was ever
// obtained in this exchange, so the request was not executed anywhere, and its body was not read.
func (x *exchange) again(find func() error) {
	x.inst.Release()
	x.inst = nil
	if x.tries >= maxTries {
		x.fail(errInstanceDown)
		return
	}
	if x.use.Session() != nil {
		if err := find(); err != nil {
			x.fail(err)
			return
		}
	}
	x.forward()
}

// move re-homes the session, or the slot for one. If it ended meanwhile the request makes a new one.
func (x *exchange) move() error {
	x.unguard() // the move itself ends the use of the session as it was
	err := x.use.Rehome(x.r.Context())
	if errors.Is(err, sessions.ErrNotFound) {
		x.use.Release()
		return x.hold()
	}
	if err != nil {
		return err
	}
	x.event = x.use.Event()
	x.guard()
	return nil
}

// rejoin takes hold of the session anew: by now the pool knows that its home has been replaced.
func (x *exchange) rejoin() error {
	x.unguard()
	x.use.Release()
	return x.hold()
}

// conn is the client's connection, nil where another server than Server took it, and where it is not this exchange's
// alone.
func (x *exchange) conn() *idleConn {
	if x.isHTTP2() {
		return nil
	}
	c, _ := x.r.Context().Value(connKey{}).(*idleConn)
	return c
}

// cancelled is why the request's context ended, nil if it has not. net/http ends it when it cannot read from the
// client's connection. The instance is not to blame for it.
func (x *exchange) cancelled() error {
	c := x.conn()
	if f := x.cutBy(); f != nil {
		return f
	}
	switch {
	case x.r.Context().Err() == nil:
		return nil
	case errors.Is(context.Cause(x.r.Context()), ErrShutdown):
		return errShuttingDown
	case errors.Is(context.Cause(x.r.Context()), errIdle):
		return errGatewayTimeout
	case c != nil && c.spent.Swap(false):
		return errGatewayTimeout // nothing moved for the idle time, and the client still waits
	default:
		return errClientGone
	}
}

// fail answers with the failure that err is. The client learns the ID of a session that exists, so that its next try
// does not make another.
func (x *exchange) fail(err error) {
	cause := x.cancelled()
	if cause != nil {
		err = cause
	}
	f := failureOf(err)
	x.status, x.code = x.dialect.Status(f), f.Code
	if f == errClientGone {
		x.status = f.Status
		// To return would be to answer: net/http would send an empty 200, and a client that has closed only its sending
		// half would read it.
		panic(http.ErrAbortHandler)
	}
	if f.Code == dialects.CodeInternalError {
		x.h.logger.Error("request failed", "error", err, "request_id", x.requestID)
	}
	if s := x.session(); s != nil && f != errSessionEnded {
		x.rule.Respond(x.w.Header(), x.grant(s))
	}
	x.nameRequest(x.w.Header())
	if cause != nil && !x.isHTTP2() || x.h.leaving.Load() { // in HTTP/1 the cancelled context is the connection's
		x.w.Header().Set("Connection", "close")
	}
	if werr := x.dialect.Write(x.w, x.requestID, f); werr != nil && !errors.Is(werr, http.ErrBodyNotAllowed) {
		x.h.logger.Debug("error response not written", "error", werr, "request_id", x.requestID)
	}
}

// blame is the failure for a round trip that ended after the instance was reached, or whose response Limpet refused.
func (x *exchange) blame(err error) error {
	if errors.As(err, new(*Failure)) {
		return err
	}
	if x.body != nil && x.body.failed.Load() {
		if refusal := x.body.refused.Load(); refusal != nil {
			return refusal
		}
		return errBadBody
	}
	if isTimeout(err) {
		return errGatewayTimeout
	}
	return errBadGateway
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// isDial says whether err is a failure to reach the instance at all.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// isRefused says whether the dial was refused: the host lives and no program listens.
func isRefused(err error) bool { return isDial(err) && errors.Is(err, syscall.ECONNREFUSED) }
