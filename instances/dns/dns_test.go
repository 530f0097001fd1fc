package dns_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/dns"
	"github.com/limpet-proxy/limpet/instances/sourcetest"
)

func TestConforms(t *testing.T) {
	for kind, change := range map[string]func(*dns.Config){
		"A":       nil,
		"A, AAAA": func(c *dns.Config) { c.Family = instances.FamilyAny },
		"SRV":     func(c *dns.Config) { c.Name, c.Port = "_http._tcp.counter.test", 0 },
	} {
		t.Run(kind, func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Harness{Open: func(tb testing.TB) sourcetest.World {
				s := newServer(tb)
				return sourcetest.World{
					New:     func() instances.Source { return newSource(tb, s, change).Source },
					Silence: s.silence,
					Set:     func(hosts ...string) { people(s, hosts) },
				}
			}})
		})
	}
}

// people makes hosts all that there is, as A records and as SRV records.
func people(s *server, hosts []string) {
	var services []string
	for _, h := range hosts {
		target := "h" + h + ".test."
		s.set(target, "A", target+" 3600 IN A "+h)
		services = append(services, fmt.Sprintf("_http._tcp.%s 3600 IN SRV 0 0 %d %s", owner, port, target))
	}
	s.set(owner, "A", a(hosts...)...)
	s.set("_http._tcp."+owner, "SRV", services...)
}

func TestANewSourceNeedsAKey(t *testing.T) {
	_, err := dns.New(dns.Config{Key: []byte("short")})
	require.ErrorIs(t, err, dns.ErrKey)
}

// Whoever sees IDs must not learn addresses by trying all there are, so IDs need the key; and whoever has it makes the
// same ones.
func TestIDsAreTheKeys(t *testing.T) {
	s := newServer(t)
	s.set(owner, "A", a("127.0.0.1", "127.0.0.2")...)
	ids := func(change func(*dns.Config)) map[string]string {
		src := ask(t, s, change)
		src.await(at("127.0.0.1", "127.0.0.2")...)
		all := map[string]string{}
		places, _ := src.Places()
		for _, p := range places {
			all[p.URL.Host] = p.ID
		}
		require.Len(t, all, 2)
		return all
	}
	one := ids(nil)
	require.Equal(t, one, ids(nil), "replicas agree")
	s.set("alias.test.", "A", "alias.test. 60 IN A 127.0.0.1", "alias.test. 60 IN A 127.0.0.2")
	require.Equal(t, one, ids(func(c *dns.Config) { c.Name = "alias.test" }), "another name for the same places keeps them")
	other := ids(func(c *dns.Config) { c.Key = bytes.Repeat([]byte("k"), dns.MinKey) })
	for host := range one {
		require.NotEqual(t, one[host], other[host])
		require.Regexp(t, `^[0-9a-f]{16}$`, one[host])
	}
}

func TestBothFamilies(t *testing.T) {
	s := newServer(t)
	s.set(owner, "A", a("127.0.0.1")...)
	s.set(owner, "AAAA", owner+" 60 IN AAAA ::1", owner+" 60 IN AAAA ::ffff:127.0.0.9")
	ask(t, s, func(c *dns.Config) { c.Family = "" }).await("127.0.0.1:8080", "127.0.0.9:8080", "[::1]:8080")
	ask(t, s, func(c *dns.Config) { c.Family = instances.FamilyIPv6 }).await("127.0.0.9:8080", "[::1]:8080")
	ask(t, s, nil).await("127.0.0.1:8080")
}

// A server that drops questions for AAAA, as some do, delays nothing and takes nothing away.
func TestAFamilyThatIsNeverAnswered(t *testing.T) {
	s := newServer(t)
	s.set(owner, "A", a("127.0.0.1")...)
	s.meddle(func(_ mdns.ResponseWriter, r, _ *mdns.Msg) bool { return r.Question[0].Qtype == mdns.TypeAAAA })
	src := ask(t, s, func(c *dns.Config) { c.Family = instances.FamilyAny })
	src.until("the other family's address", func() bool { return len(src.addrs()) == 1 })
	s.set(owner, "A", a("127.0.0.1", "127.0.0.2")...)
	src.await(at("127.0.0.1", "127.0.0.2")...)
}

func TestServices(t *testing.T) {
	s := newServer(t)
	const service = "_http._tcp.counter.test."
	s.set(service, "SRV",
		service+" 60 IN SRV 0 0 9001 one.test.", service+" 60 IN SRV 9 9 9002 one.test.",
		service+" 60 IN SRV 0 0 9003 two.test.", service+" 60 IN SRV 0 0 0 one.test.")
	s.set("one.test.", "A", "one.test. 60 IN CNAME really.test.", "really.test. 60 IN A 127.0.0.1")
	s.set("two.test.", "A", "two.test. 60 IN A 127.0.0.2")
	src := ask(t, s, func(c *dns.Config) { c.Name, c.Port = "_http._tcp.counter.test", 0 })
	src.await("127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.2:9003")

	fail := func(w mdns.ResponseWriter, r, m *mdns.Msg) bool {
		if r.Question[0].Name == "two.test." {
			m.Rcode, m.Answer = mdns.RcodeServerFailure, nil
		}
		return false
	}
	s.meddle(fail)
	s.set("one.test.", "A", "one.test. 60 IN A 127.0.0.3")
	src.await("127.0.0.2:9003", "127.0.0.3:9001", "127.0.0.3:9002")
	s.meddle(nil)
	s.unset("two.test.", "A")
	src.await("127.0.0.3:9001", "127.0.0.3:9002")

	s.set(service, "SRV", service+" 60 IN SRV 0 0 0 .")
	src.await()
}

// What comes under another owner than the one that was asked for, or that it leads to, was not asked for.
func TestOnlyWhatWasAskedForCounts(t *testing.T) {
	s := newServer(t)
	s.set(owner, "A", "else.test. 60 IN A 127.0.0.66", "COUNTER.test. 60 IN CNAME b.test.", "b.test. 60 IN A 127.0.0.1",
		"b.test. 60 IN CNAME counter.test.", "b.test. 60 CH A 127.0.0.67")
	ask(t, s, nil).await("127.0.0.1:8080")
}

// A filter answers 0.0.0.0, and to dial that is to dial this machine.
func TestNoAddressIsNone(t *testing.T) {
	s := newServer(t)
	s.set(owner, "A", a("0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1")...)
	src := ask(t, s, nil)
	src.await(at("127.0.0.1")...)
	s.set(owner, "A", a("0.0.0.0")...)
	src.await()
}

func TestTooManyAreCut(t *testing.T) {
	s := newServer(t)
	var hosts []string
	for i := range dns.MaxPlaces + 50 {
		hosts = append(hosts, fmt.Sprintf("10.0.%d.%d", i/250, i%250+1))
	}
	s.set(owner, "A", a(hosts...)...)
	s.meddle(truncating)
	src := ask(t, s, func(c *dns.Config) { c.Refresh = time.Hour })
	src.until("as many as count", func() bool { return len(src.addrs()) == dns.MaxPlaces })
	require.Equal(t, netip.MustParseAddrPort("10.0.0.1:8080").String(), src.addrs()[0], "the same on every replica")
	require.Equal(t, 1, src.log.count("too many addresses"))
}

// truncating makes answers by UDP as short as the asker wants them.
func truncating(w mdns.ResponseWriter, r, m *mdns.Msg) bool {
	if w.RemoteAddr().Network() == "udp" {
		size := mdns.MinMsgSize
		if opt := r.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		m.Truncate(size)
	}
	return false
}

func ExampleNew() {
	cfg := dns.Config{DNSConfig: instances.DefaultDNSConfig(), Key: []byte("a secret that the replicas share")}
	cfg.Name, cfg.Port = "counter.svc", 8080
	source, err := dns.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	places, known := source.Places()
	fmt.Println(len(places), known)
	// Output: 0 false
}
