package instances

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Bounds of DNSConfig.Refresh: name servers are not to be asked more often, and one that is asked less often than once
// an hour has the wrong unit.
const (
	MinDNSRefresh = 100 * time.Millisecond
	MaxDNSRefresh = time.Hour
)

const maxPort = 65535

// SRV says whether the name is one of SRV records: it begins with _service._proto.
func (c DNSConfig) SRV() bool {
	service, rest, _ := strings.Cut(c.Name, ".")
	proto, rest, _ := strings.Cut(rest, ".")
	return strings.HasPrefix(service, "_") && strings.HasPrefix(proto, "_") && rest != ""
}

func (c DNSConfig) validate(report func(key, problem string)) {
	const acceptedName = "accepted is a name such as counter.svc, or _http._tcp.counter.svc for SRV records"
	_, notIP := netip.ParseAddr(c.Name)
	switch {
	case c.Name == "":
		report("name", "is missing, "+acceptedName)
	case notIP == nil:
		report("name", fmt.Sprintf("%q is an address and never changes, accepted is a name; an address belongs in static", c.Name))
	case !validDNSName(c.Name):
		report("name", fmt.Sprintf("%.80q is no name, %s", c.Name, acceptedName))
	}
	switch {
	case c.SRV() && c.Port != 0:
		report("port", fmt.Sprintf("%d would not count, accepted is to leave it out: SRV records have their own", c.Port))
	case !c.SRV() && (c.Port < 1 || c.Port > maxPort):
		report("port", fmt.Sprintf("%d is no port, accepted is 1 to %d", c.Port, maxPort))
	}
	if c.Refresh < MinDNSRefresh || c.Refresh > MaxDNSRefresh {
		report("refresh", fmt.Sprintf("%s is out of range, accepted is %s to %s", c.Refresh, MinDNSRefresh, MaxDNSRefresh))
	}
	if server, err := netip.ParseAddrPort(c.Server); c.Server != "" && (err != nil || server.Port() == 0) {
		report("server", fmt.Sprintf("%.60q is no name server, accepted is an address and a port such as 127.0.0.1:53, or to leave it out", c.Server))
	}
	if c.Family != FamilyAny && c.Family != FamilyIPv4 && c.Family != FamilyIPv6 {
		report("family", fmt.Sprintf("%.40q is no family of addresses, accepted is any, ipv4 or ipv6", string(c.Family)))
	}
}

// validDNSName takes what a host name may have, and underscores, which SRV and container names have.
func validDNSName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.ContainsFunc(label, notInName) {
			return false
		}
	}
	return true
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
