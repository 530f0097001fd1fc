package dns

import (
	"context"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// lookup finds what names stand for.
type lookup struct{ resolver resolver }

// search asks for a name's addresses of one kind (A or AAAA), sorted, with their least TTL. None without an error is the answer
// that there are none.
func (l lookup) search(ctx context.Context, name string, kind uint16) ([]netip.Addr, time.Duration, error) {
	m, err := l.first(ctx, name, kind)
	if err != nil || m == nil {
		return nil, 0, err
	}
	addrs, ttl := addresses(m)
	return addrs, ttl, nil
}

// first returns the answer for the first name of the search list that exists; nil if none does. A name of the list that
// nobody answers for ends the search: the next one may exist too, and be something else.
func (l lookup) first(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	servers, err := l.resolver.servers()
	if err != nil {
		return nil, err
	}
	for _, full := range servers.NameList(name) {
		m, err := l.resolver.ask(ctx, servers, full, kind)
		if err != nil {
			return nil, err
		}
		if m.Rcode != dns.RcodeNameError {
			return m, nil
		}
	}
	return nil, nil
}

// addresses returns the addresses that m answers its question with, sorted, each once, and their least TTL.
func addresses(m *dns.Msg) (all []netip.Addr, ttl time.Duration) {
	ttl = time.Duration(math.MaxInt64)
	owners := chain(m)
	for _, record := range m.Answer {
		header := record.Header()
		if !owners[dns.CanonicalName(header.Name)] || header.Class != dns.ClassINET {
			continue
		}
		switch r := record.(type) {
		case *dns.A:
			all = appendAddress(all, r.A)
		case *dns.AAAA:
			all = appendAddress(all, r.AAAA)
		case *dns.CNAME:
		default:
			continue
		}
		ttl = min(ttl, ttlOf(header))
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all), ttl
}

// chain is the name that m was asked for and those that its CNAMEs lead to.
func chain(m *dns.Msg) map[string]bool {
	owners := map[string]bool{}
	if len(m.Question) > 0 {
		owners[dns.CanonicalName(m.Question[0].Name)] = true
	}
	for grown := true; grown; {
		grown = false
		for _, record := range m.Answer {
			c, ok := record.(*dns.CNAME)
			if !ok || !owners[dns.CanonicalName(c.Hdr.Name)] {
				continue
			}
			if target := dns.CanonicalName(c.Target); !owners[target] {
				owners[target], grown = true, true
			}
		}
	}
	return owners
}

// appendAddress leaves out what nobody can be dialled at. 0.0.0.0 is what filters answer with, and to dial it would be to
// dial this machine.
func appendAddress(all []netip.Addr, ip []byte) []netip.Addr {
	a, ok := netip.AddrFromSlice(ip)
	a = a.Unmap()
	if !ok || a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return all
	}
	return append(all, a)
}

// ttlOf is a record's TTL. One with its first bit set is 0 (RFC 2181, section 8).
func ttlOf(h *dns.RR_Header) time.Duration {
	if h.Ttl > math.MaxInt32 {
		return 0
	}
	return time.Duration(h.Ttl) * time.Second
}
