package api

import (
	"errors"
	"net/http"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// conditions turns what the table and the store answer into what a client is told. The first that matches wins.
var conditions = []struct {
	err error
	dialects.Error
}{
	{sessions.ErrExists, dialects.Error{Code: dialects.CodeSessionAlreadyExists, Status: http.StatusConflict, Message: "a session with this ID is active"}},
	{sessions.ErrNotFound, dialects.Error{Code: dialects.CodeSessionNotFound, Status: http.StatusNotFound, Message: "there is no such active session"}},
	{sessions.ErrIDReuse, dialects.Error{Code: dialects.CodeSessionExpired, Status: http.StatusGone, Message: "the session has ended and its ID may not be used again"}},
	{sessions.ErrMismatch, dialects.Error{
		Code: dialects.CodeInvalidArgument, Status: http.StatusBadRequest, Field: "clientToken", Reason: dialects.ReasonMismatch,
		Message: "this clientToken was used before with other arguments",
	}},
	{sessions.ErrMoved, dialects.Error{Code: dialects.CodeInstanceUnavailable, Status: http.StatusServiceUnavailable, Message: "the session is being moved, try again"}},
	{sessions.ErrNoInstance, dialects.Error{Code: dialects.CodeInstanceUnavailable, Status: http.StatusServiceUnavailable, Message: "no instance of the function is healthy"}},
	{sessions.ErrFull, dialects.Error{
		Code: dialects.CodeNoCapacity, Status: http.StatusServiceUnavailable, Message: "no instance has a free session slot",
		Resource: dialects.Resource{Type: "session"},
	}},
	{sessions.ErrUnknownInstance, dialects.Error{
		Code: dialects.CodeNotFound, Status: http.StatusNotFound, Message: "there is no such instance, as far as any replica has reported",
		Resource: dialects.Resource{Type: "instance"},
	}},
	{sessions.ErrUnavailable, dialects.Error{Code: dialects.CodeStoreUnavailable, Status: http.StatusServiceUnavailable, Message: "the session table cannot answer"}},
	{sessions.ErrCorrupt, dialects.Error{Code: dialects.CodeStoreUnavailable, Status: http.StatusServiceUnavailable, Message: "the session table cannot answer"}},
}

// conditionOf is what the client is told of err.
func conditionOf(err error) *dialects.Error {
	for _, c := range conditions {
		if errors.Is(err, c.err) {
			told := c.Error
			return &told
		}
	}
	return &dialects.Error{Code: dialects.CodeInternalError, Status: http.StatusInternalServerError, Message: "internal error"}
}

// sessionCondition is conditionOf, and says which session.
func sessionCondition(err error, id string) *dialects.Error {
	told := conditionOf(err)
	if told.Resource.Type == "" {
		told.Resource = dialects.Resource{Type: "session", ID: id}
	}
	return told
}
