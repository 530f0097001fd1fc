package proxy

import (
	"encoding/base64"
	"net/http"
)

// The headers by which a proxy that ends TLS tells of its client's certificate (RFC 9440).
const (
	headerClientCert      = "Client-Cert"
	headerClientCertChain = "Client-Cert-Chain"
)

// tellCertificate makes the certificate that the client has proved to have, and nothing else, what the instance is told of.
// Whatever came under these names is dropped, from a trusted proxy too: one that knows nothing of RFC 9440 passes on what
// its clients write.
func tellCertificate(in *http.Request, out http.Header) {
	for name := range out {
		if sameName(name, headerClientCert) || sameName(name, headerClientCertChain) {
			delete(out, name)
		}
	}
	if in.TLS == nil || len(in.TLS.VerifiedChains) == 0 {
		return
	}
	// A byte sequence of RFC 8941, section 3.3.5.
	out.Set(headerClientCert, ":"+base64.StdEncoding.EncodeToString(in.TLS.VerifiedChains[0][0].Raw)+":")
}
