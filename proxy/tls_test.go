package proxy_test

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/certificates"
	"github.com/limpet-proxy/limpet/certificates/certtest"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// startTLS is start for a proxy with a certificate for loopback, which asks clients for theirs as auth says.
func startTLS(t *testing.T, ca *certtest.Authority, auth certificates.ClientAuth, configure func(*proxy.FunctionConfig), handlers ...http.Handler) *world {
	t.Helper()
	own := ca.Issue(time.Time{}, "127.0.0.1")
	cfg := certificates.DefaultConfig()
	cfg.Certificates = []certificates.Pair{{CertFile: own.CertFile, KeyFile: own.KeyFile}}
	if cfg.ClientAuth = auth; auth != certificates.AuthNone {
		cfg.ClientCAFile = ca.File
	}
	keeper, err := certificates.New(cfg)
	require.NoError(t, err)
	return speaking(t, proxy.Protocols{TLS: keeper.TLS()}, configure, handlers...)
}

// tlsClient trusts ca and shows certs.
func (w *world) tlsClient(ca *certtest.Authority, http2 bool, certs ...tls.Certificate) *http.Client {
	tr := &http.Transport{
		ForceAttemptHTTP2: http2, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: certs},
	}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func (w *world) secure(path string, headers ...string) *http.Request {
	r := w.request(http.MethodGet, path, nil, headers...)
	r.URL.Scheme = "https"
	return r
}

// told answers with what the instance is told of the client.
func told() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-Forwarded-Proto", "Client-Cert", "Client-Cert-Chain", "Client_cert"} {
			fmt.Fprintf(w, "%s %q\n", name, r.Header[name])
		}
	})
}

func TestALPNChoosesTheProtocol(t *testing.T) {
	ca := certtest.New(t, "ca")
	w := startTLS(t, ca, certificates.AuthNone, func(c *proxy.FunctionConfig) {
		c.Affinity.Type = sessions.AffinityCookie
	}, told())
	for proto, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		a := do(t, w.tlsClient(ca, http2), w.secure("/"))
		require.Equal(t, proto, a.Proto)
		require.Contains(t, a.body, `X-Forwarded-Proto ["https"]`)
		require.Len(t, a.Cookies(), 1)
		require.True(t, a.Cookies()[0].Secure, "secure: auto")
	}
	require.Equal(t, http.StatusBadRequest, w.do(w.request(http.MethodGet, "/", nil)).StatusCode, "without TLS nothing is served")
}

func TestInstancesAreToldOfVerifiedCertificatesOnly(t *testing.T) {
	ca, foreign := certtest.New(t, "ca"), certtest.New(t, "foreign")
	alice, mallory := ca.Issue(time.Time{}, "alice"), foreign.Issue(time.Time{}, "alice")
	forged := []string{"X-Session-Id", "s", "Client-Cert", ":forged:", "Client-Cert-Chain", ":forged:", "Client_Cert", ":forged:"}
	header := func(der []byte) string {
		return fmt.Sprintf(`Client-Cert [":%s:"]`, base64.StdEncoding.EncodeToString(der))
	}
	for _, http2 := range []bool{false, true} {
		optional := startTLS(t, ca, certificates.AuthOptional, nil, told())
		require.Contains(t, do(t, optional.tlsClient(ca, http2, alice.TLS), optional.secure("/", forged...)).body, header(alice.TLS.Certificate[0]))
		anonymous := do(t, optional.tlsClient(ca, http2), optional.secure("/", forged...))
		require.NotContains(t, anonymous.body, "forged")
		required := startTLS(t, ca, certificates.AuthRequired, nil, told())
		require.Contains(t, do(t, required.tlsClient(ca, http2, alice.TLS), required.secure("/", forged...)).body, header(alice.TLS.Certificate[0]))
		for _, certs := range [][]tls.Certificate{nil, {mallory.TLS}} {
			_, err := required.tlsClient(ca, http2, certs...).Do(required.secure("/"))
			require.Error(t, err)
		}
	}
	w := start(t, nil, told())
	require.NotContains(t, w.do(w.request(http.MethodGet, "/", nil, forged...)).body, "forged", "without TLS neither")
}

// A client that shows a certificate of another authority all the same is refused, not taken for one without.
func TestForeignCertificateIsRefused(t *testing.T) {
	ca, foreign := certtest.New(t, "ca"), certtest.New(t, "foreign")
	mallory := foreign.Issue(time.Time{}, "alice")
	w := startTLS(t, ca, certificates.AuthOptional, nil, told())
	client := w.tlsClient(ca, true)
	client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &mallory.TLS, nil
	}
	_, err := client.Do(w.secure("/"))
	require.Error(t, err)
}
