package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
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

// NewTarget reads a URL with scheme http or https, a host, and no user or fragment. A name that is not ASCII, and what
// else is not ASCII, has to be encoded already. ErrTarget.
func NewTarget(text string) (*Target, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrTarget, err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: its scheme is %.40q, accepted are http and https", ErrTarget, u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w: it has no host", ErrTarget)
	case !visible(u.Host), strings.Contains(u.Host, "%"):
		return nil, fmt.Errorf("%w: its host is %.80q, accepted are an address without a zone and a name in ASCII", ErrTarget, u.Host)
	case u.User != nil, u.Fragment != "":
		return nil, fmt.Errorf("%w: it has a user or a fragment, accepted is neither", ErrTarget)
	case !visible(u.RawQuery):
		return nil, fmt.Errorf("%w: its query is %.80q, accepted is ASCII, anything else as %%XX", ErrTarget, u.RawQuery)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("%w: its port is %.40q, accepted are 1 to 65535", ErrTarget, port)
	}
	return &Target{URL: u, address: net.JoinHostPort(u.Hostname(), port)}, nil
}

// visible says whether text is nothing but visible ASCII: a space in a query would end the request's line there.
func visible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
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
