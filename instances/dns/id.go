package dns

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
)

const idBytes = 8

// placeID names an address and port, the same on every replica with the key. An address never appears in anything that a
// client sees, and IDs do: a plain hash of an IPv4 address is found by trying all of them.
func placeID(key []byte, at netip.AddrPort) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("instance " + at.String()))
	return hex.EncodeToString(mac.Sum(nil)[:idBytes])
}
