package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// wrongListener says what to do when something else than the admin plane has answered.
const wrongListener = "give the admin listener's address with --admin or LIMPET_ADMIN"

// apiError is a refusal in the admin plane's words.
type apiError struct {
	Code      string `json:"Code"`
	Message   string `json:"Message"`
	RequestID string `json:"RequestId"`
	status    int
	advice    string // what to do; "" where the message says it
}

// Error is one line. What the server wrote cannot reach beyond it.
func (e *apiError) Error() string {
	text := fmt.Sprintf("%s (%d %s", printable(e.Message), e.status, printable(e.Code))
	if e.RequestID != "" {
		text += ", request " + printable(e.RequestID)
	}
	text += ")"
	if e.advice != "" {
		text += ": " + e.advice
	}
	return text
}

// isCode says whether err is the admin plane's refusal with that code.
func isCode(err error, code string) bool {
	var e *apiError
	return errors.As(err, &e) && e.Code == code
}

// refused is the error of an answer that is no success.
func (c *adminClient) refused(r apiRequest, a apiAnswer) error {
	e := &apiError{status: a.status}
	if json.Unmarshal(a.body, e) != nil || e.Code == "" {
		return c.foreign(a)
	}
	if e.Message == "" {
		e.Message = "refused"
	}
	wait := retryAfter(a.header)
	switch {
	case a.status == http.StatusUnauthorized && c.secret == "":
		e.advice = "name the file of a key's secret with --key-file, or put the secret into LIMPET_KEY"
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden && c.secret != "":
		e.advice = "the key is that of " + c.keyNamed
	case a.status == http.StatusForbidden:
		e.advice = "no key was sent, see --key-file and LIMPET_KEY"
	case a.status == http.StatusNotFound && r.path == functionsPath:
		e.advice = wrongListener
	case wait > 0:
		e.advice = fmt.Sprintf("try again in %d s", int64(wait.Seconds()))
	}
	return e
}

// foreign is the error of an answer that is not in the session API's words.
func (c *adminClient) foreign(a apiAnswer) error {
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if kind == "" {
		kind = "no content type"
	}
	if to := a.header.Get("Location"); to != "" && a.status/100 == 3 {
		kind = "a redirect to " + to
	}
	return fmt.Errorf("%s answered %d with %s, which is not the session API's: %s", c.base, a.status, printable(kind), wrongListener)
}

// unreachable is the error of a request that got no answer, or not the whole of one.
func (c *adminClient) unreachable(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, of which base says enough
	}
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: connection refused: is limpet serve running? If elsewhere, %s", c.base, wrongListener)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("%s: no answer within %v: is it overloaded? --timeout waits longer", c.base, c.timeout)
	}
	return fmt.Errorf("%s: %w: is that the admin listener? If not, %s", c.base, oneLine{err}, wrongListener)
}

// oneLine shows an error that may quote what a server sent.
type oneLine struct{ err error }

func (e oneLine) Error() string { return printable(e.err.Error()) }
func (e oneLine) Unwrap() error { return e.err }
