package instances

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
)

// ErrForbidden means that an instance that only other replicas list is at an address that may not be dialled.
var ErrForbidden = errors.New("address is in no allowed range")

// reach is where instances may be that only other replicas list. What they say comes through the store: whoever can
// write there must not be able to send clients to any address that this replica reaches, such as the metadata service of
// a cloud, or Limpet's own admin listener. It is immutable.
type reach struct {
	ranges   []netip.Prefix   // nil: private networks
	loopback bool             // the function's own instances are on loopback: all of this is one machine
	listed   map[string]bool  // addresses of the function's own instances: under another ID it is another's mistake
	own      []netip.AddrPort // the process's own listeners
}

func newReach(cfg PoolConfig, listed []*Instance) *reach {
	r := &reach{listed: map[string]bool{}, own: cfg.Own}
	for _, text := range cfg.Config.AllowedRanges {
		if p, err := netip.ParsePrefix(text); err == nil {
			r.ranges = append(r.ranges, p.Masked())
		}
	}
	for _, i := range listed {
		host, err := netip.ParseAddr(i.url.Hostname())
		r.loopback = r.loopback || i.url.Hostname() == "localhost" || err == nil && host.IsLoopback()
		r.listed[address(i.url)] = true
	}
	return r
}

// permitsURL says what can be said before a name is resolved.
func (r *reach) permitsURL(u *url.URL) error {
	if r.listed[address(u)] {
		return fmt.Errorf("%w: it is that of an instance with another ID here", ErrForbidden)
	}
	if at, err := netip.ParseAddrPort(address(u)); err == nil {
		return r.permits(at)
	}
	return nil
}

func (r *reach) permits(at netip.AddrPort) error {
	addr := at.Addr().Unmap()
	if slices.ContainsFunc(r.own, func(l netip.AddrPort) bool {
		here := l.Addr().Unmap()
		return l.Port() == at.Port() && (here == addr || here.IsUnspecified() || here.IsLoopback() && addr.IsLoopback())
	}) {
		return fmt.Errorf("%w: %s is Limpet's own", ErrForbidden, at)
	}
	if r.contains(addr) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrForbidden, addr)
}

func (r *reach) contains(addr netip.Addr) bool {
	if len(r.ranges) > 0 {
		return slices.ContainsFunc(r.ranges, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	carrier := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10) // RFC 6598; clusters number Pods from it
	return addr.IsPrivate() || carrier.Contains(addr) || r.loopback && addr.IsLoopback()
}

// Control is for a net.Dialer that dials the instance: it refuses what Permits does not allow, after names are resolved
// and before anything is sent.
func (i *Instance) Control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	return i.Permits(at)
}
