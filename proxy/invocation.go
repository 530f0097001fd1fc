package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// maxProtocolID is the length in bytes of the longest session ID in a header of AgentCore's, by its API reference.
const maxProtocolID = 256

// What an instance is told of an InvokeFunction, as Function Compute tells a custom runtime.
const (
	fcHeaders        = "x-fc-" // the prefix of its headers
	fcInvocationType = "X-Fc-Invocation-Type"
	fcSync           = "Sync"
	fcAsync          = "Async"
	fcLatestVersion  = "0"
	fcInvoke         = "/invoke" // the control path of every invocation
)

var (
	errNoInvocation   = failure(dialects.CodeNotFound, http.StatusNotFound, "this path invokes nothing")
	errInvocationType = dialects.Invalid(fcInvocationType, "accepted is Sync, or to leave the header out")
	errAsync          = dialects.Invalid(fcInvocationType,
		"sessions do not exist for asynchronous invocations, accepted is Sync, or to leave the header out")
)

// match finds the function: the one that an invocation names, else that of host and path.
func (x *exchange) match() (*Function, error) {
	inv, ok, bad := dialects.ParseInvocation(x.r)
	if ok {
		x.speak(inv.Dialect)
	}
	switch {
	case x.plane.Routes == nil:
		return nil, errStarting
	case ok:
		return x.matchInvocation(inv, bad)
	case x.admin:
		return nil, errNoInvocation
	}
	if fn := x.plane.Routes.Match(x.r); fn != nil {
		return x.routed(fn), nil
	}
	return nil, errFunctionNotFound
}

// routed is a function that host and path name. Its clients understand its own protocol.
func (x *exchange) routed(fn *Function) *Function {
	x.dialect = ownDialect(x.r)
	switch fn.Config.Affinity.Type {
	case sessions.AffinityMCPStreamable, sessions.AffinityMCPSSE:
		x.dialect = dialects.MCP
	}
	return fn
}

// matchInvocation finds the function that an invocation names, if it may be invoked here. Another's path is routed like
// any other; where it is nobody's either, the answer is in the words of its dialect. bad is what is wrong with it.
func (x *exchange) matchInvocation(inv dialects.Invocation, bad *dialects.Error) (*Function, error) {
	fn := x.plane.Routes.Named(inv.Function, inv.Qualifier)
	here := fn != nil && (x.admin || fn.Config.Invoke)
	if !here && !x.admin {
		if other := x.plane.Routes.Match(x.r); other != nil {
			return x.routed(other), nil
		}
	}
	switch {
	case bad != nil:
		return nil, bad
	case !here:
		return nil, dialects.FunctionNotFound(inv.Function, inv.Qualifier)
	}
	x.inv = inv
	return fn, x.refusal()
}

// speak makes the dialect's words those of the answer. Function Compute's request IDs have a form of their own; one that
// the caller gave stays.
func (x *exchange) speak(d dialects.Dialect) {
	x.dialect = d
	if given := x.r.Header[requestIDHeader]; d == dialects.FC && (len(given) != 1 || given[0] != x.requestID) {
		x.requestID = dialects.RequestID()
	}
}

// refusal is why the invocation cannot be served.
func (x *exchange) refusal() error {
	if x.inv.Operation != dialects.InvokeFunction {
		return nil
	}
	for _, kind := range x.r.Header[fcInvocationType] {
		switch {
		case strings.EqualFold(kind, fcAsync):
			return errAsync
		case !strings.EqualFold(kind, fcSync):
			return errInvocationType
		}
	}
	return nil
}

func (x *exchange) isInvocation() bool { return x.inv.Operation != "" }

// hasOwnHeader says whether the session is named by the operation's own header. An MCP server on AgentCore's runtime names
// its sessions itself, and clients send both IDs: only the server's tells where the state is, since an SDK makes up another
// runtime session ID for each call.
func (x *exchange) hasOwnHeader(fn *Function) bool {
	if fn.Config.Affinity.Type == sessions.AffinityMCPStreamable && x.inv.Operation == dialects.InvokeAgentRuntime {
		return false
	}
	return fn.Table != nil && x.inv.SessionHeader() != ""
}

// ruleOf is the rule of this exchange.
func (x *exchange) ruleOf(fn *Function) affinity.Rule {
	if !x.hasOwnHeader(fn) {
		return fn.Rule
	}
	return affinity.Protocol{
		Header: x.inv.SessionHeader(), MaxID: maxProtocolID,
		// AgentCore's clients start a code interpreter's session by a call of their own; to answer one that has ended
		// with an empty one would hide that its files are gone.
		Existing: x.inv.Operation == dialects.InvokeCodeInterpreter,
		// Its SDKs refuse a shorter one before they send it.
		LongIDs: x.inv.Operation == dialects.InvokeAgentRuntime,
	}.Over(fn.Rule)
}

// invocationURL makes u, the URL of the request to the instance, that of the function's invocations. What the query says
// to Limpet stays here, the rest passes byte for byte.
func (x *exchange) invocationURL(u *url.URL, rawQuery string) {
	u.Path, u.RawPath, u.ForceQuery = x.fn.Config.InvokePath, "", false
	u.RawQuery = dialects.DropParameters(rawQuery, func(name string) bool {
		return name == "qualifier" || name == "accountId" || x.admin && isCredentialParameter(name)
	})
}

// isCredentialParameter says whether a parameter is of a signature in the query, or can be taken for one.
func isCredentialParameter(name string) bool { return begins(name, "x-amz-") || begins(name, "x-acs-") }

// isCredential says whether a header is of the authentication on the admin listener: whoever reads it in an instance
// could use it there.
func isCredential(name string) bool {
	switch name {
	case "Authorization", "X-Amz-Security-Token", "X-Amz-Date", "X-Amz-Content-Sha256":
		return true
	}
	return begins(name, "x-acs-") || begins(name, "amz-sdk-")
}

// stripInvocation takes out of an invocation's headers or trailers what is for Limpet, and what only Limpet may say to the
// instance.
func (x *exchange) stripInvocation(h http.Header) {
	fc, own := x.inv.Dialect == dialects.FC, x.hasOwnHeader(x.fn)
	for name := range h {
		switch {
		case fc && begins(name, fcHeaders), x.admin && isCredential(name):
			delete(h, name)
		case own && (sameName(name, dialects.RuntimeSessionHeader) || sameName(name, dialects.InterpreterSessionHeader)):
			delete(h, name)
		}
	}
}

// tellInvocation tells the instance what Function Compute would.
func (x *exchange) tellInvocation(h http.Header) {
	if x.inv.Operation != dialects.InvokeFunction {
		return
	}
	version := x.inst.Home().Version // of an alias, the one that serves the session
	if version == sessions.LatestQualifier {
		version = fcLatestVersion
	}
	h.Set(dialects.FCRequestIDHeader, x.requestID)
	h.Set("X-Fc-Function-Name", x.inv.Function)
	h.Set("X-Fc-Qualifier", x.inv.Qualifier)
	h.Set("X-Fc-Version-Id", version)
	h.Set("X-Fc-Control-Path", fcInvoke)
}
