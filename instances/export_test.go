package instances

import (
	"context"
	"net/url"
)

// WithProbe replaces what Run does to an instance's address.
func (p *Pool) WithProbe(probe func(ctx context.Context, u *url.URL, path string) (string, error)) {
	p.probe = probe
}

// NewStatic is the Source of a static list.
func NewStatic(list []StaticInstance) (Source, error) { return newStatic(list) }

// WithSource replaces where the instances come from. Call it before Run.
func (p *Pool) WithSource(s Source) {
	p.mu.Lock()
	p.sources = []Source{s}
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
