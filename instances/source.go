package instances

import (
	"context"
	"net/url"
	"slices"
)

// Place is where an instance lives: a name that its source keeps, and an address. Two places with equal URL.String
// and ID are the same place. URL is shared and never modified.
type Place struct {
	ID  string
	URL *url.URL
	// Draining says that the source means to take the place away: it gets no new session, those that it has stay.
	Draining bool
	// Unready says that the source, beside what the probes say, does not hold the place for ready: it gets no new
	// session. Those that it has are routed.
	Unready bool
	// Full says that the place takes no further session whatever the registry says: with isolation a source may know that
	// its only one was there, and the registry may have forgotten.
	Full bool
	// Local says that no other replica reaches the place: none is told its address.
	Local bool
	// Start is the start nonce of a program that gives none, where the source can tell it from the one before. "": it
	// cannot.
	Start string
}

// Source says where a function's instances live. sourcetest is its conformance suite. Its methods are safe for
// concurrent use. A pool compares sources, so each is a pointer.
type Source interface {
	// Places returns all places known now, without waiting for anything. The slice is the caller's; IDs are unique,
	// and ValidID. A place that was returned before and is missing now is gone, not merely unheard of: a source that
	// cannot ask returns what it knew.
	//
	// known is false from the start until the source has heard what there is, be it nothing, and true ever after. As
	// long as it is false what the source does not list is not gone either.
	Places() (places []Place, known bool)
	// Run keeps the places up to date until ctx is done, and calls changed after each change of what Places returns.
	// changed calls Places, so no lock that Places needs may be held. Before Run a source does nothing, and holds
	// nothing that would have to be released: one that a reload has made and dropped is never run. It is run once.
	Run(ctx context.Context, changed func())
}

// static is the Source of places that the configuration itself lists.
type static struct{ places []Place }

var _ Source = (*static)(nil)

func newStatic(list []StaticInstance) (*static, error) {
	places := make([]Place, 0, len(list))
	for _, s := range list {
		u, err := parseURL(s.URL)
		if err != nil {
			return nil, err
		}
		places = append(places, Place{ID: s.ID, URL: u})
	}
	return &static{places}, nil
}

// Places returns the listed places.
func (s *static) Places() ([]Place, bool) { return slices.Clone(s.places), true }

// Run waits: only a reload changes what the configuration lists, and that makes a new source.
func (s *static) Run(ctx context.Context, _ func()) { <-ctx.Done() }
