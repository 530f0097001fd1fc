package load

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/limpet-proxy/limpet/load/wire"
)

const (
	// errorHeader is where Limpet says why it did not pass a request on.
	errorHeader = "Limpet-Error"
	// maxText bounds what is kept of an error or of a failed response's body, in bytes: both may be the target's words.
	maxText = 500
	// maxErrorBody is the longest body of which anything is kept.
	maxErrorBody = 4 << 10
)

// failure is why an attempt did not succeed; the zero value is none.
type failure struct {
	reason    string // one of few
	text      string // in full
	timeout   bool
	retriable bool
}

// in returns the failure of something that a request begins with.
func (f failure) in(step string) failure {
	if f.reason != "" {
		f.reason, f.text = step+": "+f.reason, step+": "+f.text
	}
	return f
}

// dialFailed is the failure to connect: nothing was sent.
func dialFailed(err error) failure {
	f := failure{reason: "no connection", text: excerpt(err.Error()), retriable: true}
	var secured *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		f.reason = "connection refused"
	case isTimeout(err):
		f.reason, f.timeout = "no connection in time", true
	case errors.As(err, &secured), errors.As(err, &record):
		f.reason = "no connection by TLS"
	}
	return f
}

// answerLost is the failure of an exchange: the request may have been executed.
func answerLost(err error) failure {
	f := failure{reason: "no HTTP response", text: excerpt(err.Error()), retriable: true}
	switch {
	case isTimeout(err):
		f.reason, f.timeout = "no response in time", true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		f.reason = "connection closed before the response was whole"
	}
	return f
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// errorCode is what a reason repeats of errorHeader: more would let the target choose the report's lines.
var errorCode = regexp.MustCompile(`^[A-Za-z]{1,40}$`)

// refused is the failure that a response's status tells of; the zero value where it tells of none.
func refused(r wire.Response) failure {
	if r.Status >= 200 && r.Status < 400 {
		return failure{}
	}
	f := failure{reason: fmt.Sprintf("status %d", r.Status), retriable: slices.Contains([]int{
		http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}, r.Status)}
	if code := r.Header.Get(errorHeader); errorCode.MatchString(code) {
		f.reason += " " + code
	}
	f.text = f.reason
	if body := strings.TrimSpace(string(r.Body)); body != "" {
		f.text += ": " + excerpt(body)
	}
	return f
}

// excerpt is the beginning of a text, in UTF-8.
func excerpt(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "\uFFFD")
}

// retryWait is how long to wait before another attempt.
func retryWait(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return DefaultRetryWait
	}
	return time.Duration(min(seconds, int(MaxRetryWait/time.Second))) * time.Second
}
