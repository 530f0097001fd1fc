// Package dns finds instances by the records of a name: A and AAAA, or SRV.
//
// It asks name servers itself, because the standard library's resolver tells no TTL.
package dns

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"sync"

	"github.com/limpet-proxy/limpet/instances"
)

// MinKey is the least length in bytes of Config.Key.
const MinKey = 16

// ErrKey means that Config.Key is too short.
var ErrKey = errors.New("key for instance IDs is too short")

// maxPlaces bounds how many places a name may have, so that a name server cannot make Limpet probe without end. It is
// about what one answer can hold.
const maxPlaces = 2048

// Config says what a Source asks.
type Config struct {
	// DNSConfig is what the configuration file says. Zeros of Refresh and Family mean the defaults.
	instances.DNSConfig
	// Key is what IDs are made with. All replicas must have the same, and nobody else: with it an address can be
	// guessed from an ID. At least MinKey bytes.
	Key []byte
	// Logger is told when answers fail and when they come again; nil: nobody is.
	Logger *slog.Logger
}

// Source lists the places that a name stands for. It is safe for concurrent use.
type Source struct {
	cfg       Config
	log       *slog.Logger
	questions []*question

	mu     sync.Mutex
	places []instances.Place
	known  bool
}

var _ instances.Source = (*Source)(nil)

// New returns a source that has asked nothing yet. ErrKey.
func New(cfg Config) (*Source, error) {
	if len(cfg.Key) < MinKey {
		return nil, ErrKey
	}
	cfg.Refresh = cmp.Or(cfg.Refresh, instances.DefaultDNSRefresh)
	cfg.Family = cmp.Or(cfg.Family, instances.DefaultDNSFamily)
	s := &Source{cfg: cfg, log: cfg.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.log = s.log.With("name", cfg.Name)
	s.questions = questions(cfg, lookup{resolver{server: cfg.Server, file: resolvConf, timeout: tryTimeout}})
	return s, nil
}

// Places returns the addresses of the last answers. It waits for nothing.
func (s *Source) Places() ([]instances.Place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.places), s.known
}

// Run asks until ctx is done. Each question goes its own pace: a server that never answers for AAAA delays nothing.
func (s *Source) Run(ctx context.Context, changed func()) {
	var asking sync.WaitGroup
	defer asking.Wait()
	for _, q := range s.questions {
		asking.Go(func() { s.follow(ctx, q, changed) })
	}
}

// publish makes what the questions know the places, and says whether that changes anything. Call with mu held.
func (s *Source) publish() bool {
	var all []netip.AddrPort
	asked, answered := true, true
	for _, q := range s.questions {
		all = append(all, q.known...)
		asked, answered = asked && q.asked, answered && q.answered
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	all = slices.Compact(all)
	if len(all) > maxPlaces {
		all = all[:maxPlaces] // of the sorted ones: every replica takes the same
	}
	places := make([]instances.Place, len(all))
	for i, at := range all {
		places[i] = instances.Place{ID: placeID(s.cfg.Key, at), URL: &url.URL{Scheme: "http", Host: at.String()}}
	}
	// One family's addresses are enough to go by where the server never answers for the other.
	known := s.known || answered || asked && len(places) > 0
	same := known == s.known && slices.EqualFunc(places, s.places, func(a, b instances.Place) bool { return a.ID == b.ID })
	if !same {
		s.places, s.known = places, known
	}
	return !same
}
