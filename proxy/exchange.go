package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/metrics"
	"github.com/limpet-proxy/limpet/sessions"
)

// maxTries bounds how many homes one request is offered: the first, and others when a dial was refused.
const maxTries = 4

// exchange is one request and its response. Its methods are the hooks of an httputil.ReverseProxy.
type exchange struct {
	h         *Handler
	plane     *Plane // in force when the request came
	w         http.ResponseWriter
	r         *http.Request // as it came; its body is watched
	fn        *Function     // nil until matched
	client    client
	requestID string

	claim affinity.Claim
	use   sessions.Use
	inst  *instances.Instance // dialled, and acquired
	event sessions.Event      // that this exchange announces
	body  *watchedBody        // nil without a request body

	tries     int
	connected atomic.Bool // a connection to an instance was obtained: something may have been sent

	begun, sent, answered time.Time
	status                int    // that the client got
	code                  string // of the failure that Limpet answered with
}

func newExchange(h *Handler, w http.ResponseWriter, r *http.Request) *exchange {
	plane := h.current(r.Context())
	x := &exchange{
		h: h, plane: plane, w: w, r: r, begun: time.Now(), client: plane.Trusted.client(r), requestID: requestID(r),
	}
	if r.Body != nil && r.Body != http.NoBody {
		x.body = &watchedBody{ReadCloser: r.Body, trailer: r.Trailer}
		x.r = r.WithContext(r.Context()) // a shallow copy: the server keeps the body that it knows
		x.r.Body = x.body
	}
	return x
}

// serve answers the request.
func (x *exchange) serve() {
	if err := x.enter(); err != nil {
		x.fail(err)
		return
	}
	x.forward()
}

// enter finds the function and takes hold of the session.
func (x *exchange) enter() error {
	if x.r.Method == http.MethodConnect {
		return errConnect
	}
	if strings.ContainsFunc(x.r.Header.Get("Upgrade"), func(r rune) bool { return r < ' ' || r > '~' }) {
		return errUpgrade // ReverseProxy would refuse it too, as the instance's failure
	}
	if x.plane.Routes == nil {
		return errStarting
	}
	if x.fn = x.plane.Routes.Match(x.r); x.fn == nil {
		return errFunctionNotFound
	}
	x.fn.Metrics.InFlight(1)
	if x.body != nil {
		x.body.header = x.fn.Rule.Header()
	}
	if c := x.conn(); c != nil {
		c.setIdle(x.fn.Config.Timeouts.Idle)
	}
	claim, err := x.fn.Rule.Extract(x.r)
	if err != nil {
		return err
	}
	x.claim = claim
	if x.fn.Table == nil {
		return nil
	}
	return x.hold()
}

// hold takes hold of the claimed session. An ID that may not be used again is an error where the client chose it; a
// browser cannot mend its cookie, so there a new session is made.
func (x *exchange) hold() error {
	use, err := x.fn.Table.Use(x.r.Context(), x.claim.ID)
	if errors.Is(err, sessions.ErrIDReuse) && x.fn.Config.Affinity.Type == sessions.AffinityCookie {
		x.claim = affinity.Claim{ID: affinity.NewID(), Fresh: true}
		use, err = x.fn.Table.Use(x.r.Context(), x.claim.ID)
	}
	if err != nil {
		return err
	}
	x.use, x.event = use, use.Event()
	return nil
}

// forward sends the request to the instance. It is called again, within itself, when a dial was refused.
func (x *exchange) forward() {
	x.tries++
	if err := x.acquire(); err != nil {
		x.fail(err)
		return
	}
	if x.body != nil && x.r.ProtoMajor == 1 {
		// Without it the server reads the body to its end before the first byte of a response: streams both ways hang.
		http.NewResponseController(x.w).EnableFullDuplex() //nolint:errcheck // not supported means not needed
	}
	x.sent = time.Now()
	proxy := httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      x,
		ModifyResponse: x.modifyResponse,
		ErrorHandler:   x.roundTripFailed,
		BufferPool:     &x.h.buffers,
		ErrorLog:       x.h.quiet,
	}
	proxy.ServeHTTP(x.w, x.r)
}

// acquire takes one of the request slots of the instance that the request goes to.
func (x *exchange) acquire() error {
	if x.fn.Table == nil {
		return x.pick()
	}
	inst, ok := x.fn.Pool.Lookup(x.use.Session().Home)
	if !ok {
		return errInstanceDown
	}
	if !inst.Acquire() {
		return errResourceExhausted // never moved: its state is where it is
	}
	x.inst = inst
	return nil
}

// pick chooses an instance for a function without sessions.
func (x *exchange) pick() error {
	full := func(inst *instances.Instance) bool {
		return inst.InFlight() >= x.fn.Config.RequestsPerInstance
	}
	inst, ok := x.fn.Pool.Pick(full)
	if ok && inst.Acquire() {
		x.inst = inst
		return nil
	}
	if _, healthy := x.fn.Pool.Pick(nil); healthy {
		return errBusy
	}
	return errNoHealthyInstance
}

// roundTripFailed is the ErrorHandler: the instance gave no response, or an upgrade failed.
func (x *exchange) roundTripFailed(_ http.ResponseWriter, _ *http.Request, err error) {
	if x.status == http.StatusSwitchingProtocols {
		// The upgrade failed after the instance's 101: its protocol is not the one that was asked for, or the client's
		// connection could not be taken over. On a hijacked connection writing does nothing.
		x.fail(errBadGateway)
		return
	}
	if x.r.Context().Err() != nil {
		x.fail(err)
		return
	}
	inst, refused := x.inst, isRefused(err)
	switch {
	case x.connected.Load():
		x.fail(x.blame(err))
	case refused:
		inst.Refused()
		x.again()
	case isDial(err):
		inst.Unreachable(err)
		x.fail(errInstanceDown)
	default:
		x.fail(x.blame(err))
	}
}

// again sends the request to another home, because the dial was refused: no connection was ever obtained in this
// exchange, so the request was not executed anywhere, and its body was not read.
func (x *exchange) again() {
	x.inst.Release()
	x.inst = nil
	if x.tries >= maxTries {
		x.fail(errInstanceDown)
		return
	}
	if x.fn.Table != nil {
		if err := x.move(); err != nil {
			x.fail(err)
			return
		}
	}
	x.forward()
}

// move re-homes the session. If it ended meanwhile the request makes a new one.
func (x *exchange) move() error {
	err := x.use.Rehome(x.r.Context())
	if errors.Is(err, sessions.ErrNotFound) {
		x.use.Release()
		return x.hold()
	}
	if err == nil {
		x.event = x.use.Event()
	}
	return err
}

// conn is the client's connection, nil where another server than Server took it.
func (x *exchange) conn() *idleConn {
	c, _ := x.r.Context().Value(connKey{}).(*idleConn)
	return c
}

// cancelled is why the request's context ended, nil if it has not. net/http ends it when it cannot read from the
// client's connection. The instance is not to blame for it.
func (x *exchange) cancelled() error {
	c := x.conn()
	switch {
	case x.r.Context().Err() == nil:
		return nil
	case errors.Is(context.Cause(x.r.Context()), ErrShutdown):
		return errShuttingDown
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
	x.status, x.code = f.Status, f.Code
	if f == errClientGone {
		// To return would be to answer: net/http would send an empty 200, and a client that has closed only its sending
		// half would read it.
		panic(http.ErrAbortHandler)
	}
	if f.Status == http.StatusInternalServerError {
		x.h.logger.Error("request failed", "error", err, "request_id", x.requestID)
	}
	if s := x.use.Session(); s != nil {
		x.fn.Rule.Respond(x.w.Header(), x.grant(s))
	}
	x.w.Header().Set(requestIDHeader, x.requestID)
	if cause != nil || x.h.leaving.Load() { // the cancelled context is the connection's
		x.w.Header().Set("Connection", "close")
	}
	if werr := f.write(x.w, x.requestID); werr != nil && !errors.Is(werr, http.ErrBodyNotAllowed) {
		x.h.logger.Debug("error response not written", "error", werr, "request_id", x.requestID)
	}
}

// grant is what the response tells the client of its session.
func (x *exchange) grant(s *sessions.Session) affinity.Grant {
	return affinity.Grant{
		ID:     s.ID,
		Issue:  x.claim.Fresh || x.event.Kind == sessions.EventCreated,
		TTL:    s.TTL,
		Secure: x.client.scheme == "https",
	}
}

// finish releases what the exchange holds and records how it went. A failure in mid-body reaches no hook: ReverseProxy
// panics with http.ErrAbortHandler, which cuts the connection, as it must.
func (x *exchange) finish() {
	p := recover()
	if p != nil {
		x.aborted(p)
	}
	if x.inst != nil {
		x.inst.Release()
	}
	x.record()
	x.use.Release()
	if p != nil {
		panic(p)
	}
}

// aborted records a response that was cut: by the client, else by the instance, else by a fault of Limpet's own, which
// must not go unseen.
func (x *exchange) aborted(p any) {
	err, _ := p.(error)
	switch {
	case !errors.Is(err, http.ErrAbortHandler):
		x.code = codeInternal
		x.h.logger.Error("panic", "value", p, "stack", string(debug.Stack()), "request_id", x.requestID)
	case x.r.Context().Err() != nil:
		x.code = codeClientGone
	default:
		x.code = errBadGateway.Code
	}
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
		m.Error(x.code)
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
	case x.fn == nil || x.fn.Table == nil:
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

// eventHeader is the value of Limpet-Session-Event.
func eventHeader(e sessions.Event) string {
	if e.Kind == sessions.EventCreated {
		return "created"
	}
	var b strings.Builder
	b.WriteString(`rehomed; reason="`)
	b.WriteString(e.Reason)
	b.WriteString(`"; from="`)
	b.WriteString(e.From)
	b.WriteString(`"`)
	return b.String()
}
