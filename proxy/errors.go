package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

// Failure is a response that Limpet makes itself: a code of the documented table, its status, and a text that is fit
// for the client. It never names an instance's address.
type Failure struct {
	Code    string
	Status  int
	Message string
}

// Error is the failure's code and message.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// retryAfter is the Retry-After of every 503 and 429, in seconds: what they say may be over at the next probe or
// release, and the client has no better guess than soon.
const retryAfter = 1

// statusClientGone is what logs and metrics say of a request whose client left. It is nginx's number; nobody reads it
// on the wire.
const statusClientGone = 499

const (
	codeClientGone = "ClientGone" // in logs only
	codeInternal   = "InternalError"
)

// The failures that the data plane answers with.
var (
	errConnect           = &Failure{"InvalidArgument", http.StatusBadRequest, "CONNECT is not served here"}
	errUpgrade           = &Failure{"InvalidArgument", http.StatusBadRequest, "the header Upgrade is ill-formed"}
	errClientGone        = &Failure{codeClientGone, statusClientGone, "nobody waits for an answer"}
	errFunctionNotFound  = &Failure{"FunctionNotFound", http.StatusNotFound, "no function matches this host and path"}
	errSessionExpired    = &Failure{"SessionExpired", http.StatusGone, "the session has ended and its ID may not be used again; begin a new one"}
	errResourceExhausted = &Failure{"ResourceExhausted", http.StatusTooManyRequests, "the session's instance serves as many requests as it may"}
	errBusy              = &Failure{"ResourceExhausted", http.StatusTooManyRequests, "every healthy instance serves as many requests as it may"}
	errNoCapacity        = &Failure{"NoCapacity", http.StatusServiceUnavailable, "no instance has a free session slot"}
	errInstanceDown      = &Failure{"InstanceUnavailable", http.StatusServiceUnavailable, "the session's instance is unavailable"}
	errNoHealthyInstance = &Failure{"InstanceUnavailable", http.StatusServiceUnavailable, "no instance of the function is healthy"}
	errStoreUnavailable  = &Failure{"StoreUnavailable", http.StatusServiceUnavailable, "the session table cannot answer"}
	errStarting          = &Failure{"StoreUnavailable", http.StatusServiceUnavailable, "this proxy is starting: the session table has not answered yet"}
	errBadGateway        = &Failure{"BadGateway", http.StatusBadGateway, "the instance failed while it served the request"}
	errGatewayTimeout    = &Failure{"GatewayTimeout", http.StatusGatewayTimeout, "the instance did not answer in time"}
	errBadBody           = &Failure{"InvalidArgument", http.StatusBadRequest, "the request's body is ill-formed"}
	errShuttingDown      = &Failure{"InstanceUnavailable", http.StatusServiceUnavailable, "this proxy is shutting down"}
)

// failures turns the conditions of lower layers into failures. The first that matches wins.
var failures = []struct {
	condition error
	failure   *Failure
}{
	{sessions.ErrIDReuse, errSessionExpired},
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
		return &Failure{"InvalidArgument", http.StatusBadRequest, err.Error()}
	}
	for _, m := range failures {
		if errors.Is(err, m.condition) {
			return m.failure
		}
	}
	return &Failure{codeInternal, http.StatusInternalServerError, "internal error"}
}

// errorBody is the JSON body of a failure, in Function Compute's words.
type errorBody struct {
	Code      string `json:"Code"`
	Message   string `json:"Message"`
	RequestID string `json:"RequestId"`
}

// write sends the failure. Headers that say more, such as the session's, are in w.Header() already.
func (f *Failure) write(w http.ResponseWriter, requestID string) error {
	body, err := json.Marshal(errorBody{f.Code, f.Message, requestID})
	if err != nil {
		return fmt.Errorf("encode %s: %w", f.Code, err)
	}
	h := w.Header()
	h.Set("Limpet-Error", f.Code)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if f.Status == http.StatusServiceUnavailable || f.Status == http.StatusTooManyRequests {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.WriteHeader(f.Status)
	_, err = w.Write(body)
	return err
}
