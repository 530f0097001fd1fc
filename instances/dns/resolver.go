package dns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/miekg/dns"
)

const (
	resolvConf = "/etc/resolv.conf"
	tryTimeout = 2 * time.Second
	attempts   = 2
	// ednsSize is how long an answer by UDP may be: what passes every network in one piece (DNS Flag Day 2020).
	ednsSize = 1232
)

// What a server may say that is no answer.
var (
	errNotAnAnswer = errors.New("not an answer to the question")
	errLame        = errors.New("neither an answer nor a server to ask")
)

// resolver asks name servers. It keeps nothing between two questions.
type resolver struct {
	server string // host:port; "": those of file
	file   string // a resolv.conf
	port   string // of the servers in file; "": 53
	// timeout bounds one question to one server, where file does not say less.
	timeout time.Duration
}

// servers returns whom to ask. The file is read each time, for it may change.
func (r resolver) servers() (*dns.ClientConfig, error) {
	if r.server != "" {
		host, port, err := net.SplitHostPort(r.server)
		return &dns.ClientConfig{Servers: []string{host}, Port: port}, err
	}
	c, err := dns.ClientConfigFromFile(r.file)
	if errors.Is(err, fs.ErrNotExist) {
		c, err = &dns.ClientConfig{Port: "53", Ndots: 1}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(c.Servers) == 0 {
		c.Servers = []string{"127.0.0.1"} // resolv.conf(5) says so
	}
	c.Port = cmp.Or(r.port, c.Port)
	return c, nil
}

// ask puts one question to one server after the other until one answers that the name has records, or none, or does not
// exist. Whatever else comes is no answer, and an error.
func (r resolver) ask(ctx context.Context, servers *dns.ClientConfig, name string, kind uint16) (*dns.Msg, error) {
	timeout := r.timeout
	if servers.Timeout > 0 {
		timeout = min(timeout, time.Duration(servers.Timeout)*time.Second)
	}
	var failed error
	for range attempts {
		for _, host := range servers.Servers {
			q := query{server: net.JoinHostPort(host, servers.Port), name: name, kind: kind, timeout: timeout}
			m, err := q.send(ctx)
			if err == nil {
				return m, nil
			}
			failed = fmt.Errorf("name server %s: %w", q.server, err)
			if ctx.Err() != nil {
				return nil, failed
			}
		}
	}
	return nil, failed
}

// query is one question to one server.
type query struct {
	server, name string
	kind         uint16
	timeout      time.Duration
}

// send asks by UDP, and by TCP where the answer does not fit.
func (q query) send(ctx context.Context) (*dns.Msg, error) {
	m, err := q.exchange(ctx, "udp", true)
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) {
		m, err = q.exchange(ctx, "udp", false) // a server from before EDNS
	}
	if m != nil && m.Truncated { // cut, possibly within a record: then it cannot be decoded either
		m, err = q.exchange(ctx, "tcp", true)
	}
	if err != nil {
		return nil, err
	}
	return m, q.judge(m)
}

// judge says why m is no answer to q, nil if it is one.
func (q query) judge(m *dns.Msg) error {
	switch {
	case !m.Response, m.Truncated, len(m.Question) != 1, m.Question[0].Qtype != q.kind, m.Question[0].Qclass != dns.ClassINET,
		dns.CanonicalName(m.Question[0].Name) != dns.CanonicalName(q.name):
		return errNotAnAnswer
	case m.Rcode == dns.RcodeNameError:
		return nil
	case m.Rcode != dns.RcodeSuccess:
		return fmt.Errorf("answers %s", dns.RcodeToString[m.Rcode])
	case len(m.Answer) == 0 && !m.Authoritative && !m.RecursionAvailable:
		return errLame // it sends elsewhere: taken for "there are none", it would take every instance away
	default:
		return nil
	}
}

// exchange sends the question and returns what came back: also together with an error, as far as it could be decoded.
func (q query) exchange(ctx context.Context, network string, edns bool) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	m := new(dns.Msg).SetQuestion(q.name, q.kind)
	if edns {
		m.SetEdns0(ednsSize, false)
	}
	client := &dns.Client{Net: network, Timeout: q.timeout}
	conn, err := client.DialContext(ctx, q.server)
	if err != nil {
		return nil, err
	}
	// The library looks at the deadline only: what ends the context must end the wait.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	got, _, err := client.ExchangeWithConnContext(ctx, m, conn)
	if got != nil && got.Id != m.Id {
		return nil, errors.Join(errNotAnAnswer, err)
	}
	return got, err
}
