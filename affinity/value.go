package affinity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// The value of a cookie is
//
//	v1.<key ID>.<session ID>.<expiry>.<MAC>
//
// with the expiry in Unix seconds and the MAC in base64url without padding. No field can hold a dot. The MAC is over
// the text of all the fields, and the function and qualifier that the cookie is for.
const valueVersion = "v1"

const (
	maxExpiryDigits = 12 // until the year 33658
	macBytes        = sha256.Size
	macChars        = (macBytes*8 + 5) / 6
	keyIDChars      = keyIDBytes * 8 / 6
	maxValueLength  = len(valueVersion) + 1 + keyIDChars + 1 + MaxIDLength + 1 + maxExpiryDigits + 1 + macChars
)

// cookieValue holds the fields of a value as they stand in it.
type cookieValue struct{ keyID, id, expiry, mac string }

// splitValue takes a value apart; only its MAC makes it true. The bound on its length bounds what is hashed for it. The ID
// is looked at although we signed it: were a store to hold an ill-formed one, it would not go on to the instance.
func splitValue(s string) (cookieValue, bool) {
	if len(s) > maxValueLength {
		return cookieValue{}, false
	}
	version, rest, _ := strings.Cut(s, ".")
	var v cookieValue
	v.keyID, rest, _ = strings.Cut(rest, ".")
	v.id, rest, _ = strings.Cut(rest, ".")
	v.expiry, v.mac, _ = strings.Cut(rest, ".")
	return v, version == valueVersion && validID(v.id)
}

// sealer signs and verifies the values of one scope. It is safe for concurrent use.
type sealer struct{ scope Scope }

// seal returns the value for id that is good until expiry.
func (s sealer) seal(id string, expiry int64) string {
	key := s.scope.Keys.signer()
	v := cookieValue{keyID: key.id, id: id, expiry: strconv.FormatInt(expiry, 10)}
	return strings.Join([]string{valueVersion, v.keyID, v.id, v.expiry, s.mac(key, v)}, ".")
}

// open returns the ID in a value that this scope sealed with one of its keys and whose expiry is after now.
//
// The MAC is compared as text, in the one form that seal writes. Decoding the client's would accept several texts for
// one MAC: base64 has spare bits at its end, and Go's decoder skips newlines. The expiry is covered as text too, so that
// no other spelling of the number passes.
func (s sealer) open(value string, now time.Time) (id string, ok bool) {
	v, ok := splitValue(value)
	if !ok {
		return "", false
	}
	key := s.scope.Keys.find(v.keyID)
	if key == nil || !hmac.Equal([]byte(v.mac), []byte(s.mac(key, v))) {
		return "", false
	}
	expiry, err := strconv.ParseInt(v.expiry, 10, 64)
	if err != nil || !now.Before(time.Unix(expiry, 0)) {
		return "", false
	}
	return v.id, true
}

// mac is over length-prefixed fields: without the lengths, function "ab" with qualifier "c" would be function "a" with
// qualifier "bc".
func (s sealer) mac(key *key, v cookieValue) string {
	message := append(make([]byte, 0, 256), cookieLabel...)
	for _, field := range [...]string{valueVersion, v.keyID, v.id, v.expiry, s.scope.Function, s.scope.Qualifier} {
		message = binary.BigEndian.AppendUint32(message, uint32(len(field)))
		message = append(message, field...)
	}
	var sum [macBytes]byte
	return base64.RawURLEncoding.EncodeToString(key.sum(sum[:0], message))
}

// expiryOf rounds up: the client's clock runs from when it receives the cookie, so a value must not end before it.
func expiryOf(now time.Time, ttl time.Duration) int64 {
	return now.Add(ttl + time.Second - 1).Unix()
}
