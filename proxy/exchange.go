package proxy

import (
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// maxTries bounds how many homes one request is offered: the first, and others when a dial was refused.
const maxTries = 4

// flushWithin is how long bytes of a response whose length is known may wait for more to leave with, its head too. Those of
// a response of unknown length, and of an event stream, never wait: ReverseProxy flushes them one by one.
const flushWithin = 5 * time.Millisecond

// exchange is one request and its response. Its methods are the hooks of an httputil.ReverseProxy.
type exchange struct {
	h         *Handler
	plane     *Plane // in force when the request came
	w         http.ResponseWriter
	r         *http.Request // as it came; its body is watched; nil in a tunnel
	fn        *Function     // nil until matched
	client    client
	method    string // as r has it, for the log: a tunnel has no r
	path      string
	requestID string

	admin   bool                // came through Handler.Invoke
	dialect dialects.Dialect    // in whose words failures are
	inv     dialects.Invocation // zero for a request that is routed by host and path

	rule   affinity.Rule // the function's, or a protocol's over it
	claim  affinity.Claim
	use    sessions.Use
	life   bool                // of the session is that of this response
	broke  *Failure            // for which Limpet broke off the response
	watch  *guard              // nil without a session
	inst   *instances.Instance // dialled, and acquired
	event  sessions.Event      // that this exchange announces
	body   *watchedBody        // nil without a request body
	tenure tenure
	idle   *streamIdle // nil where connections have an idle time of their own

	tries     int
	connected atomic.Bool // a connection to an instance was obtained: something may have been sent
	switched  *switched   // the instance has answered with a 101, of which the client does not know yet
	tunnel    *tunnel     // what the client's connection has become; the exchange is over when this is

	begun, sent, answered time.Time
	status                int           // that the client got
	code                  dialects.Code // of the failure that Limpet answered with
}

func newExchange(h *Handler, w http.ResponseWriter, r *http.Request) *exchange {
	h.inFlight.Add(1)
	plane := h.current(r.Context())
	x := &exchange{
		h: h, plane: plane, w: w, r: r, begun: time.Now(), client: plane.Trusted.client(r), requestID: requestID(r),
		method: r.Method, path: r.URL.Path, dialect: ownDialect(r),
	}
	if r.Body != nil && r.Body != http.NoBody {
		x.body = &watchedBody{ReadCloser: r.Body, trailer: r.Trailer, x: x}
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
	if x.r.Method == prefaceMethod {
		return errPreface
	}
	if strings.ContainsFunc(x.r.Header.Get("Upgrade"), func(r rune) bool { return r < ' ' || r > '~' }) {
		return errUpgrade // ReverseProxy would refuse it too, as the instance's failure
	}
	fn, err := x.match()
	if err != nil {
		return err
	}
	x.fn, x.rule, x.path = fn, x.ruleOf(fn), fn.Config.Affinity.HideID(x.path)
	x.fn.Metrics.InFlight(1)
	if c := x.conn(); c != nil {
		c.setIdle(x.fn.Config.Timeouts.Idle)
	} else {
		x.watchIdle()
	}
	if x.claim, err = x.rule.Extract(x.r); err != nil {
		return err
	}
	if x.fn.Table == nil {
		return nil
	}
	return x.hold()
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
	x.idle.start()
	x.sent = time.Now()
	proxy := httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      x,
		ModifyResponse: x.modifyResponse,
		ErrorHandler:   x.roundTripFailed,
		BufferPool:     &x.h.buffers,
		FlushInterval:  flushWithin,
		ErrorLog:       x.h.quiet,
	}
	proxy.ServeHTTP(x.w, x.r)
	if x.switched != nil {
		x.switchProtocols()
	}
}

// acquire takes one of the request slots of the instance that the request goes to.
func (x *exchange) acquire() error {
	s := x.use.Session()
	if s == nil {
		return x.pick()
	}
	inst, ok := x.fn.Pool.Lookup(s.Home)
	if !ok {
		return errInstanceDown
	}
	if !inst.Acquire() {
		return errResourceExhausted // never moved: its state is where it is
	}
	x.inst = inst
	return nil
}

// pick chooses an instance for a request without a session.
func (x *exchange) pick() error {
	inst, ok := x.fn.Pool.Pick((*instances.Instance).Full)
	if ok && inst.Acquire() {
		x.inst = inst
		return nil
	}
	if _, healthy := x.fn.Pool.Pick(nil); healthy {
		return errBusy
	}
	return errNoHealthyInstance
}
