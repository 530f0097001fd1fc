package api

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// idBytes is how many bytes a session ID has that Limpet makes: 32 hexadecimal digits, as all three vendors' samples.
const idBytes = 16

func newSessionID() string {
	var b [idBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// derivedID is the session ID of an idempotent call: the same for the same caller and parts, and nobody's to guess.
func (c *call) derivedID(parts ...string) string {
	mac := hmac.New(sha256.New, c.Secret)
	for _, part := range append([]string{"session of a call", c.caller.ID}, parts...) {
		_ = binary.Write(mac, binary.BigEndian, uint32(len(part))) // a hash takes all
		mac.Write([]byte(part))
	}
	return hex.EncodeToString(mac.Sum(nil)[:idBytes])
}
