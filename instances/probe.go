package instances

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	// StartHeader is what an instance may give on its health answer: any text that stays the same for as long as the
	// program keeps its state in memory, and is another after a restart.
	StartHeader = "Limpet-Instance-Start"

	maxStart    = 128
	probeBody   = 64 << 10 // read, so that a well-behaved instance sees no reset; the rest is cut
	probeHeader = 64 << 10
	probeAgent  = "limpet-health"
	probeJitter = 0.1 // of the interval: keeps replicas and instances from probing in step
)

// request is what a probe asks, and what is a healthy answer.
type request struct {
	path    string // "": a TCP connect is the probe
	method  string
	healthy Statuses
	speak   Protocol
}

// rules are how a pool probes and what it makes of the results.
type rules struct {
	ask                 request
	interval, timeout   time.Duration
	failures, successes int
}

func newRules(cfg PoolConfig) rules {
	c := cfg.Config.withDefaults()
	if h := c.Health; h != nil {
		return rules{request{h.Path, h.Method, h.Status, c.Protocol}, h.Interval, h.Timeout, h.Failures, h.Successes}
	}
	def := DefaultHealthConfig()
	r := rules{request{}, def.Interval, def.Timeout, def.Failures, def.Successes}
	if cfg.Connect > 0 {
		r.timeout = min(r.timeout, cfg.Connect)
	}
	return r
}

// withDefaults returns c with its zeros filled in. The loader of the file has its own, stricter, reading: there a
// zero that was written is an error.
func (c Config) withDefaults() Config {
	c.DrainDeadline = cmp.Or(c.DrainDeadline, DefaultDrainDeadline)
	c.Protocol = cmp.Or(c.Protocol, DefaultProtocol)
	if c.DNS != nil {
		d := *c.DNS
		d.Refresh, d.Family = cmp.Or(d.Refresh, DefaultDNSRefresh), cmp.Or(d.Family, DefaultDNSFamily)
		c.DNS = &d
	}
	if c.Kubernetes != nil {
		k := *c.Kubernetes
		k.Namespace = cmp.Or(k.Namespace, DefaultNamespace)
		c.Kubernetes = &k
	}
	if c.Health == nil {
		return c
	}
	h, def := *c.Health, DefaultHealthConfig()
	h.Path, h.Method, h.Status = cmp.Or(h.Path, def.Path), cmp.Or(h.Method, def.Method), cmp.Or(h.Status, def.Status)
	h.Interval, h.Timeout = cmp.Or(h.Interval, def.Interval), cmp.Or(h.Timeout, def.Timeout)
	h.Failures, h.Successes = cmp.Or(h.Failures, def.Failures), cmp.Or(h.Successes, def.Successes)
	c.Health = &h
	return c
}

// aliveWithin is how long after another replica saw an instance healthy this one may not call it lost: as long as it
// takes that replica to find it failing.
func (r rules) aliveWithin() time.Duration {
	return time.Duration(r.failures)*r.interval + r.timeout
}

func (r rules) nextProbe() time.Duration {
	return time.Duration(float64(r.interval) * (1 - probeJitter + 2*probeJitter*rand.Float64()))
}

// target is what one probe goes to.
type target struct {
	url *url.URL
	request
	// control refuses addresses, as a net.Dialer's; nil: none.
	control func(network, address string, c syscall.RawConn) error
}

type controlKey struct{}

// probeFunc probes an instance once and returns its start nonce, "" when it gives none. It ends with ctx.
type probeFunc func(ctx context.Context, t target) (start string, err error)

// newProbe returns the probe of real instances. Each probe has a connection of its own: one kept from the last would
// not tell whether the program still takes new ones, and one of the traffic's would be missing there.
func newProbe() probeFunc {
	transports := map[Protocol]*http.Transport{}
	for _, p := range []Protocol{HTTP1, H2, H2C} {
		transports[p] = &http.Transport{
			Proxy: nil, DialContext: dialProbe, DisableKeepAlives: true, DisableCompression: true,
			MaxResponseHeaderBytes: probeHeader, Protocols: p.HTTP(),
		}
	}
	return func(ctx context.Context, t target) (string, error) {
		ctx = context.WithValue(ctx, controlKey{}, t.control)
		if t.path == "" {
			return "", probeTCP(ctx, t.url)
		}
		return probeHTTP(ctx, transports[t.speak], t)
	}
}

// dialProbe dials what the context's target allows. net/http hands the request's context on to it.
func dialProbe(ctx context.Context, network, addr string) (net.Conn, error) {
	control, _ := ctx.Value(controlKey{}).(func(network, address string, c syscall.RawConn) error)
	d := net.Dialer{Control: control}
	return d.DialContext(ctx, network, addr)
}

// Probe returns the probe of a pool that is configured so, for a source that has to know before the pool does whether a
// program is healthy: nil if it is. It is safe for concurrent use.
func (cfg PoolConfig) Probe() func(ctx context.Context, u *url.URL) error {
	rules, probe := newRules(cfg), newProbe()
	return func(ctx context.Context, u *url.URL) error {
		ctx, cancel := context.WithTimeout(ctx, rules.timeout)
		defer cancel()
		_, err := probe(ctx, target{url: u, request: rules.ask})
		return err
	}
}

func probeTCP(ctx context.Context, u *url.URL) error {
	conn, err := dialProbe(ctx, "tcp", address(u))
	if err != nil {
		return err
	}
	return conn.Close()
}

// probeHTTP asks the RoundTripper itself, which follows no redirect: what another address answers says nothing
// about this instance.
func probeHTTP(ctx context.Context, rt http.RoundTripper, t target) (string, error) {
	req, err := http.NewRequestWithContext(ctx, t.method, t.url.String()+t.path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", probeAgent)
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, probeBody)); err != nil {
		return "", fmt.Errorf("reading the health answer: %w", err)
	}
	if !t.healthy.has(resp.StatusCode) {
		return "", fmt.Errorf("health answer %d, %s is healthy", resp.StatusCode, t.healthy)
	}
	return parseStart(resp.Header.Get(StartHeader)), nil
}

// parseStart returns the nonce in a StartHeader, or "" for one that is over-long or not visible ASCII: it goes into
// the shared store, so an instance must not choose its size.
func parseStart(value string) string {
	s := strings.Trim(value, " \t")
	if len(s) > maxStart {
		return ""
	}
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return ""
		}
	}
	return s
}

// isRefused says whether err proves that a host is there and no program listens.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
