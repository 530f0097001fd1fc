package sourcetest

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
)

const (
	defaultPatience = 20 * time.Second
	tick            = 2 * time.Millisecond // between two looks
	quiet           = 300 * time.Millisecond
)

// The hosts that checks set. All are this machine's, where its loopback network is.
const (
	hostA = "127.0.0.1"
	hostB = "127.0.0.2"
	hostC = "127.0.0.3"
)

// running is a source at work.
type running struct {
	testing.TB
	instances.Source
	patience time.Duration
	cancel   context.CancelFunc
	ended    chan struct{}
	changes  atomic.Int64 // calls of changed
	seen     atomic.Int64 // places that were there in the last of them
}

// run runs a source until the check ends.
func (h Harness) run(tb testing.TB, s instances.Source) *running {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{TB: tb, Source: s, patience: cmp.Or(h.Patience, defaultPatience), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		s.Run(ctx, func() {
			places, _ := s.Places()
			r.seen.Store(int64(len(places)))
			r.changes.Add(1)
		})
	}()
	tb.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	r.cancel()
	select {
	case <-r.ended:
	case <-time.After(r.patience):
		r.Errorf("Run goes on after its context was cancelled")
	}
}

// until waits for what ok says.
func (r *running) until(what string, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(r.patience); !ok(); time.Sleep(tick) {
		if time.Now().After(end) {
			require.Fail(r, "not within "+r.patience.String()+": "+what)
		}
	}
}

// awaitHosts waits until the places are on these hosts and no others.
func (r *running) awaitHosts(hosts ...string) []instances.Place {
	r.Helper()
	var places []instances.Place
	r.until("the source lists what there is", func() bool {
		all, known := r.Places()
		places = all
		return known && slices.Equal(hostsOf(all), hosts)
	})
	return places
}

// awaitKnown waits until the source has heard what there is.
func (r *running) awaitKnown() []instances.Place {
	r.Helper()
	r.until("the source has heard what there is", func() bool { _, known := r.Places(); return known })
	places, _ := r.Places()
	return places
}

// hostsOf returns the hosts of places, sorted.
func hostsOf(places []instances.Place) []string {
	hosts := make([]string, 0, len(places))
	for _, p := range places {
		hosts = append(hosts, p.URL.Hostname())
	}
	slices.Sort(hosts)
	return hosts
}

// names returns ID and URL of each place, sorted.
func names(places []instances.Place) []string {
	all := make([]string, 0, len(places))
	for _, p := range places {
		all = append(all, p.ID+" "+p.URL.String())
	}
	slices.Sort(all)
	return all
}

// peopled opens a world with hosts in it, where that can be said.
func peopled(tb testing.TB, h Harness, hosts ...string) World {
	tb.Helper()
	w := h.Open(tb)
	if w.Set != nil {
		w.Set(hosts...)
	}
	return w
}
