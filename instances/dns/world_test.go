package dns_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/dns"
)

const (
	name     = "counter.test"
	owner    = name + "."
	port     = 8080
	refresh  = 10 * time.Millisecond
	patience = 20 * time.Second
)

// key is the replicas' common one.
func key() []byte { return []byte("0123456789abcdef0123456789abcdef") }

// asking is a source at work.
type asking struct {
	*dns.Source
	tb  testing.TB
	log *output
}

// output is a log that can be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) count(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Count(o.text.String(), what)
}

func newSource(tb testing.TB, s *server, change func(*dns.Config)) *asking {
	tb.Helper()
	a := &asking{tb: tb, log: &output{}}
	cfg := dns.Config{Key: key(), Logger: slog.New(slog.NewTextHandler(a.log, nil))}
	cfg.DNSConfig = instances.DNSConfig{Name: name, Port: port, Refresh: refresh, Server: s.addr, Family: instances.FamilyIPv4}
	if change != nil {
		change(&cfg)
	}
	var err error
	a.Source, err = dns.New(cfg)
	require.NoError(tb, err)
	return a
}

// run runs a source until the test ends.
func (a *asking) run() *asking {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Run(ctx, func() {})
	}()
	a.tb.Cleanup(func() {
		cancel()
		<-done
	})
	return a
}

func ask(tb testing.TB, s *server, change func(*dns.Config)) *asking {
	tb.Helper()
	return newSource(tb, s, change).run()
}

// addrs returns host and port of each place, in the source's order.
func (a *asking) addrs() []string {
	places, _ := a.Places()
	all := []string{}
	for _, p := range places {
		all = append(all, p.URL.Host)
	}
	return all
}

func (a *asking) known() bool {
	_, known := a.Places()
	return known
}

// await waits until the source lists these.
func (a *asking) await(want ...string) {
	a.tb.Helper()
	if want == nil {
		want = []string{}
	}
	a.until(fmt.Sprint("it lists ", want), func() bool { return a.known() && slices.Equal(a.addrs(), want) })
}

func (a *asking) until(what string, ok func() bool) {
	a.tb.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			require.Fail(a.tb, "not within "+patience.String()+": "+what, "%v", a.addrs())
		}
	}
}

// stays looks for n rounds of questions whether the source still lists these.
func (a *asking) stays(s *server, kind string, n int, want ...string) {
	a.tb.Helper()
	for end := s.count(owner, kind) + n; s.count(owner, kind) < end; time.Sleep(time.Millisecond) {
		require.Equal(a.tb, want, a.addrs())
	}
}

func at(hosts ...string) []string {
	all := []string{}
	for _, h := range hosts {
		all = append(all, fmt.Sprintf("%s:%d", h, port))
	}
	return all
}

// a returns the A records of name.
func a(hosts ...string) []string {
	var all []string
	for _, h := range hosts {
		all = append(all, owner+" 3600 IN A "+h)
	}
	return all
}
