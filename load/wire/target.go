package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// DefaultDialTimeout bounds the making of a connection, TLS included, where Target.DialTimeout does not.
const DefaultDialTimeout = 5 * time.Second

// ErrTarget means that a URL is none that requests can be sent to.
var ErrTarget = errors.New("not a target")

// Target is where connections go. It is immutable and safe for concurrent use.
type Target struct {
	// URL has the scheme, host and path of every request.
	URL *url.URL
	// TLS is used where the scheme is https; its NextProtos must not offer HTTP/2. nil: the system's certificates.
	TLS *tls.Config
	// DialTimeout: 0 means DefaultDialTimeout.
	DialTimeout time.Duration

	address string
}

// NewTarget reads a URL with scheme http or https, a host, and no user or fragment. ErrTarget.
func NewTarget(text string) (*Target, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrTarget, err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: its scheme is %q, accepted are http and https", ErrTarget, u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w: it has no host", ErrTarget)
	case u.User != nil, u.Fragment != "":
		return nil, fmt.Errorf("%w: it has a user or a fragment, accepted is neither", ErrTarget)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return &Target{URL: u, address: net.JoinHostPort(u.Hostname(), port)}, nil
}

// Dial connects. The error is the dialer's: nothing of a request was sent.
func (t *Target) Dial(ctx context.Context) (*Conn, error) {
	timeout := t.DialTimeout
	if timeout == 0 {
		timeout = DefaultDialTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	if t.URL.Scheme == "https" {
		if conn, err = t.secure(ctx, conn); err != nil {
			return nil, err
		}
	}
	return newConn(conn), nil
}

func (t *Target) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	cfg := t.TLS.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = t.URL.Hostname()
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}
