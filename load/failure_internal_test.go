package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

func TestWhyAnAttemptFailed(t *testing.T) {
	op := func(err error) error { return &net.OpError{Op: "read", Err: os.NewSyscallError("read", err)} }
	for _, row := range []struct {
		got     failure
		reason  string
		timeout bool
	}{
		{dialFailed(op(syscall.ECONNREFUSED)), "connection refused", false},
		{dialFailed(context.DeadlineExceeded), "no connection in time", true},
		{dialFailed(&net.OpError{Err: os.ErrDeadlineExceeded}), "no connection in time", true},
		{dialFailed(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), "no connection by TLS", false},
		{dialFailed(tls.RecordHeaderError{Msg: "x"}), "no connection by TLS", false},
		{dialFailed(op(syscall.EHOSTUNREACH)), "no connection", false},
		{answerLost(os.ErrDeadlineExceeded), "no response in time", true},
		{answerLost(op(syscall.ECONNRESET)), "connection closed before the response was whole", false},
		{answerLost(op(syscall.EPIPE)), "connection closed before the response was whole", false},
		{answerLost(io.ErrUnexpectedEOF), "connection closed before the response was whole", false},
		{answerLost(io.EOF), "connection closed before the response was whole", false},
		{answerLost(net.ErrClosed), "connection closed before the response was whole", false},
		{answerLost(wire.ErrHead), "no HTTP response", false},
		{answerLost(errors.New("malformed")), "no HTTP response", false},
	} {
		require.Equal(t, row.reason, row.got.reason)
		require.Equal(t, row.timeout, row.got.timeout, row.reason)
		require.True(t, row.got.retriable)
		require.NotEmpty(t, row.got.text)
	}
	// The error may repeat what the target has sent.
	long := answerLost(fmt.Errorf("malformed: %q", strings.Repeat("é", 10_000)))
	require.LessOrEqual(t, len(long.text), maxText+2)
	require.True(t, utf8.ValidString(long.text))
}

func TestRefused(t *testing.T) {
	for status, retriable := range map[int]bool{
		101: false, 400: false, 404: false, 408: false, 410: false, 429: true, 500: false, 501: false, 502: true, 503: true, 504: true, 505: false, 999: false,
	} {
		f := refused(wire.Response{Status: status})
		require.Equal(t, fmt.Sprintf("status %d", status), f.reason)
		require.Equal(t, retriable, f.retriable, status)
		require.False(t, f.timeout)
	}
	for _, status := range []int{200, 204, 299, 301, 304, 399} {
		require.Zero(t, refused(wire.Response{Status: status, Header: http.Header{errorHeader: {"NoCapacity"}}, Body: []byte("x")}))
	}
}

// TestReasonsAreNotTheTargets: a target that could choose them would fill the report.
func TestReasonsAreNotTheTargets(t *testing.T) {
	for code, reason := range map[string]string{
		"NoCapacity": "status 503 NoCapacity", "": "status 503", "a b": "status 503", "x\n": "status 503", "a1": "status 503", strings.Repeat("a", 41): "status 503",
	} {
		f := refused(wire.Response{Status: 503, Header: http.Header{errorHeader: {code}}, Body: []byte(" why \n")})
		require.Equal(t, reason, f.reason)
		require.Equal(t, reason+": why", f.text)
	}
	f := refused(wire.Response{Status: 503, Body: []byte(strings.Repeat("x", maxText-1) + "é" + "more")})
	require.LessOrEqual(t, len(f.text), len("status 503: ")+maxText+2)
	require.True(t, utf8.ValidString(f.text))
	require.NotContains(t, f.text, "more")
	require.Equal(t, "status 503", refused(wire.Response{Status: 503, Body: []byte(" \n ")}).text)
}

func TestRetryWait(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": DefaultRetryWait, "0": 0, "1": time.Second, "9": 9 * time.Second, "10": MaxRetryWait, "11": MaxRetryWait, "10000000000": MaxRetryWait,
		"9223372036854775807": MaxRetryWait, "9223372036854775808": DefaultRetryWait, "-1": DefaultRetryWait, "1.5": DefaultRetryWait,
		"Thu, 01 Jan 1970 00:00:00 GMT": DefaultRetryWait,
	} {
		require.Equal(t, want, retryWait(http.Header{"Retry-After": {text}}), text)
	}
	require.Equal(t, DefaultRetryWait, retryWait(http.Header{}))
}
