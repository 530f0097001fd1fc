package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
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

// Transports keeps one http.Transport for each instance, until the instance is gone. It is safe for concurrent use.
type Transports struct {
	Timeouts    TimeoutsConfig
	PerInstance int // idle connections that are kept to one instance: as many as it may serve requests

	byInstance sync.Map // *instances.Instance to *http.Transport
}

// For returns the transport of an instance.
func (t *Transports) For(inst *instances.Instance) *http.Transport {
	if tr, ok := t.byInstance.Load(inst); ok {
		return tr.(*http.Transport)
	}
	mine := t.transport(inst)
	tr, had := t.byInstance.LoadOrStore(inst, mine)
	if !had {
		context.AfterFunc(inst.Gone(), func() {
			t.byInstance.Delete(inst)
			mine.CloseIdleConnections()
		})
	}
	return tr.(*http.Transport)
}

// CloseIdle closes the connections that no request uses, when the transports are replaced or the proxy leaves.
func (t *Transports) CloseIdle() {
	t.byInstance.Range(func(_, tr any) bool {
		tr.(*http.Transport).CloseIdleConnections()
		return true
	})
}

func (t *Transports) transport(inst *instances.Instance) *http.Transport {
	dialer := &net.Dialer{Timeout: t.Timeouts.Connect, Control: inst.Control}
	return &http.Transport{
		Proxy: nil, // an instance is dialled directly, whatever HTTP_PROXY says
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return newIdleConn(c, t.Timeouts.Idle), nil
		},
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   t.Timeouts.Connect,
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1 only
		DisableCompression:    true,                                                   // bodies pass as they are
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
