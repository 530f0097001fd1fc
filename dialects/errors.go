package dialects

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// Code is what went wrong, in Limpet's words: the value of the header Limpet-Error.
type Code string

// The codes that more than one package answers with. Each dialect's file has the table of its words for them.
const (
	CodeInvalidArgument      Code = "InvalidArgument"
	CodeInvalidAccessKeyID   Code = "InvalidAccessKeyID" // there is no key, or none with this ID
	CodeSignatureNotMatch    Code = "SignatureNotMatch"
	CodeAccessDenied         Code = "AccessDenied"
	CodeNotFound             Code = "NotFound" // nothing is at this path
	CodeFunctionNotFound     Code = "FunctionNotFound"
	CodeSessionNotFound      Code = "SessionNotFound"
	CodeMethodNotAllowed     Code = "MethodNotAllowed"
	CodeSessionAlreadyExists Code = "SessionAlreadyExists"
	CodeSessionExpired       Code = "SessionExpired"
	CodeEntityTooLarge       Code = "EntityTooLarge"
	CodeThrottling           Code = "Throttling" // a key's rate
	CodeResourceExhausted    Code = "ResourceExhausted"
	CodeInternalError        Code = "InternalError"
	CodeNotSupported         Code = "NotSupported"
	CodeBadGateway           Code = "BadGateway"
	CodeGatewayTimeout       Code = "GatewayTimeout"
	CodeNoCapacity           Code = "NoCapacity"
	CodeInstanceUnavailable  Code = "InstanceUnavailable"
	CodeStoreUnavailable     Code = "StoreUnavailable"
)

// Resource is what an error is about, as AWS's clients are told it.
type Resource struct {
	Type string // function, session, …
	ID   string
}

// Error is a failure that a client is told: a code, its status in Limpet's words, and a text that is fit for the
// client. What is empty has a default in each dialect.
type Error struct {
	Code     Code
	Status   int
	Message  string
	Field    string // of an InvalidArgument: the parameter
	Reason   Reason // of an InvalidArgument or a conflict, where it is a special one
	Resource Resource
	Allow    string // of a MethodNotAllowed
	// RetryAfter is in seconds. 0 means DefaultRetryAfter where the status asks for one.
	RetryAfter int
}

// Reason tells errors of one code apart, for the dialects that do.
type Reason uint8

const (
	// ReasonNone is whatever the code is usually for.
	ReasonNone Reason = iota
	// ReasonMismatch means that a call's token was used before with other arguments.
	ReasonMismatch
	// ReasonUnparsable means that the body is not what it says it is.
	ReasonUnparsable
)

// DefaultRetryAfter is the Retry-After of every 503 and 429, in seconds: what they say may be over at the next probe or
// release, and the client has no better guess than soon.
const DefaultRetryAfter = 1

// Error is the code and message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Invalid is 400 InvalidArgument for a parameter.
func Invalid(field, problem string) *Error {
	return &Error{Code: CodeInvalidArgument, Status: http.StatusBadRequest, Message: field + ": " + problem, Field: field}
}

// FunctionNotFound is 404 for a function, or a qualifier of it.
func FunctionNotFound(name, qualifier string) *Error {
	return &Error{
		Code: CodeFunctionNotFound, Status: http.StatusNotFound,
		Message:  fmt.Sprintf("there is no function %.128q with qualifier %.128q", name, qualifier),
		Resource: Resource{"function", name},
	}
}

// MethodNotAllowed is 405; allow is for the header Allow (RFC 9110, section 15.5.6).
func MethodNotAllowed(allow string) *Error {
	return &Error{
		Code: CodeMethodNotAllowed, Status: http.StatusMethodNotAllowed, Message: "accepted is " + allow, Allow: allow,
	}
}

// Status is the status that Write answers e with.
func (d Dialect) Status(e *Error) int {
	switch {
	case d == GRPC:
		return http.StatusOK // of the call, HTTP's status says nothing
	case d.isAWS():
		return d.aws(e).status
	case d == MCP && e.Code == CodeSessionExpired:
		return http.StatusNotFound // only that makes a client initialise again
	case e.Status == 0:
		return http.StatusInternalServerError // net/http panics at a status that is none
	default:
		return e.Status
	}
}

func asksToRetry(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
}

// Write answers with e in the dialect's words. The request ID goes where the dialect has it. Other headers that say
// more are in w.Header() already. It returns the error of writing.
func (d Dialect) Write(w http.ResponseWriter, requestID string, e *Error) error {
	own := fcBody{e.Code, e.Message, requestID}
	status, body := d.Status(e), any(own)
	h := w.Header()
	h.Set("Limpet-Error", string(e.Code))
	switch {
	case d == GRPC:
		writeGRPC(w, e)
		return nil
	case d.isAWS():
		said := d.aws(e)
		body = said.body(d, e)
		h.Set("X-Amzn-Errortype", said.exception)
	case d == MCP:
		body = mcpBodyOf(e, own)
	}
	if name := d.RequestIDHeader(); name != "" {
		h.Set(name, requestID)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if e.Allow != "" {
		h.Set("Allow", e.Allow)
	}
	if e.RetryAfter > 0 || asksToRetry(status) || asksToRetry(e.Status) && status >= http.StatusInternalServerError {
		h.Set("Retry-After", strconv.Itoa(max(e.RetryAfter, DefaultRetryAfter)))
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode %s: %w", e.Code, err)
	}
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, err = w.Write(text)
	return err
}
