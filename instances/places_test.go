package instances_test

import (
	"context"
	"net/url"
	"sync"
	"testing/synctest"

	"github.com/limpet-proxy/limpet/instances"
)

// places is a Source that a test moves.
type places struct {
	mu    sync.Mutex
	now   []instances.Place
	known bool
	runs  int // that are under way
	begun int

	changed chan struct{}
}

// heard returns a source that has heard of these instances.
func heard(ids ...string) *places {
	return &places{now: at(ids...), known: true, changed: make(chan struct{})}
}

// unheard returns a source that has heard nothing yet.
func unheard() *places { return &places{changed: make(chan struct{})} }

// at returns the place of each ID, at the address that goes with it.
func at(ids ...string) []instances.Place {
	all := []instances.Place{}
	for _, id := range ids {
		all = append(all, instances.Place{ID: id, URL: &url.URL{Scheme: "http", Host: id + ".test:80"}})
	}
	return all
}

func (p *places) Places() ([]instances.Place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]instances.Place(nil), p.now...), p.known
}

func (p *places) Run(ctx context.Context, changed func()) {
	p.count(1)
	defer p.count(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changed:
			changed()
		}
	}
}

func (p *places) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs += n
	p.begun += max(0, n)
}

func (p *places) running() (now, begun int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runs, p.begun
}

// list makes the source list these places, and tells the pool.
func (p *places) list(all ...instances.Place) {
	p.mu.Lock()
	p.now, p.known = all, true
	p.mu.Unlock()
	p.changed <- struct{}{}
	synctest.Wait()
}
