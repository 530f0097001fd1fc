package api

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/limpet-proxy/limpet/api/signature"
	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// operation is what a method and path of a dialect mean.
type operation struct {
	name     string // the vendor's
	verb     Verb
	function string // whose it is, for the key's rights; "" for none that is known
	run      func(*call) (any, *dialects.Error)
	// repeatable says that run can tell whether the very call was done before (call.repeated), and then answers as it
	// was answered and changes nothing, or refuses it.
	repeatable bool
	invoke     bool // its body goes to an instance: run is not used
}

// call is one operation under way.
type call struct {
	*SessionAPI
	operation
	dialect dialects.Dialect
	w       http.ResponseWriter // for headers only
	r       *http.Request
	id      string // of the request
	caller  Caller
	body    []byte // whole; nil for an invocation that streams
	replay  string // what a signed request is known again by; "" for one that is not signed

	mayRepeat bool // an equal signed request could be another one
	repeated  bool // this signed request was carried out before
	hasSlot   bool // one of SessionAPI.held is this call's

	qualifier, session, instance string // for the audit, as soon as they are known
}

// serves says whether the path belongs to the session API.
func (a *SessionAPI) serves(r *http.Request) bool {
	_, _, ok := dialectOf(r)
	return ok
}

// dialectOf goes by the path. What an AWS SDK sends elsewhere, for an operation that is not offered, is answered in its
// words.
func dialectOf(r *http.Request) (dialects.Dialect, []string, bool) {
	segments, ok := dialects.Segments(r)
	if ok && isOwn(segments) {
		return dialects.Own, segments, true
	}
	if ok {
		if d, known := dialects.Of(segments); known {
			return d, segments, true
		}
	}
	authorization := r.Header.Get("Authorization")
	if !strings.HasPrefix(authorization, string(signature.SigV4)+" ") {
		return dialects.FC, nil, false
	}
	if strings.Contains(authorization, "/deadline/aws4_request") {
		return dialects.Deadline, nil, true
	}
	return dialects.AgentCore, nil, true
}

// route finds the operation. An error is for after the caller is known: who has no key learns nothing.
func (a *SessionAPI) route(d dialects.Dialect, r *http.Request, segments []string) (operation, *dialects.Error) {
	if inv, ok, err := dialects.ParseInvocation(r); ok {
		if err == nil && a.Invoke == nil {
			err = notFoundError()
		}
		return operation{name: string(inv.Operation), verb: Invoke, function: inv.Function, invoke: true}, err
	}
	switch d {
	case dialects.Own:
		return a.routeOwn(r.Method, segments)
	case dialects.AgentCore:
		return a.routeAgentCore(r.Method, segments)
	case dialects.Deadline:
		return a.routeDeadline(r.Method, segments)
	default:
		return a.routeFC(r.Method, segments)
	}
}

func notFoundError() *dialects.Error {
	return &dialects.Error{Code: dialects.CodeNotFound, Status: http.StatusNotFound, Message: "nothing is at this path"}
}

// ServeHTTP serves an operation of any dialect.
func (a *SessionAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d, segments, ok := dialectOf(r)
	if !ok {
		refuse(w, notFoundError())
		return
	}
	if a == nil {
		(&call{dialect: d, w: w, id: dialects.RequestID()}).refuse(conditionOf(sessions.ErrUnavailable))
		return
	}
	c := &call{SessionAPI: a, dialect: d, w: w, r: r, id: dialects.RequestID()}
	op, problem := a.route(d, r, segments)
	c.operation = op
	if refusal := c.authorize(problem); refusal != nil {
		if c.verb == Write && (len(c.caller.allow) > 0 || a.strangers.Allow()) {
			c.audit(refusal)
		}
		c.refuse(refusal)
		return
	}
	if c.invoke {
		a.Invoke.ServeHTTP(w, c.r)
		return
	}
	answer, refusal := c.run(c)
	if c.verb == Write {
		c.audit(refusal)
	}
	if refusal != nil {
		c.changedNothing()
		c.refuse(refusal)
		return
	}
	c.answer(answer)
}

// authorize finds out who calls, and whether they may. problem is what is wrong with the path.
func (c *call) authorize(problem *dialects.Error) *dialects.Error {
	if err := c.authenticate(); err != nil {
		return err
	}
	if problem != nil && c.function == "" {
		if !c.caller.May(c.verbOrRead(), AnyFunction) {
			return c.forbidden()
		}
		return problem
	}
	if !c.caller.May(c.verb, c.function) {
		return c.forbidden()
	}
	if problem != nil {
		return problem
	}
	if c.verb == Read {
		return nil
	}
	return c.firstTime()
}

// forbidden is the same to the letter whether there is such a function or not: that is none of this key's business.
func (c *call) forbidden() *dialects.Error {
	return denied("this key may not " + string(c.verbOrRead()) + " this function")
}

func (c *call) verbOrRead() Verb {
	if c.verb == "" {
		return Read
	}
	return c.verb
}

// refuse answers with an error in the dialect's words.
func (c *call) refuse(e *dialects.Error) {
	secure(c.w.Header())
	if c.dialect.Status(e) == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", "Bearer")
	}
	c.w.Header().Set(c.requestIDHeader(), c.id)
	_ = c.dialect.Write(c.w, c.id, e) // an error can only be that the client is gone
}

// requestIDHeader is where the answer has the request's ID.
func (c *call) requestIDHeader() string { return cmp.Or(c.dialect.RequestIDHeader(), "X-Request-Id") }

// answer answers with a body in the dialect's words.
func (c *call) answer(body any) {
	c.w.Header().Set(c.requestIDHeader(), c.id)
	writeJSON(c.w, http.StatusOK, body)
}
