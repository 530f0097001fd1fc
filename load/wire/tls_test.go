package wire_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load/wire"
)

// serveTLS is serve over TLS, with httptest's certificate, which the target trusts.
func serveTLS(t *testing.T, handle func(net.Conn)) *wire.Target {
	t.Helper()
	certified := httptest.NewUnstartedServer(http.NotFoundHandler())
	certified.StartTLS()
	certified.Close()
	l := tls.NewListener(listen(t), &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12})
	target := serveOn(t, l, "https", handle)
	trusted := x509.NewCertPool()
	trusted.AddCert(certified.Certificate())
	target.TLS = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	return target
}

func TestTLSIsKept(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := serveTLS(t, answer(mark, mark, mark))
			target.TLS.MaxVersion = version
			c := dial(t, target)
			_, err := c.Do(get(http.MethodGet))
			require.NoError(t, err)
			requireMark(t, c)
			requireMark(t, c)
		})
	}
}

// TestTLSHidesNothing: what TLS has read and nobody has asked for is in neither the socket nor our own buffer.
func TestTLSHidesNothing(t *testing.T) {
	for name, test := range map[string]struct{ with, after string }{
		"in the same record":       {with: mark},
		"in the one after it":      {after: mark},
		"a byte of the same":       {with: "x"},
		"the end":                  {},
		"a body over many of them": {with: strings.Repeat("x", 64<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// As long as the buffer: what comes after it stays where TLS keeps it.
			begin := "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n"
			begin += "A: " + strings.Repeat("a", 8<<10-8000-len(begin)-len("A: \r\n\r\n")) + "\r\n\r\n"
			stop := make(chan struct{})
			defer close(stop)
			c := dial(t, serveTLS(t, func(conn net.Conn) {
				readHead(bufio.NewReader(conn))
				_, _ = io.WriteString(conn, begin+strings.Repeat("x", 8000)+test.with)
				_, _ = io.WriteString(conn, test.after)
				if test.with+test.after == "" {
					_ = conn.Close()
				}
				<-stop
			}))
			r, err := c.Do(get(http.MethodGet))
			require.NoError(t, err)
			require.EqualValues(t, 8000, r.Length)
			if test.with != "" {
				require.False(t, c.Reusable(), "it came with the response")
			}
			require.Eventually(t, func() bool { return !c.Reusable() }, patience, time.Millisecond)
		})
	}
}

// TestTLSNoticesWhatComesUnasked, in the socket under it.
func TestTLSNoticesWhatComesUnasked(t *testing.T) {
	next := make(chan struct{})
	c := dial(t, serveTLS(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		readHead(in)
		_, _ = io.WriteString(conn, mark)
		<-next
		_, _ = io.WriteString(conn, mark)
		readHead(in)
	}))
	_, err := c.Do(get(http.MethodGet))
	require.NoError(t, err)
	require.True(t, c.Reusable())
	close(next)
	require.Eventually(t, func() bool { return !c.Reusable() }, patience, time.Millisecond)
	require.False(t, c.Reusable())
}

func TestTLSThatIsNotTrusted(t *testing.T) {
	target := serveTLS(t, answer(mark))
	target.TLS = nil
	_, err := target.Dial(t.Context())
	var untrusted *tls.CertificateVerificationError
	require.ErrorAs(t, err, &untrusted)

	plain := serve(t, func(conn net.Conn) { _, _ = io.WriteString(conn, mark) })
	target, err = wire.NewTarget("https://" + plain.URL.Host)
	require.NoError(t, err)
	_, err = target.Dial(t.Context())
	var record tls.RecordHeaderError
	require.ErrorAs(t, err, &record)
}

// TestFailedHandshakeLeavesNothingOpen.
func TestFailedHandshakeLeavesNothingOpen(t *testing.T) {
	ended := make(chan struct{})
	plain := serve(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, mark)
		_, _ = io.Copy(io.Discard, conn)
		close(ended)
	})
	target, err := wire.NewTarget("https://" + plain.URL.Host)
	require.NoError(t, err)
	_, err = target.Dial(t.Context())
	require.Error(t, err)
	within(t, func() { <-ended })
}

// TestTLSNamesItsHost: unless the configuration does.
func TestTLSNamesItsHost(t *testing.T) {
	for name, want := range map[string]string{"": "localhost", "example.com": "example.com"} {
		names := make(chan string, 1)
		target := serveTLS(t, func(conn net.Conn) {
			secured := conn.(*tls.Conn)
			_ = secured.Handshake()
			names <- secured.ConnectionState().ServerName
		})
		_, port, err := net.SplitHostPort(target.URL.Host)
		require.NoError(t, err)
		local, err := wire.NewTarget("https://localhost:" + port)
		require.NoError(t, err)
		local.TLS = &tls.Config{ServerName: name, InsecureSkipVerify: true} // it looks at the name only
		dial(t, local)
		require.Equal(t, want, <-names)
	}
}
