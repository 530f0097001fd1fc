package instances

import (
	"context"
	"net/url"
)

// WithProbe replaces what Run does to an instance's address.
func (p *Pool) WithProbe(probe func(ctx context.Context, u *url.URL, path string) (string, error)) {
	p.probe = func(ctx context.Context, t target) (string, error) { return probe(ctx, t.url, t.path) }
}

// NewStatic is the Source of a static list.
func NewStatic(list []StaticInstance) (Source, error) { return newStatic(list) }

// Reach says why u may not be dialled by hearsay where these URLs are listed, nil if it may.
func Reach(cfg PoolConfig, listed []string, u *url.URL) error {
	var all []*Instance
	for _, raw := range listed {
		at, err := parseURL(raw)
		if err != nil {
			return err
		}
		all = append(all, &Instance{url: at})
	}
	return newReach(cfg, all).permitsURL(u)
}

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
)

// Probe probes u once, as a pool with this health configuration would.
func Probe(ctx context.Context, u *url.URL, h HealthConfig) (string, error) {
	return newProbe()(ctx, target{url: u, request: newRules(PoolConfig{Config: Config{Health: &h}}).ask})
}

// ProbeTCP connects to u once.
func ProbeTCP(ctx context.Context, u *url.URL) error {
	_, err := newProbe()(ctx, target{url: u})
	return err
}

// MaxRemovals is how many removed IDs a pool remembers.
const MaxRemovals = maxRemovals
