package dns_test

import (
	"net"
	"sync"
	"testing"

	mdns "github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// server is a name server on loopback, by UDP and TCP on one port. What it answers is the test's to say.
type server struct {
	addr string

	mu     sync.Mutex
	zone   map[string][]string // of "NAME TYPE": records
	hook   func(w mdns.ResponseWriter, r, answer *mdns.Msg) bool
	asked  map[string]int // of "NAME TYPE"
	byTCP  int
	silent bool
}

func newServer(tb testing.TB) *server {
	tb.Helper()
	s := &server{zone: map[string][]string{}, asked: map[string]int{}}
	udp, tcp := bothPorts(tb)
	s.addr = udp.LocalAddr().String()
	for _, srv := range []*mdns.Server{
		{PacketConn: udp, Handler: s.handler(false)}, {Listener: tcp, Handler: s.handler(true)},
	} {
		ready, done := make(chan struct{}), make(chan struct{})
		srv.NotifyStartedFunc = func() { close(ready) }
		go func() {
			defer close(done)
			_ = srv.ActivateAndServe()
		}()
		<-ready
		tb.Cleanup(func() {
			_ = srv.Shutdown()
			<-done
		})
	}
	return s
}

// bothPorts finds a port that is free for both.
func bothPorts(tb testing.TB) (net.PacketConn, net.Listener) {
	tb.Helper()
	for range 100 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(tb, err)
		if tcp, err := net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			return udp, tcp
		}
		require.NoError(tb, udp.Close())
	}
	require.Fail(tb, "no port is free for UDP and TCP")
	return nil, nil
}

func (s *server) handler(tcp bool) mdns.HandlerFunc {
	return func(w mdns.ResponseWriter, r *mdns.Msg) {
		answer, hook, silent := s.answer(r, tcp)
		if silent || hook != nil && hook(w, r, answer) {
			return
		}
		_ = w.WriteMsg(answer)
	}
}

// answer is what the zone says.
func (s *server) answer(r *mdns.Msg, tcp bool) (answer *mdns.Msg, hook func(w mdns.ResponseWriter, r, answer *mdns.Msg) bool, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tcp {
		s.byTCP++
	}
	answer = new(mdns.Msg).SetReply(r)
	answer.RecursionAvailable = true
	q := r.Question[0]
	name := mdns.CanonicalName(q.Name)
	key := name + " " + mdns.TypeToString[q.Qtype]
	s.asked[key]++
	records, ok := s.zone[key]
	if !ok && !s.exists(name) {
		answer.Rcode = mdns.RcodeNameError
	}
	for _, text := range records {
		record, err := mdns.NewRR(text)
		if err != nil {
			panic(err)
		}
		answer.Answer = append(answer.Answer, record)
	}
	return answer, s.hook, s.silent
}

func (s *server) exists(name string) bool {
	for key := range s.zone {
		if owner, _, _ := cut(key); owner == name {
			return true
		}
	}
	return false
}

func cut(key string) (name, kind string, ok bool) {
	for i := range len(key) {
		if key[i] == ' ' {
			return key[:i], key[i+1:], true
		}
	}
	return key, "", false
}

// set makes these the records of a name and type. Without any the name exists and has none.
func (s *server) set(name, kind string, records ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone[name+" "+kind] = records
}

// unset makes the name have no such records; without others it does not exist.
func (s *server) unset(name, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.zone, name+" "+kind)
}

// silence makes the server answer nobody.
func (s *server) silence(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = on
}

// meddle lets f answer in the server's place, where it returns true, or change what it answers.
func (s *server) meddle(f func(w mdns.ResponseWriter, r, answer *mdns.Msg) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

// count returns how often the name and type were asked for.
func (s *server) count(name, kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name+" "+kind]
}

func (s *server) tcpCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byTCP
}
