package proxy

import (
	"errors"
	"net/http"

	"github.com/limpet-proxy/limpet/dialects"
)

// ownDialect is in whose words a request is answered that names no cloud's operation. gRPC is spoken over HTTP/2 only.
func ownDialect(r *http.Request) dialects.Dialect {
	if r.ProtoMajor >= 2 && dialects.IsGRPC(r.Header.Get("Content-Type")) {
		return dialects.GRPC
	}
	return dialects.Own
}

// brokenOff is why a response that had begun did not end.
func (x *exchange) brokenOff() *Failure {
	var f *Failure
	switch {
	case errors.As(x.cancelled(), &f):
		return f
	case x.broke != nil:
		return x.broke
	}
	return errBadGateway
}

// tellBroken ends a gRPC call that broke off with the status that says why, and reports whether it could. Elsewhere a
// response that ends without an error would look whole; here one whose status is not 0 does not.
func (x *exchange) tellBroken(why *Failure) bool {
	h := x.w.Header()
	if x.dialect != dialects.GRPC || why == errClientGone || x.answered.IsZero() || !dialects.IsGRPC(h.Get("Content-Type")) {
		return false
	}
	dialects.TellGRPC(h, http.TrailerPrefix, why)
	return true
}
