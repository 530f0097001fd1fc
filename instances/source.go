package instances

import (
	"context"
	"net/url"
)

// Place is where an instance lives: a name that its source keeps, and an address. Two places with equal URL.String
// and ID are the same place. URL is shared and never modified.
type Place struct {
	ID  string
	URL *url.URL
}

// Source says where a function's instances live. Its methods are safe for concurrent use.
type Source interface {
	// Places returns all places known now, without waiting for anything. The slice is the caller's; IDs are unique.
	// A place that was returned before and is missing now is gone, not merely unheard of: a source that cannot ask
	// returns what it knew.
	Places() []Place
	// Run keeps the places up to date until ctx is done, and calls changed after each change. changed calls Places,
	// so no lock that Places needs may be held.
	Run(ctx context.Context, changed func())
}

// static is the Source of places that the configuration itself lists.
type static []Place

var _ Source = static(nil)

func newStatic(list []StaticInstance) (static, error) {
	places := make(static, 0, len(list))
	for _, s := range list {
		u, err := parseURL(s.URL)
		if err != nil {
			return nil, err
		}
		places = append(places, Place{ID: s.ID, URL: u})
	}
	return places, nil
}

// Places returns the listed places.
func (s static) Places() []Place { return append([]Place(nil), s...) }

// Run waits: only a reload changes what the configuration lists, and that makes a new source.
func (s static) Run(ctx context.Context, _ func()) { <-ctx.Done() }
