package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
)

// requestIDHeader carries the ID by which logs of client, proxy and instance find each other.
const requestIDHeader = "X-Request-Id"

// maxRequestID bounds a caller's request ID, which ends up in logs.
const maxRequestID = 128

// requestID is the caller's X-Request-Id if it is one word of visible ASCII, else a new one of 32 hex digits.
func requestID(r *http.Request) string {
	if ids := r.Header[requestIDHeader]; len(ids) == 1 && visible(ids[0]) {
		return ids[0]
	}
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

func visible(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
