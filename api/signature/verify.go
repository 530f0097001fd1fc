package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
)

// Verify recomputes the signature of r, the request that was Parsed, with the key's secret.
//
// bodySHA256 is the hash of the body, in lower-case hex. Where Payload is one, it may be that, without the body being
// read: a caller who does so has to read the body through Body. With UnsignedPayload it does not count.
//
// ErrMismatch when the signature is another; and ErrBody with it when bodySHA256 is not Payload, or Payload is not the
// hash of nothing and the request has no body, for nobody reads that. ErrMalformed when path or query have no canonical
// form. The time it takes does not depend on how much of the signature is right.
func (s Signed) Verify(r *http.Request, secret []byte, bodySHA256 string) error {
	payload := s.Payload
	if payload == "" {
		if payload = bodySHA256; !isHash(payload) { // UNSIGNED-PAYLOAD is for the client to say, in a signed header
			return fmt.Errorf("%w: %w", ErrMismatch, ErrBody)
		}
	}
	canonical, err := s.canonical(r, payload)
	if err != nil {
		return err
	}
	if !equal(s.rules().sign(s, secret, canonical), s.Signature) {
		return fmt.Errorf("%w: secret, method, path, query, host, a signed header or the body is another", ErrMismatch)
	}
	if payload != UnsignedPayload && (!equal(payload, bodySHA256) || r.ContentLength == 0 && payload != hash("")) {
		return fmt.Errorf("%w: %w", ErrMismatch, ErrBody)
	}
	return nil
}

// canonical is what both schemes hash: method, path, query, headers, their names, the body's hash, in lines.
func (s Signed) canonical(r *http.Request, payload string) (string, error) {
	rules := s.rules()
	rawPath, rawQuery := target(r)
	path, err := rules.path(rawPath)
	if err != nil {
		return "", err
	}
	all, err := parameters(rawQuery)
	if err != nil {
		return "", err
	}
	query, err := rules.query(all)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + path + "\n" + query + "\n")
	for _, name := range s.headers {
		value, ok := header(r, name)
		if !ok {
			return "", fmt.Errorf("%w: a signed header is gone", ErrMismatch)
		}
		b.WriteString(name + ":" + rules.value(value) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + payload)
	return b.String(), nil
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
