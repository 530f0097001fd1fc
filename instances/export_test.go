package instances

import (
	"context"
	"net/url"
)

// WithProbe replaces what Run does to an instance's address.
func (p *Pool) WithProbe(probe func(ctx context.Context, u *url.URL, path string) (string, error)) {
	p.probe = probe
}

var (
	ParseStart = parseStart
	ParseURL   = parseURL
	NewProbe   = newProbe
)

// MaxRemovals is how many removed IDs a pool remembers.
const MaxRemovals = maxRemovals
