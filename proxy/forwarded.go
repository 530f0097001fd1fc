package proxy

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Trusted are the proxies whose X-Forwarded-* headers count. The zero value trusts none, not even loopback: anybody
// on the machine could say anything.
type Trusted struct{ ranges []netip.Prefix }

// ParseTrusted reads IP addresses and CIDR ranges.
func ParseTrusted(ranges []string) (Trusted, error) {
	var t Trusted
	for _, s := range ranges {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			addr, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return Trusted{}, fmt.Errorf("%q is not an IP address or a CIDR range", s)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		t.ranges = append(t.ranges, prefix.Masked())
	}
	return t, nil
}

func (t Trusted) contains(ip string) bool {
	if len(t.ranges) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, p := range t.ranges {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// client is what is known of who sent a request, and how.
type client struct {
	peer    string // the IP address at the other end of the connection
	trusted bool   // peer's X-Forwarded-* count
	scheme  string // that the first hop used: http or https
}

func (t Trusted) client(r *http.Request) client {
	c := client{peer: r.RemoteAddr, scheme: "http"}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.peer = host
	}
	c.trusted = t.contains(c.peer)
	if r.TLS != nil {
		c.scheme = "https"
	}
	if c.trusted {
		first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
		if s := strings.ToLower(strings.TrimSpace(first)); s == "http" || s == "https" {
			c.scheme = s
		}
	}
	return c
}

// forward sets the X-Forwarded-* headers of the request to the instance. Those of a peer that is not trusted are
// replaced or dropped, for anybody can write them. So are, from anybody, those that a program that turns dashes into
// underscores would take for them.
func (c client) forward(in *http.Request, out http.Header) {
	chain, host := c.peer, in.Host
	if c.trusted {
		if prior := in.Header["X-Forwarded-For"]; len(prior) > 0 {
			chain = strings.Join(prior, ", ") + ", " + c.peer
		}
		if prior := in.Header.Get("X-Forwarded-Host"); prior != "" {
			host = prior
		}
	}
	for name := range out {
		if isForwarded(name) && (!c.trusted || strings.Contains(name, "_")) {
			delete(out, name)
		}
	}
	out.Set("X-Forwarded-For", chain)
	out.Set("X-Forwarded-Host", host)
	out.Set("X-Forwarded-Proto", c.scheme)
}
