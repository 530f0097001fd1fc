package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/limpet-proxy/limpet/dialects"
)

const (
	// TokenLife is how long a page token is good.
	TokenLife = 24 * time.Hour
	// maxToken is the length in bytes of the longest token that is looked at.
	maxToken      = 4096
	tokenVersion  = 1
	tokenHeadSize = 1 + 8
)

// newTokens makes the cipher of page tokens. Tokens are encrypted, not only signed: a cursor has a session's ID in it,
// and tokens end up in logs.
func newTokens(secret []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "limpet page tokens", 32)
	if err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal makes the token for a cursor: "" for the end of the listing. bound is all that the token is good for beside
// paging: it opens for the same caller, operation and filters only.
func (c *call) seal(cursor string, bound ...string) string {
	if cursor == "" {
		return ""
	}
	plain := binary.BigEndian.AppendUint64([]byte{tokenVersion}, uint64(time.Now().Add(TokenLife).Unix()))
	plain = append(plain, cursor...)
	return base64.RawURLEncoding.EncodeToString(c.tokens.Seal(nil, nil, plain, c.bind(bound)))
}

// open returns the cursor in a token; "" for "".
func (c *call) open(token string, bound ...string) (string, *dialects.Error) {
	if token == "" {
		return "", nil
	}
	cursor, ok := c.unseal(token, bound)
	if !ok {
		return "", dialects.Invalid("nextToken", "is no token of this listing, or it is older than a day; accepted is the one that the page before gave, with the same arguments")
	}
	return cursor, nil
}

func (c *call) unseal(token string, bound []string) (string, bool) {
	if len(token) > maxToken {
		return "", false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || base64.RawURLEncoding.EncodeToString(sealed) != token { // the decoder skips line ends
		return "", false
	}
	plain, err := c.tokens.Open(nil, nil, sealed, c.bind(bound))
	if err != nil || len(plain) <= tokenHeadSize || plain[0] != tokenVersion {
		return "", false
	}
	expiry := time.Unix(int64(binary.BigEndian.Uint64(plain[1:])), 0)
	return string(plain[tokenHeadSize:]), time.Now().Before(expiry)
}

// bind is the text that a token is bound to. The lengths keep one part from posing as another's end.
func (c *call) bind(bound []string) []byte {
	var text []byte
	for _, part := range append([]string{c.caller.ID, c.dialect.String(), c.name, c.function}, bound...) {
		text = binary.BigEndian.AppendUint32(text, uint32(len(part)))
		text = append(text, part...)
	}
	return text
}
