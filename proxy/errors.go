package proxy

import (
	"errors"
	"net/http"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// Failure is a response that Limpet makes itself: a code of the documented table, its status, and a text that is fit
// for the client. It never names an instance's address.
type Failure = dialects.Error

func failure(code dialects.Code, status int, message string) *Failure {
	return &Failure{Code: code, Status: status, Message: message}
}

// statusClientGone is what logs and metrics say of a request whose client left. It is nginx's number; nobody reads it
// on the wire.
const statusClientGone = 499

const codeClientGone dialects.Code = "ClientGone" // in logs only

// The failures that the data plane answers with.
var (
	errConnect           = failure(dialects.CodeInvalidArgument, http.StatusBadRequest, "CONNECT is not served here")
	errPreface           = failure(dialects.CodeInvalidArgument, http.StatusBadRequest, "HTTP/2 without TLS is not served here")
	errUpgrade           = failure(dialects.CodeInvalidArgument, http.StatusBadRequest, "the header Upgrade is ill-formed")
	errClientGone        = failure(codeClientGone, statusClientGone, "nobody waits for an answer")
	errFunctionNotFound  = failure(dialects.CodeFunctionNotFound, http.StatusNotFound, "no function matches this host and path")
	errSessionExpired    = failure(dialects.CodeSessionExpired, http.StatusGone, "the session has ended and its ID may not be used again; begin a new one")
	errSessionNotFound   = failure(dialects.CodeSessionNotFound, http.StatusNotFound, "no active session has this ID; begin a new one")
	errSessionEnded      = failure(dialects.CodeSessionExpired, http.StatusGone, "the session was ended while it served this request")
	errDrained           = failure(dialects.CodeInstanceUnavailable, http.StatusServiceUnavailable, "the session's instance has drained while it served this request")
	errResourceExhausted = failure(dialects.CodeResourceExhausted, http.StatusTooManyRequests, "the session's instance serves as many requests as it may")
	errBusy              = failure(dialects.CodeResourceExhausted, http.StatusTooManyRequests, "every healthy instance serves as many requests as it may")
	errNoCapacity        = failure(dialects.CodeNoCapacity, http.StatusServiceUnavailable, "no instance has a free session slot")
	errInstanceDown      = failure(dialects.CodeInstanceUnavailable, http.StatusServiceUnavailable, "the session's instance is unavailable")
	errNoHealthyInstance = failure(dialects.CodeInstanceUnavailable, http.StatusServiceUnavailable, "no instance of the function is healthy")
	errStoreUnavailable  = failure(dialects.CodeStoreUnavailable, http.StatusServiceUnavailable, "the session table cannot answer")
	errStarting          = failure(dialects.CodeStoreUnavailable, http.StatusServiceUnavailable, "this proxy is starting: the session table has not answered yet")
	errBadGateway        = failure(dialects.CodeBadGateway, http.StatusBadGateway, "the instance failed while it served the request")
	errIssuedID          = failure(dialects.CodeBadGateway, http.StatusBadGateway, "the instance issued a session ID that can be none")
	errIssuedTwice       = failure(dialects.CodeBadGateway, http.StatusBadGateway, "the instance issued a session ID that another session has")
	errReservationOver   = failure(dialects.CodeNoCapacity, http.StatusServiceUnavailable, "the instance took so long that the session's slot is not kept any more")
	errIsolated          = failure(dialects.CodeInvalidArgument, http.StatusBadRequest, "each instance is one session's alone: accepted are requests that have a session or begin one")
	errGatewayTimeout    = failure(dialects.CodeGatewayTimeout, http.StatusGatewayTimeout, "the instance did not answer in time")
	errBadBody           = failure(dialects.CodeInvalidArgument, http.StatusBadRequest, "the request's body is ill-formed")
	errShuttingDown      = failure(dialects.CodeInstanceUnavailable, http.StatusServiceUnavailable, "this proxy is shutting down")
)

// failures turns the conditions of lower layers into failures. The first that matches wins.
var failures = []struct {
	condition error
	failure   *Failure
}{
	{sessions.ErrIDReuse, errSessionExpired},
	{sessions.ErrNotFound, errSessionNotFound},
	{sessions.ErrNoInstance, errNoHealthyInstance},
	{sessions.ErrFull, errNoCapacity},
	{sessions.ErrHomeUnavailable, errInstanceDown},
	{sessions.ErrUnavailable, errStoreUnavailable},
	{sessions.ErrCorrupt, errStoreUnavailable},
}

// failureOf is the failure that tells the client of err.
func failureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, affinity.ErrInvalid) {
		return failure(dialects.CodeInvalidArgument, http.StatusBadRequest, err.Error())
	}
	for _, m := range failures {
		if errors.Is(err, m.condition) {
			return m.failure
		}
	}
	return failure(dialects.CodeInternalError, http.StatusInternalServerError, "internal error")
}
