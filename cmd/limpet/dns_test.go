package main_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sample"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// nameServer is a name server with one name.
type nameServer struct {
	addr string

	mu     sync.Mutex
	hosts  []string
	silent bool
}

func newNameServer(t *testing.T, hosts ...string) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &nameServer{addr: conn.LocalAddr().String(), hosts: hosts}
	ready, done := make(chan struct{}), make(chan struct{})
	srv := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(s.serve), NotifyStartedFunc: func() { close(ready) }}
	go func() {
		defer close(done)
		_ = srv.ActivateAndServe()
	}()
	<-ready
	t.Cleanup(func() {
		_ = srv.Shutdown()
		<-done
	})
	return s
}

func (s *nameServer) serve(w dns.ResponseWriter, r *dns.Msg) {
	s.mu.Lock()
	hosts, silent := s.hosts, s.silent
	s.mu.Unlock()
	m := new(dns.Msg).SetReply(r)
	m.RecursionAvailable = true
	for _, h := range hosts {
		if r.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(h),
			})
		}
	}
	if !silent {
		_ = w.WriteMsg(m)
	}
}

func (s *nameServer) set(silent bool, hosts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent, s.hosts = silent, hosts
}

// onePort starts a sample instance on each of these addresses, all on one port, as the programs behind one name are.
func onePort(t *testing.T, hosts ...string) (port string) {
	t.Helper()
	for range 100 {
		_, port, err := net.SplitHostPort(freeAddr(t))
		require.NoError(t, err)
		var all []*sample.Running
		for _, h := range hosts {
			inst, err := sample.Start(net.JoinHostPort(h, port), sample.Options{Name: h})
			if err != nil {
				break
			}
			all = append(all, inst)
			t.Cleanup(func() { _ = inst.Close() })
		}
		if len(all) == len(hosts) {
			return port
		}
		for _, inst := range all {
			_ = inst.Close()
		}
	}
	require.Fail(t, "no port is free on all of them")
	return ""
}

// byName is a setup with one function whose instances are those of a name. more are further keys of the dns block.
func byName(store, server, port, more string) string {
	s := setup{store: store}.String()
	return s + fmt.Sprintf("  - name: counter\n    instances:\n      health: {interval: 200ms, timeout: 10s, failures: 10, successes: 1}\n"+
		"      dns: {name: counter.test, port: %s, server: %q, family: ipv4%s}\n", port, server, more)
}

// pair is two replicas that find the same instances by one name, with sessions.
type pair struct {
	t          *testing.T
	one, other *process
	names      *nameServer
	file       string
	conf       func(more string) string
	homes      map[string]reply
}

func newPair(t *testing.T) *pair {
	t.Helper()
	redis := redistest.Standalone(t, redistest.Options{})
	p := &pair{t: t, names: newNameServer(t, "127.0.0.1", "127.0.0.2"), file: setup{}.file(t), homes: map[string]reply{}}
	port := onePort(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	store := fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr)
	p.conf = func(more string) string { return byName(store, p.names.addr, port, more) }
	replace(t, p.file, p.conf(", refresh: 100ms"))
	p.one, p.other = serve(t, p.file), serve(t, p.file)
	for i := range 10 {
		id := fmt.Sprintf("id-%d", i)
		p.homes[id] = p.one.answer("/", id)
		require.Equal(t, p.homes[id].Instance, p.other.answer("/", id).Instance, "replicas give the same address the same ID")
	}
	return p
}

// same asks both replicas for every session.
func (p *pair) same(why string) {
	p.t.Helper()
	for id, was := range p.homes {
		for _, replica := range []*process{p.one, p.other} {
			r := replica.answer("/", id)
			require.Equal(p.t, was.Instance, r.Instance, why)
			require.Equal(p.t, was.epoch, r.epoch, why)
		}
	}
}

// awaitInstances waits until both replicas have as many.
func (p *pair) awaitInstances(n int) {
	p.t.Helper()
	for _, replica := range []*process{p.one, p.other} {
		replica.eventually(func() error { return replica.instancesAre(n) })
	}
}

func TestInstancesByName(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	listed, err := good(quick, p.one.admin+"/2023-03-30/functions/counter/instances", "")
	require.NoError(t, err)
	require.Contains(t, string(listed.body), `"resourceType":"dns"`)
	require.NoError(t, p.one.instancesAre(2))
	for _, id := range p.one.instances() {
		require.Regexp(t, `^[0-9a-f]{16}$`, id)
	}

	p.names.set(true)
	p.one.awaitLog("name of instances not answered, what is known stays")
	p.same("silence takes nothing away")

	p.names.set(false, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	p.awaitInstances(3)
	p.same("another address is another instance")
	replace(t, p.file, p.conf(", refresh: 200ms"))
	p.one.awaitLog("configuration reloaded")
	p.other.awaitLog("configuration reloaded")
	p.same("another refresh is the same name")

	p.names.set(false, "127.0.0.2", "127.0.0.3")
	p.awaitInstances(2)
	for id, was := range p.homes {
		r := p.other.answer("/", id)
		if was.Instance != "127.0.0.1" {
			require.Equal(t, was.epoch, r.epoch)
			continue
		}
		require.NotEqual(t, "127.0.0.1", r.Instance)
		require.Equal(t, was.epoch+1, r.epoch)
		require.Regexp(t, `^rehomed; reason="instance gone"; from="[0-9a-f]{16}"$`, r.event(), "no client sees an address")
	}
}

// instances are the IDs of the instances that the replica lists.
func (p *process) instances() (ids []string) {
	p.t.Helper()
	for line := range strings.Lines(p.metrics()) {
		if strings.HasPrefix(line, "limpet_instance_state{") && strings.Contains(line, `state="ready"`) && strings.HasSuffix(line, " 1\n") {
			_, rest, _ := strings.Cut(line, `instance="`)
			id, _, _ := strings.Cut(rest, `"`)
			ids = append(ids, id)
		}
	}
	return ids
}

func (p *process) instancesAre(n int) error {
	if got := p.instances(); len(got) != n {
		return fmt.Errorf("instances %v, not %d", got, n)
	}
	return nil
}

// TestANameThatIsNotThere is an empty function, not a process that does not start.
func TestANameThatIsNotThere(t *testing.T) {
	t.Parallel()
	names := newNameServer(t)
	file := setup{}.file(t)
	replace(t, file, byName("{kind: embedded}", names.addr, onePort(t, "127.0.0.1"), ", refresh: 100ms"))
	p := start(t, "serve", "-c", file)
	p.awaitServing()
	p.eventually(func() error {
		if status, ready := p.readyz(); status != http.StatusOK || ready.Status != "degraded" {
			return errors.New(ready.Status)
		}
		return nil
	})
	r, err := get(quick, p.listen+"/", "alice")
	require.NoError(t, err)
	require.Equal(t, "InstanceUnavailable", r.code())
	names.set(false, "127.0.0.1")
	p.eventually(func() error { return p.instancesAre(1) })
	p.answer("/", "alice")
}
