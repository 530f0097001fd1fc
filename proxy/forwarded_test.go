package proxy

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestForwarded(t *testing.T) {
	trusted, err := ParseTrusted([]string{"10.0.0.0/8", "::1"})
	require.NoError(t, err)
	for _, c := range []struct {
		name, peer, xff, xfh, xfp string
		tls                       bool
		wantFor, wantHost, scheme string
	}{
		{name: "a stranger's are replaced", peer: "192.0.2.1:5", xff: "1.1.1.1", xfh: "evil", xfp: "https",
			wantFor: "192.0.2.1", wantHost: "front", scheme: "http"},
		{name: "loopback is a stranger unless listed", peer: "127.0.0.1:5", xff: "1.1.1.1", xfp: "https",
			wantFor: "127.0.0.1", wantHost: "front", scheme: "http"},
		{name: "a trusted proxy's are kept", peer: "10.1.2.3:5", xff: "1.1.1.1, 2.2.2.2", xfh: "shop", xfp: "https",
			wantFor: "1.1.1.1, 2.2.2.2, 10.1.2.3", wantHost: "shop", scheme: "https"},
		{name: "an IPv4 address in IPv6", peer: "[::ffff:10.1.2.3]:5", xfp: "HTTPS, http",
			wantFor: "::ffff:10.1.2.3", wantHost: "front", scheme: "https"},
		{name: "an unknown scheme does not count", peer: "[::1]:5", xfp: "gopher",
			wantFor: "::1", wantHost: "front", scheme: "http"},
		{name: "TLS", peer: "192.0.2.1:5", tls: true, xfp: "http",
			wantFor: "192.0.2.1", wantHost: "front", scheme: "https"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://front/", nil)
			r.RemoteAddr = c.peer
			for name, v := range map[string]string{"X-Forwarded-For": c.xff, "X-Forwarded-Host": c.xfh, "X-Forwarded-Proto": c.xfp} {
				if v != "" {
					r.Header.Set(name, v)
				}
			}
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			cl := trusted.client(r)
			out := http.Header{}
			cl.forward(r, out)
			require.Equal(t, c.scheme, cl.scheme)
			require.Equal(t, []string{c.wantFor}, out["X-Forwarded-For"])
			require.Equal(t, []string{c.wantHost}, out["X-Forwarded-Host"])
			require.Equal(t, []string{c.scheme}, out["X-Forwarded-Proto"])
		})
	}
}

func TestParseTrustedRefuses(t *testing.T) {
	_, err := ParseTrusted([]string{"10.0.0.0/8", "not-an-address"})
	require.ErrorContains(t, err, `"not-an-address"`)
}

func TestRequestID(t *testing.T) {
	for given, kept := range map[string]bool{"abc-1": true, "": false, "a b": false, "a\x7f": false} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Request-Id", given)
		if kept {
			require.Equal(t, given, requestID(r))
		} else {
			require.Regexp(t, "^[0-9a-f]{32}$", requestID(r), "%q", given)
		}
	}
}

func TestIsInternal(t *testing.T) {
	for name, want := range map[string]bool{
		"Limpet-Session-Id": true, "limpet_session_id": true, "Limpet_x": true, "LIMPET-": true,
		"Limpet": false, "Limpets-X": false, "X-Limpet-Y": false,
	} {
		require.Equal(t, want, isInternal(name), name)
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]ByteSize{"32KiB": 32 << 10, "1MiB": 1 << 20, "7": 7, "5B": 5, " 2 GiB ": 2 << 30} {
		var b ByteSize
		require.NoError(t, b.UnmarshalText([]byte(text)))
		require.Equal(t, want, b)
	}
	for _, text := range []string{"", "KiB", "-1B", "1.5KiB", "9999999999GiB", "1KB"} {
		var b ByteSize
		require.Error(t, b.UnmarshalText([]byte(text)), text)
	}
	require.Equal(t, "32KiB", ByteSize(32<<10).String())
}
