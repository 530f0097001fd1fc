package api

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
)

// The codes that Limpet-Error and the body's Code give on the admin listener.
const (
	CodeAccessDenied       = "AccessDenied"       // 403: the key, the host or the origin may not do this
	CodeInvalidAccessKeyID = "InvalidAccessKeyID" // 401: there is no key
	CodeNotFound           = "NotFound"           // 404: nothing is at this path
	CodeMethodNotAllowed   = "MethodNotAllowed"   // 405
)

// problem is an error in the shape of every response that Limpet makes itself.
type problem struct {
	status  int
	Code    string
	Message string
	// RequestId is spelled as Function Compute spells it.
	RequestID string `json:"RequestId"`
}

func (p problem) write(w http.ResponseWriter) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: see crypto/rand
	p.RequestID = hex.EncodeToString(id[:])
	w.Header().Set("Limpet-Error", p.Code)
	w.Header().Set("X-Request-Id", p.RequestID)
	writeJSON(w, p.status, p)
}

// writeJSON answers with body. An error can only be that the client is gone.
func writeJSON(w http.ResponseWriter, status int, body any) {
	secure(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// secure keeps what the admin plane answers out of caches and out of other sites' pages.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}
