package signature

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// header returns the value that a signed header has in the request, and whether it is there once.
//
// A repeated one is refused, equal or not: the signature covers the values joined by commas, so it would not tell two
// headers from one, while those who read the first and those who read all would not see the same.
func header(r *http.Request, name string) (value string, ok bool) {
	switch name {
	case "host":
		return r.Host, r.Host != ""
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10), r.ContentLength >= 0
	case "transfer-encoding": // net/http takes it out of the header
		return strings.Join(r.TransferEncoding, ","), len(r.TransferEncoding) == 1
	}
	values := r.Header[http.CanonicalHeaderKey(name)]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// checkHeaders finds each name in the request, and each of the vendor's headers among the names: whoever could add one
// to a signed request would change what it means.
//
// AWS exempts x-amzn-trace-id only, which SDKs never sign, but gateways add other x-amzn-* headers, so none of those has
// to be signed: see Signed.Signs. X-Amz-User-Agent, of the SDK for JavaScript in browsers, is signed like all x-amz-*.
func (s rules) checkHeaders(r *http.Request, names []string) error {
	for _, name := range names {
		if _, ok := header(r, name); !ok {
			return malformed("a header in SignedHeaders is missing or repeated")
		}
	}
	for _, name := range s.required {
		if !slices.Contains(names, name) {
			return malformed("SignedHeaders must have " + name)
		}
	}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, s.prefix) && !slices.Contains(names, name) {
			return malformed("SignedHeaders must have every " + s.prefix + " header")
		}
	}
	return nil
}

// claimed returns the body's hash as the header says it; "" without one, which only SigV4 does not require.
func (s rules) claimed(r *http.Request) (string, error) {
	if len(r.Header.Values(s.payload)) == 0 {
		return "", nil
	}
	value := r.Header.Get(s.payload)
	switch {
	case isHash(value), s.unsigned && value == UnsignedPayload:
		return value, nil
	case strings.HasPrefix(value, "STREAMING-"):
		return "", malformed("payloads that are signed in chunks (STREAMING-...) are not supported")
	}
	return "", malformed(s.payload + " accepts a SHA-256 in lower-case hex")
}
