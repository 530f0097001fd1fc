// Package signature verifies requests that a cloud's SDK has signed: ACS3-HMAC-SHA256 and AWS Signature Version 4.
//
// It keeps nothing: whose secret a key ID names, which functions that key may use and whether a request is a replay is
// for the caller to say. A request is Parsed, its key looked up, then Verified and found Fresh; a body whose hash the
// client claims in a header is then read through Signed.Body.
//
// Sources: Alibaba Cloud, "Request syntax and signature method V3"; AWS IAM User Guide, "Create a signed AWS API
// request". Where those leave open what a request's canonical form is, the vendors' SDKs decide; where two different
// requests would have one canonical form, and so one signature, the request is refused.
package signature

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Scheme is an algorithm, as the Authorization header names it.
type Scheme string

// The schemes that can be verified.
const (
	ACS3  Scheme = "ACS3-HMAC-SHA256" // Alibaba Cloud's
	SigV4 Scheme = "AWS4-HMAC-SHA256" // AWS's
)

// UnsignedPayload is the Signed.Payload of a request whose signature says nothing about its body.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

// DefaultWindow is how far a request's time may be from this machine's, either way: clocks differ, requests wait.
const DefaultWindow = 15 * time.Minute

// The conditions that requests are refused for. Each is wrapped, with a text that is fit for the client: it quotes
// neither a secret nor what the client sent.
var (
	// ErrMalformed means that the request is signed in a way that is ill-formed, ambiguous or not supported.
	ErrMalformed = errors.New("request signature malformed")
	// ErrMismatch means that the secret and the request do not make this signature.
	ErrMismatch = errors.New("request signature does not match")
	// ErrExpired means that the request was signed for another time.
	ErrExpired = errors.New("request signature expired")
	// ErrBody means that the body is not the one that was signed.
	ErrBody = errors.New("request body is not the one that was signed")
)

// Signed is what a request says of its signature. Nothing in it is to be trusted before Verify. It is immutable and
// safe for concurrent use.
type Signed struct {
	Scheme Scheme
	// KeyID names the key whose secret signed the request. The signature does not cover it, so two keys must never
	// share a secret.
	KeyID string
	// Region and Service are SigV4's scope, "" for ACS3. They are part of the key derivation: a signature for one
	// service does not match for another, whatever the caller makes of the names.
	Region, Service string
	// Time is when the request was signed, in UTC: x-acs-date; X-Amz-Date, or Date where a SigV4 client sends that alone.
	Time time.Time
	// Nonce is ACS3's x-acs-signature-nonce, different for each request of a key; "" for SigV4. Of two requests with one
	// KeyID and Nonce, the second is a replay as long as it is fresh, so for twice the window.
	Nonce string
	// Signature is 64 lower-case hex digits, and no other spelling of them verifies: of SigV4 it can serve as the nonce.
	// Two equal SigV4 requests that are signed in one second have the same one.
	Signature string
	// Payload is the SHA-256 of the body that the client claims in a signed header, in lower-case hex: read the body
	// through Body. Or UnsignedPayload. Or "", for a SigV4 request without X-Amz-Content-Sha256, as AWS's SDKs for Go
	// and Python send them: then read the body first, for Verify needs its hash.
	Payload string

	headers []string // the names that are signed, sorted
}

// Signs says whether the signature covers the header with that name. What a request is routed by should be covered.
func (s Signed) Signs(header string) bool {
	_, found := slices.BinarySearch(s.headers, strings.ToLower(header))
	return found
}

// Fresh says with ErrExpired if the request was signed more than window before or after now. Until it is no longer
// fresh, that is until Time plus window, a replay has to be known by its Nonce or Signature.
func (s Signed) Fresh(now time.Time, window time.Duration) error {
	off := now.Sub(s.Time)
	switch {
	case off > window:
		return fmt.Errorf("%w: it was signed more than %v ago by this clock, which says %s", ErrExpired, window, clock(now))
	case off < -window:
		return fmt.Errorf("%w: it was signed for more than %v from now by this clock, which says %s", ErrExpired, window, clock(now))
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func malformed(problem string) error { return fmt.Errorf("%w: %s", ErrMalformed, problem) }

// rules are what the two schemes do differently.
type rules struct {
	prefix   string // of the headers that all have to be signed
	required []string
	// date returns when a request says that it was signed.
	date func(*http.Request) (time.Time, error)
	// payload is the header with the body's hash; unsigned says that it may be UnsignedPayload.
	payload  string
	unsigned bool
	value    func(string) string // the canonical form of a header's value
	path     func(string) (string, error)
	query    func([]parameter) (string, error)
	sign     func(s Signed, secret []byte, canonical string) string
}

func (s Signed) rules() rules {
	if s.Scheme == ACS3 {
		return acs3()
	}
	return sigV4()
}
