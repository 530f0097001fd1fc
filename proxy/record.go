package proxy

import (
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/metrics"
	"github.com/limpet-proxy/limpet/sessions"
)

// finish ends the exchange, unless it goes on as a tunnel. A failure in mid-body reaches no hook: ReverseProxy panics with
// http.ErrAbortHandler, which cuts the connection, as it must.
func (x *exchange) finish() {
	p := recover()
	if p != nil && x.aborted(p) {
		p = nil
	}
	if x.tunnel != nil {
		x.tunnel.start()
		return
	}
	x.endStream()
	x.unguard()
	x.idle.end()
	x.tenure.end()
	x.release()
	if p == nil && !x.skipBody() {
		p = http.ErrAbortHandler
	}
	if p != nil {
		panic(p)
	}
}

// release gives back what the exchange holds, and records how it went.
func (x *exchange) release() {
	if x.inst != nil {
		x.inst.Release()
	}
	x.record()
	x.use.Release()
	x.h.inFlight.Add(-1)
}

// aborted records a response that was cut: by the client, else by the instance, else by a fault of Limpet's own, which
// must not go unseen. told says that the client learns of it by other means than a broken connection.
func (x *exchange) aborted(p any) (told bool) {
	if err, _ := p.(error); !errors.Is(err, http.ErrAbortHandler) {
		x.code = dialects.CodeInternalError
		x.h.logger.Error("panic", "value", p, "stack", string(debug.Stack()), "request_id", x.requestID)
		return false
	}
	if x.code == codeClientGone {
		return false
	}
	why := x.brokenOff()
	x.code = why.Code
	if x.tellBroken(why) {
		return true
	}
	if why == errBadGateway {
		// What the instance sent before it broke off is the client's, who sees by it that something is missing.
		http.NewResponseController(x.w).Flush() //nolint:errcheck // the response is broken as it is
	}
	return false
}

// record counts and logs the exchange.
func (x *exchange) record() {
	m := x.h.unmatched
	if x.fn != nil {
		m = x.fn.Metrics
		m.InFlight(-1)
	}
	m.Request(x.status, x.outcome(), x.proxyTime(), x.instanceTime())
	if x.code != "" {
		m.Error(string(x.code))
	} else if x.event.Kind == sessions.EventRehomed {
		m.Rehomed(x.event.Reason)
	}
	x.plane.AccessLog.write(x, time.Since(x.begun))
}

// outcome is what affinity made of the request.
func (x *exchange) outcome() metrics.Outcome {
	switch {
	case x.code != "":
		return metrics.OutcomeError
	case x.fn == nil || x.claim.ID == "":
		return metrics.OutcomeNone
	case x.event.Kind == sessions.EventCreated:
		return metrics.OutcomeCreated
	case x.event.Kind == sessions.EventRehomed:
		return metrics.OutcomeRehomed
	default:
		return metrics.OutcomeHome
	}
}

// proxyTime is how long the request was in Limpet's hands before it was sent, or answered with a failure.
func (x *exchange) proxyTime() time.Duration {
	if x.sent.IsZero() {
		return time.Since(x.begun)
	}
	return x.sent.Sub(x.begun)
}

// instanceTime is how long the instance took to answer, from sending to the head of the response; 0 if it gave none.
func (x *exchange) instanceTime() time.Duration {
	if x.answered.IsZero() {
		return 0
	}
	return x.answered.Sub(x.sent)
}
