package instances

import (
	"context"
	"net/url"
)

// WithProbe replaces what Run does to an instance's address.
func (p *Pool) WithProbe(probe func(ctx context.Context, u *url.URL, path string) (string, error)) {
	p.probe = probe
}

// WithSource replaces where the instances come from. Call it before Run.
func (p *Pool) WithSource(s Source) {
	p.mu.Lock()
	p.source = s
	p.mu.Unlock()
	p.sync()
}

var (
	ParseStart = parseStart
	ParseURL   = parseURL
	NewProbe   = newProbe
)

// MaxRemovals is how many removed IDs a pool remembers.
const MaxRemovals = maxRemovals
