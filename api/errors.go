package api

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"

	"github.com/limpet-proxy/limpet/dialects"
)

// refuse answers with an error where no dialect is spoken: in the shape of every response that Limpet makes itself.
func refuse(w http.ResponseWriter, e *dialects.Error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: see crypto/rand
	id := hex.EncodeToString(b[:])
	secure(w.Header())
	w.Header().Set("X-Request-Id", id)
	_ = dialects.FC.Write(w, id, e) // an error can only be that the client is gone
}

// denied is 403 AccessDenied: the key, the host or the origin may not do this.
func denied(message string) *dialects.Error {
	return &dialects.Error{Code: dialects.CodeAccessDenied, Status: http.StatusForbidden, Message: message}
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
