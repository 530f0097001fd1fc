package signature

import (
	"net/http"
	"strings"
)

// The bounds of what a client may send. SDKs stay far below each.
const (
	maxAuthorization = 8 << 10 // bytes
	maxHeaders       = 64      // names in SignedHeaders
	maxName          = 128     // bytes in a header's name, a key ID, a nonce, a region or a service
	maxParameters    = 256     // in a query
)

// Parse reads how a request, as net/http's server gives it, is signed. ok is false without an error when it carries no
// signature of a cloud's SDK: no Authorization header, or one of another scheme, such as Bearer.
//
// The error is ErrMalformed when the Authorization header, or a signed header, is ill-formed, repeated or missing; when a
// header that must be signed is not; for the vendors' other algorithms (ACS3-HMAC-SM3, ACS3-RSA-SHA256, SigV4a); for
// SigV4 in a query (presigned URLs) and for its chunked payloads (STREAMING-...). The work and memory that it takes are
// bounded by the request's header.
func Parse(r *http.Request) (s Signed, ok bool, err error) {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return Signed{}, false, malformed("the Authorization header is repeated")
	}
	if len(values) == 0 {
		return Signed{}, false, presigned(r)
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	s.Scheme = Scheme(scheme)
	if s.Scheme != ACS3 && s.Scheme != SigV4 {
		return Signed{}, false, unsupported(scheme)
	}
	if err := presigned(r); err != nil {
		return Signed{}, false, err
	}
	if err := s.parse(r, rest); err != nil {
		return Signed{}, false, err
	}
	return s, true, nil
}

// unsupported tells a cloud's other algorithms from schemes that are not a cloud's.
func unsupported(scheme string) error {
	upper := strings.ToUpper(scheme)
	if strings.HasPrefix(upper, "ACS3-") || strings.HasPrefix(upper, "AWS4-") {
		return malformed("this algorithm is not supported, accepted are " + string(ACS3) + " and " + string(SigV4))
	}
	return nil
}

// presigned finds SigV4 in the query, which would be a second answer to the question who signed the request.
func presigned(r *http.Request) error {
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name, ok := unescape(name); ok && (strings.EqualFold(name, "X-Amz-Algorithm") || strings.EqualFold(name, "X-Amz-Signature")) {
			return malformed("presigned URLs are not supported, sign in the Authorization header")
		}
	}
	return nil
}

func (s *Signed) parse(r *http.Request, rest string) error {
	if len(rest) > maxAuthorization {
		return malformed("the Authorization header is too long")
	}
	a, err := parseAuthorization(rest)
	if err != nil {
		return err
	}
	if !isHash(a.signature) {
		return malformed("Signature accepts 64 lower-case hex digits")
	}
	s.Signature = a.signature
	if s.headers, err = parseNames(a.headers); err != nil {
		return err
	}
	rules := s.rules()
	if err := rules.checkHeaders(r, s.headers); err != nil {
		return err
	}
	if s.Time, err = rules.date(r); err != nil {
		return err
	}
	if err := s.parseCredential(a.credential); err != nil {
		return err
	}
	if s.Payload, err = rules.claimed(r); err != nil {
		return err
	}
	return s.parseNonce(r)
}

// authorization has the three parts of both schemes' Authorization headers.
type authorization struct{ credential, headers, signature string }

// parseAuthorization takes the parts in any order, as AWS does, each once and no others.
func parseAuthorization(text string) (a authorization, err error) {
	parts := strings.SplitN(text, ",", 4)
	for _, part := range parts {
		name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
		field := a.field(name)
		if field == nil || *field != "" || value == "" {
			return authorization{}, malformed("Authorization accepts Credential, SignedHeaders and Signature, each once")
		}
		*field = value
	}
	if len(parts) != 3 {
		return authorization{}, malformed("Authorization needs Credential, SignedHeaders and Signature")
	}
	return a, nil
}

func (a *authorization) field(name string) *string {
	switch name {
	case "Credential":
		return &a.credential
	case "SignedHeaders":
		return &a.headers
	case "Signature":
		return &a.signature
	}
	return nil
}

// parseNames demands the order that the schemes prescribe, so that no name can be there twice.
func parseNames(list string) ([]string, error) {
	names := strings.SplitN(list, ";", maxHeaders+1)
	if len(names) > maxHeaders {
		return nil, malformed("SignedHeaders has too many names")
	}
	for i, name := range names {
		if !isToken(name, isHeaderByte) {
			return nil, malformed("SignedHeaders accepts names of headers in lower case")
		}
		if i > 0 && names[i-1] >= name {
			return nil, malformed("SignedHeaders must be sorted")
		}
	}
	return names, nil
}

// parseCredential reads Credential=<key ID> and, of SigV4, Credential=<key ID>/<date>/<region>/<service>/aws4_request.
func (s *Signed) parseCredential(text string) error {
	s.KeyID = text
	if s.Scheme == SigV4 {
		parts := strings.Split(text, "/")
		n := len(parts) - 4
		if n < 1 || parts[n+3] != sigV4Terminator {
			return malformed("Credential accepts a key's ID, date, region and service, ending in /" + sigV4Terminator)
		}
		// Else a key that was derived for one day, which is what AWS hands to its services, would sign for any.
		if parts[n] != s.Time.Format(sigV4Day) {
			return malformed("Credential must have the date of X-Amz-Date")
		}
		s.KeyID, s.Region, s.Service = strings.Join(parts[:n], "/"), parts[n+1], parts[n+2]
		if !isToken(s.Region, isNameByte) || !isToken(s.Service, isNameByte) {
			return malformed("Credential has an ill-formed region or service")
		}
	}
	if !isToken(s.KeyID, isVisible) {
		return malformed("Credential has an ill-formed key ID")
	}
	return nil
}

func (s *Signed) parseNonce(r *http.Request) error {
	if s.Scheme != ACS3 {
		return nil
	}
	s.Nonce = r.Header.Get(acs3Nonce)
	if !isToken(s.Nonce, isVisible) {
		return malformed(acs3Nonce + " is ill-formed")
	}
	return nil
}

// isToken says whether text is of these bytes, at least one of them and at most maxName.
func isToken(text string, accepts func(byte) bool) bool {
	if text == "" || len(text) > maxName {
		return false
	}
	for i := range len(text) {
		if !accepts(text[i]) {
			return false
		}
	}
	return true
}

func isLower(c byte) bool      { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
func isUnreserved(c byte) bool { return isNameByte(c) || c == '~' }
func isNameByte(c byte) bool {
	return isLower(c) || 'A' <= c && c <= 'Z' || c == '-' || c == '_' || c == '.'
}
func isHeaderByte(c byte) bool { return isLower(c) || c == '-' || c == '_' || c == '.' }
func isVisible(c byte) bool    { return c > ' ' && c < 0x7f }

// isHash says whether text is a SHA-256 or an HMAC of it, in the one spelling that is accepted.
func isHash(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}
