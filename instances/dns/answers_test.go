package dns_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/dns"
)

// rcode makes a server fail with a code.
func rcode(code int) func(mdns.ResponseWriter, *mdns.Msg, *mdns.Msg) bool {
	return func(_ mdns.ResponseWriter, _, m *mdns.Msg) bool {
		m.Rcode, m.Answer = code, nil
		return false
	}
}

// write makes a server answer with bytes of its own making.
func write(change func(raw []byte) []byte) func(mdns.ResponseWriter, *mdns.Msg, *mdns.Msg) bool {
	return func(w mdns.ResponseWriter, _, m *mdns.Msg) bool {
		raw, err := m.Pack()
		if err == nil {
			_, err = w.Write(change(raw))
		}
		return err == nil
	}
}

// TestNoAnswerTakesNothingAway goes through what is no answer. The test of silence is sourcetest's.
func TestNoAnswerTakesNothingAway(t *testing.T) {
	for kind, hook := range map[string]func(mdns.ResponseWriter, *mdns.Msg, *mdns.Msg) bool{
		"SERVFAIL": rcode(mdns.RcodeServerFailure),
		"REFUSED":  rcode(mdns.RcodeRefused),
		"FORMERR":  rcode(mdns.RcodeFormatError),
		"lame": func(_ mdns.ResponseWriter, _, m *mdns.Msg) bool {
			m.Answer, m.RecursionAvailable = nil, false
			return false
		},
		"the answer to another question": func(_ mdns.ResponseWriter, _, m *mdns.Msg) bool {
			m.Question[0].Name, m.Answer = "other.test.", nil
			return false
		},
		"another type": func(_ mdns.ResponseWriter, _, m *mdns.Msg) bool {
			m.Question[0].Qtype, m.Answer = mdns.TypeTXT, nil
			return false
		},
		"no question": func(_ mdns.ResponseWriter, _, m *mdns.Msg) bool {
			m.Question, m.Answer = nil, nil
			return false
		},
		"the question itself": func(_ mdns.ResponseWriter, _, m *mdns.Msg) bool {
			m.Response, m.Answer = false, nil
			return false
		},
		"cut":             write(func(raw []byte) []byte { return raw[:len(raw)-3] }),
		"garbage":         write(func(raw []byte) []byte { return append(raw[:12:12], 0xff, 0xff, 0xff) }),
		"a loop of names": write(func(raw []byte) []byte { return append(raw[:12:12], 0xc0, 12, 0, 1, 0, 1) }),
		"truncated also by TCP": func(_ mdns.ResponseWriter, _, m *mdns.Msg) bool {
			m.Truncated, m.Answer = true, nil
			return false
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.set(owner, "A", a("127.0.0.1")...)
			src := ask(t, s, nil)
			src.await(at("127.0.0.1")...)
			s.meddle(hook)
			s.set(owner, "A", a("127.0.0.2")...)
			src.until("it noticed", func() bool { return src.log.count("not answered") == 1 })
			src.stays(s, "A", 12, at("127.0.0.1")...)
			require.Equal(t, 1, src.log.count("not answered"), "told once")
			s.meddle(nil)
			src.await(at("127.0.0.2")...)
			src.until("it says so", func() bool { return src.log.count("answered again") == 1 })
		})
	}
}

// TestAnEmptyAnswerIsDoubtedFirst: a name server that has just started says that there is nothing.
func TestAnEmptyAnswerIsDoubtedFirst(t *testing.T) {
	for kind, empty := range map[string]func(*server){
		"NXDOMAIN": func(s *server) { s.unset(owner, "A") },
		"no data":  func(s *server) { s.set(owner, "A") },
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.set(owner, "A", a("127.0.0.1")...)
			src := ask(t, s, func(c *dns.Config) { c.Refresh = 100 * time.Millisecond })
			src.await(at("127.0.0.1")...)
			empty(s)
			src.until("one empty answer", func() bool { return src.log.count("no addresses any more") == 1 })
			require.Equal(t, at("127.0.0.1"), src.addrs())
			s.set(owner, "A", a("127.0.0.1")...)
			src.stays(s, "A", 4, at("127.0.0.1")...)

			before := s.count(owner, "A")
			empty(s)
			src.await()
			require.GreaterOrEqual(t, s.count(owner, "A"), before+3, "three in a row")
			s.set(owner, "A", a("127.0.0.1")...)
			src.await(at("127.0.0.1")...)
		})
	}
}

func TestTruncatedAnswersComeByTCP(t *testing.T) {
	s := newServer(t)
	var hosts []string
	for i := range 200 {
		hosts = append(hosts, fmt.Sprintf("10.0.0.%d", i+1))
	}
	s.set(owner, "A", a(hosts...)...)
	s.meddle(truncating)
	src := ask(t, s, nil)
	src.await(at(hosts...)...)
	require.Positive(t, s.tcpCount())
}

func TestAServerFromBeforeEDNS(t *testing.T) {
	s := newServer(t)
	s.set(owner, "A", a("127.0.0.1")...)
	s.meddle(func(_ mdns.ResponseWriter, r, m *mdns.Msg) bool {
		if r.IsEdns0() != nil {
			m.Rcode, m.Answer, m.Question = mdns.RcodeFormatError, nil, nil
		}
		return false
	})
	ask(t, s, nil).await(at("127.0.0.1")...)
}

// TestTheTTLCountsWhereItIsShorter: with an hour to the next round, only the TTL can bring the change.
func TestTheTTLCountsWhereItIsShorter(t *testing.T) {
	s := newServer(t)
	s.set(owner, "A", owner+" 1 IN A 127.0.0.1", owner+" 3600 IN A 127.0.0.2")
	src := ask(t, s, func(c *dns.Config) { c.Refresh = time.Hour })
	src.await(at("127.0.0.1", "127.0.0.2")...)
	begun := time.Now()
	s.set(owner, "A", owner+" 0 IN A 127.0.0.3")
	src.await(at("127.0.0.3")...)
	require.GreaterOrEqual(t, time.Since(begun), 500*time.Millisecond)
	time.Sleep(300 * time.Millisecond)
	require.Less(t, s.count(owner, "A"), 20, "a TTL of 0 asks no more than once a second")
	s.set(owner, "A", owner+" 3600 IN CNAME b.test.", "b.test. 3600 IN A 127.0.0.4")
	src.await(at("127.0.0.4")...)
	asked := s.count(owner, "A")
	time.Sleep(1500 * time.Millisecond)
	require.Equal(t, asked, s.count(owner, "A"), "an hour is an hour where the TTL is not shorter")
}

// TestTheSystemsServers has a resolv.conf with a server that is not there, search domains, and a name that exists under
// the second of them.
func TestTheSystemsServers(t *testing.T) {
	s := newServer(t)
	s.set("counter.b.test.", "A", "counter.b.test. 60 IN A 127.0.0.1")
	s.set("counter.c.test.", "A", "counter.c.test. 60 IN A 127.0.0.66")
	file := filepath.Join(t.TempDir(), "resolv.conf")
	conf := "search a.test b.test c.test\noptions ndots:5 timeout:1 attempts:1\n"
	host, port, err := net.SplitHostPort(s.addr)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("nameserver 127.0.0.99\nnameserver "+host+"\n"+conf), 0o600))
	s.set("counter.c.test.", "AAAA", "counter.c.test. 60 IN AAAA ::66")
	src := newSource(t, s, func(c *dns.Config) { c.Name, c.Server, c.Family = "counter", "", instances.FamilyAny })
	src.WithResolvConf(file, port)
	src.run().await(at("127.0.0.1")...)
	require.Zero(t, s.count("counter.c.test.", "A"), "the first that exists counts")
	require.Zero(t, s.count("counter.c.test.", "AAAA"), "also where it has no such address")

	s.meddle(func(_ mdns.ResponseWriter, r, m *mdns.Msg) bool {
		if r.Question[0].Name == "counter.b.test." {
			m.Rcode, m.Answer = mdns.RcodeServerFailure, nil
		}
		return false
	})
	src.until("it noticed, for both kinds", func() bool { return src.log.count("not answered") == 2 })
	require.Equal(t, at("127.0.0.1"), src.addrs())
	require.Zero(t, s.count("counter.c.test.", "A"), "what the next name stands for is another matter")
}

// TestAServerThatIsSilentHoldsNothingUp: neither a reload nor the end of the process waits until it would have answered.
func TestAServerThatIsSilentHoldsNothingUp(t *testing.T) {
	s := newServer(t)
	s.silence(true)
	src := newSource(t, s, nil)
	src.WithTimeout(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		src.Run(ctx, func() {})
	}()
	src.until("it asks", func() bool { return s.count(owner, "A") > 0 })
	cancel()
	select {
	case <-done:
	case <-time.After(patience):
		require.Fail(t, "it waits on")
	}
}

func FuzzAnswer(f *testing.F) {
	m := new(mdns.Msg).SetQuestion(owner, mdns.TypeA)
	m.Response, m.RecursionAvailable = true, true
	for _, text := range []string{owner + " 60 IN CNAME b.test.", "b.test. 60 IN A 10.0.0.1", "b.test. 60 IN CNAME " + owner,
		owner + " 60 IN A 0.0.0.0", owner + " 60 IN AAAA ::1", owner + " 60 IN SRV 0 0 80 b.test."} {
		record, err := mdns.NewRR(text)
		require.NoError(f, err)
		m.Answer = append(m.Answer, record)
	}
	raw, err := m.Pack()
	require.NoError(f, err)
	f.Add(raw, mdns.TypeA)
	f.Add(raw[:20], mdns.TypeAAAA)
	f.Add([]byte{}, mdns.TypeSRV)
	f.Fuzz(func(t *testing.T, raw []byte, kind uint16) {
		addrs, targets, err := dns.AnswerOf(raw, owner, kind)
		require.True(t, err == nil || addrs+targets == 0)
		require.LessOrEqual(t, targets, dns.MaxPlaces)
	})
}
