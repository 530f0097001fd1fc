package proxy

import (
	"errors"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/instances"
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
