package dns

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/limpet-proxy/limpet/instances"
)

// targetsAtOnce is how many targets of SRV records are asked for at a time.
const targetsAtOnce = 16

// services finds where SRV records lead. It belongs to one goroutine.
type services struct {
	lookup lookup
	family instances.Family
	last   map[host][]netip.Addr // its addresses in the last answer
}

// host is a target's name and one kind of its addresses.
type host struct {
	name string
	kind uint16
}

// target is one SRV record: RFC 2782. Priority and weight are not looked at: sessions are placed by free slots.
type target struct {
	name string
	port uint16
}

// find returns what the SRV records of name lead to. A target without an answer stays where it was known to be; an
// error says that there was no answer for the records themselves, or for no target.
func (s *services) find(ctx context.Context, name string) (answer, error) {
	m, err := s.lookup.first(ctx, name, dns.TypeSRV)
	if err != nil || m == nil {
		return answer{}, err
	}
	targets, ttl := targetsOf(m)
	found := s.resolve(ctx, targets)
	a := answer{ttl: ttl}
	next := map[host][]netip.Addr{}
	var failed error
	for _, t := range targets {
		for _, kind := range kindsOf(s.family) {
			h := host{t.name, kind}
			f := found[h]
			if f.err != nil {
				f.addrs, failed = s.last[h], fmt.Errorf("%s: %w", t.name, f.err)
			} else if len(f.addrs) > 0 {
				a.ttl = min(a.ttl, f.ttl)
			}
			next[h] = f.addrs
			a.at = append(a.at, atPort(f.addrs, t.port)...)
		}
	}
	if len(a.at) == 0 && failed != nil {
		return answer{}, failed
	}
	s.last = next
	slices.SortFunc(a.at, netip.AddrPort.Compare)
	a.at = slices.Compact(a.at)
	return a, nil
}

// located is where a host is.
type located struct {
	addrs []netip.Addr
	ttl   time.Duration
	err   error
}

// resolve asks for the addresses of each target once.
func (s *services) resolve(ctx context.Context, targets []target) map[host]located {
	found := map[host]located{}
	for _, t := range targets {
		for _, kind := range kindsOf(s.family) {
			found[host{t.name, kind}] = located{}
		}
	}
	var mu sync.Mutex
	var asking sync.WaitGroup
	free := make(chan struct{}, targetsAtOnce)
	for _, h := range slices.Collect(maps.Keys(found)) {
		free <- struct{}{}
		asking.Go(func() {
			defer func() { <-free }()
			var l located
			l.addrs, l.ttl, l.err = s.lookup.search(ctx, h.name, h.kind)
			mu.Lock()
			defer mu.Unlock()
			found[h] = l
		})
	}
	asking.Wait()
	return found
}

// targetsOf returns the targets that m answers with, and their least TTL. A target "." says that the service is not
// there.
func targetsOf(m *dns.Msg) (all []target, ttl time.Duration) {
	ttl = time.Duration(math.MaxInt64)
	owners := chain(m)
	for _, record := range m.Answer {
		r, ok := record.(*dns.SRV)
		if !ok || !owners[dns.CanonicalName(r.Hdr.Name)] || r.Hdr.Class != dns.ClassINET {
			continue
		}
		ttl = min(ttl, ttlOf(&r.Hdr))
		if name := dns.CanonicalName(r.Target); name != "." && r.Port != 0 && len(all) < maxPlaces {
			all = append(all, target{name, r.Port})
		}
	}
	return all, ttl
}
