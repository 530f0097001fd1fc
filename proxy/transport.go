package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/instances"
)

const (
	// expectTimeout is how long a request with Expect: 100-continue waits for the instance's 100 before its body is
	// sent all the same.
	expectTimeout = time.Second
	// idleUpstream is how long an idle connection to an instance is kept. It is shorter than the keep-alive of usual
	// servers, so that the instance rarely closes first.
	idleUpstream = 50 * time.Second
	// upstreamHeaderBytes bounds the head of an instance's response.
	upstreamHeaderBytes = 1 << 20
)

// Transports keeps one http.Transport for each instance, until the instance is gone, and another for each incarnation: so no
// request of a session goes over a connection to another program than the session's. It is safe for concurrent use.
type Transports struct {
	Timeouts    TimeoutsConfig
	PerInstance int // idle connections that are kept to one instance: as many as it may serve requests

	byInstance sync.Map // *instances.Instance to *line
}

// line is how one instance is reached: by the transport of the latest incarnation that a request was for.
type line struct {
	current atomic.Pointer[transport]
	mu      sync.Mutex // to replace it
}

// transport is one of an incarnation; 0 where requests have no session, and any program will do.
type transport struct {
	*http.Transport
	incarnation uint64
	protocol    instances.Protocol
}

// serves says whether requests of an incarnation may go by t, which may be nil; those of an earlier one will be refused.
func (t *transport) serves(inst *instances.Instance, incarnation uint64) bool {
	return t != nil && (t.incarnation > incarnation || t.incarnation == incarnation && t.protocol == inst.Protocol())
}

// For returns the transport to the program that has, or had, this incarnation of the instance. instances.ErrReplaced: a
// request was for a later one.
func (t *Transports) For(inst *instances.Instance, incarnation uint64) (*http.Transport, error) {
	l := t.line(inst)
	now := l.current.Load()
	if !now.serves(inst, incarnation) {
		now = t.renew(l, inst, incarnation)
	}
	if now.incarnation > incarnation {
		return nil, instances.ErrReplaced
	}
	return now.Transport, nil
}

func (t *Transports) line(inst *instances.Instance) *line {
	if l, ok := t.byInstance.Load(inst); ok {
		return l.(*line)
	}
	l, had := t.byInstance.LoadOrStore(inst, &line{})
	if !had {
		context.AfterFunc(inst.Gone(), func() {
			t.byInstance.Delete(inst)
			l.(*line).closeIdle()
		})
	}
	return l.(*line)
}

// renew makes the transport of an incarnation in place of an earlier one's.
func (t *Transports) renew(l *line, inst *instances.Instance, incarnation uint64) *transport {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.current.Load()
	if old.serves(inst, incarnation) {
		return old // another request was faster
	}
	protocol := inst.Protocol()
	next := &transport{t.transport(inst, incarnation, protocol), incarnation, protocol}
	l.current.Store(next)
	if old != nil {
		old.CloseIdleConnections()
	}
	return next
}

func (l *line) closeIdle() {
	if tr := l.current.Load(); tr != nil {
		tr.CloseIdleConnections()
	}
}

// CloseIdle closes the connections that no request uses, when the transports are replaced or the proxy leaves.
func (t *Transports) CloseIdle() {
	t.byInstance.Range(func(_, l any) bool {
		l.(*line).closeIdle()
		return true
	})
}

// dial connects to the program of an incarnation. A connection that leads to another is closed before anything is sent.
func (t *Transports) dial(inst *instances.Instance, incarnation uint64, protocol instances.Protocol) func(context.Context, string, string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: t.Timeouts.Connect, Control: inst.Control}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if incarnation != 0 {
			err = inst.Vouch(ctx, incarnation)
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		if protocol.IsHTTP2() {
			return c, nil // many exchanges share it, and each has its own idle time
		}
		return newIdleConn(c, t.Timeouts.Idle), nil
	}
}

func (t *Transports) transport(inst *instances.Instance, incarnation uint64, protocol instances.Protocol) *http.Transport {
	return &http.Transport{
		Proxy:                 nil, // an instance is dialled directly, whatever HTTP_PROXY says
		DialContext:           t.dial(inst, incarnation, protocol),
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   t.Timeouts.Connect,
		Protocols:             protocol.HTTP(),
		HTTP2:                 instanceHTTP2(),
		DisableCompression:    true, // bodies pass as they are
		MaxIdleConnsPerHost:   t.PerInstance,
		IdleConnTimeout:       idleUpstream,
		ResponseHeaderTimeout: t.Timeouts.ResponseHeader,
		ExpectContinueTimeout: expectTimeout,

		MaxResponseHeaderBytes: upstreamHeaderBytes,
	}
}

// internal is the prefix of the headers by which Limpet speaks to instances and clients. Nobody else may use it.
const internal = "limpet-"

// isInternal says whether a header's name is, or can be taken for, one of Limpet's own: CGI and WSGI programs cannot
// tell Limpet_Session_Id from Limpet-Session-Id.
func isInternal(name string) bool { return begins(name, internal) }

// forwarded is the prefix of the headers by which proxies tell where a request came from.
const forwarded = "x-forwarded-"

func isForwarded(name string) bool { return begins(name, forwarded) }

// begins compares the beginning of a header's name as sameName does.
func begins(name, prefix string) bool {
	return len(name) >= len(prefix) && sameName(name[:len(prefix)], prefix)
}

// sameName compares header names as a program does that turns dashes into underscores.
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if strings.EqualFold(a, b) {
		return true
	}
	for i := range len(a) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	switch {
	case c == '_':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	default:
		return c
	}
}

// stripForeign removes from a client's or an instance's headers what only Limpet may say: its own names, and names
// that can be taken for affinity, the configured header.
func stripForeign(h http.Header, affinity string) {
	for name := range h {
		if isInternal(name) || affinity != "" && sameName(name, affinity) {
			delete(h, name)
		}
	}
}
