package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/certificates/certtest"
	"github.com/limpet-proxy/limpet/configs"
)

// secured is a process whose listeners both speak TLS.
type secured struct {
	*process
	t         *testing.T
	ca        *certtest.Authority
	data, own certtest.Issued // of the listeners
	file      string
}

func startSecured(t *testing.T) *secured {
	ca := certtest.New(t, "ca")
	s := &secured{t: t, ca: ca, data: ca.Issue(time.Time{}, "127.0.0.1"), own: ca.Issue(time.Time{}, "127.0.0.1")}
	s.file = filepath.Join(t.TempDir(), "limpet.yaml")
	s.write(s.data)
	loaded, err := configs.Load(s.file)
	require.NoError(t, err)
	s.process, err = newProcess(loaded.Config, slog.New(slog.DiscardHandler), slog.New(slog.NewJSONHandler(io.Discard, nil)))
	require.NoError(t, err)
	reloads := newReloader(s.file)
	reloads.process, reloads.current = s.process, loaded.Config
	ctx, stop := context.WithCancel(context.Background())
	started, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- serveReloading(ctx, s.process, reloads, func() { close(started) }) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		reloads.close()
	})
	<-started
	return s
}

// write makes the configuration with this pair on the data listener.
func (s *secured) write(data certtest.Issued) {
	pair := func(i certtest.Issued) string {
		return fmt.Sprintf("{certificates: [{cert_file: %s, key_file: %s}]}", i.CertFile, i.KeyFile)
	}
	require.NoError(s.t, os.WriteFile(s.file, []byte("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nshutdown: {delay: 0s}\n"+
		"tls: "+pair(data)+"\nadmin_tls: "+pair(s.own)+"\nfunctions:\n"+
		"  - name: f\n    instances: {static: [{id: a, url: 'http://127.0.0.1:9'}]}\n"), 0o600))
}

// get asks on a connection of its own, and says which certificate was shown.
func (s *secured) get(addr, path string) (status int, body, serial string) {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool()}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get("https://" + addr + path)
	require.NoError(s.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, "HTTP/2.0", res.Proto)
	return res.StatusCode, string(text), res.TLS.PeerCertificates[0].SerialNumber.String()
}

// shows waits until the data listener shows a certificate.
func (s *secured) shows(i certtest.Issued) {
	s.t.Helper()
	want := i.TLS.Leaf.SerialNumber.String()
	require.Eventually(s.t, func() bool {
		_, _, serial := s.get(s.process.data.Addr().String(), "/")
		return serial == want
	}, 20*time.Second, 50*time.Millisecond)
}

func (s *secured) metrics() string {
	status, body, _ := s.get(s.admin.Addr().String(), "/metrics")
	require.Equal(s.t, http.StatusOK, status)
	return body
}

func TestListenersSpeakTLSAndFollowTheirFiles(t *testing.T) {
	s := startSecured(t)
	s.shows(s.data)
	status, body, serial := s.get(s.admin.Addr().String(), "/readyz")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, s.own.TLS.Leaf.SerialNumber.String(), serial)
	require.Contains(t, s.metrics(), fmt.Sprintf(`limpet_tls_certificate_not_after_timestamp_seconds{file=%q,listener="listen"} %v`,
		s.data.CertFile, float64(s.data.TLS.Leaf.NotAfter.Unix())))

	renewed := s.ca.Issue(time.Time{}, "127.0.0.1")
	require.NoError(t, os.Rename(renewed.CertFile, s.data.CertFile))
	require.Eventually(t, func() bool {
		return strings.Contains(s.metrics(), `limpet_tls_last_reload_successful{listener="listen"} 0`)
	}, 20*time.Second, 50*time.Millisecond)
	s.shows(s.data)
	require.NoError(t, os.Rename(renewed.KeyFile, s.data.KeyFile))
	s.shows(renewed)
	require.Contains(t, s.metrics(), `limpet_tls_last_reload_successful{listener="listen"} 1`)

	other := s.ca.Issue(time.Time{}, "127.0.0.1")
	s.write(other)
	s.shows(other)
	require.Contains(t, s.metrics(), other.CertFile)
}
