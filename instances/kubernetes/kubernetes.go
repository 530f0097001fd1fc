// Package kubernetes finds the instances of a function in the EndpointSlices of a Service.
//
// It imports neither k8s.io/client-go/kubernetes nor kubernetes/scheme: they hold every API group there is.
package kubernetes

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"

	"github.com/limpet-proxy/limpet/instances"
)

// Config says what a Source watches.
type Config struct {
	// KubernetesConfig is what the configuration file says.
	instances.KubernetesConfig
	// Logger is told of what goes wrong, once for each kind of it, and when it goes well again; nil: nobody is.
	Logger *slog.Logger
}

// Source lists the Pods behind a Service. It is safe for concurrent use.
type Source struct {
	cfg  Config
	log  *slog.Logger
	pace pace
	wake chan struct{} // of capacity 1: what lingers has changed

	mu       sync.Mutex
	client   rest.Interface
	slices   map[string]slice // by name
	pods     map[string]pod   // by UID; what Places returns
	known    bool
	oddities map[string]bool // that the log was told of
	failing  string          // what the log was told of last; "": nothing fails
}

var _ instances.Source = (*Source)(nil)

// New returns a source that has asked nothing yet. It reads the service account's token or the kubeconfig, and fails if
// that names no API server.
func New(cfg Config) (*Source, error) {
	client, err := connect(cfg.KubernetesConfig)
	if err != nil {
		return nil, err
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Source{
		cfg: cfg, client: client, pace: defaultPace(), wake: make(chan struct{}, 1),
		log:    log.With("namespace", cfg.Namespace, "service", cfg.Service),
		slices: map[string]slice{}, pods: map[string]pod{},
	}, nil
}

// Places returns the Pods that the API server told of last, by UID. It waits for nothing.
func (s *Source) Places() ([]instances.Place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]instances.Place, 0, len(s.pods))
	for uid, p := range s.pods {
		all = append(all, instances.Place{ID: uid, URL: p.url, Draining: p.terminating, Unready: p.unready || p.lingers()})
	}
	slices.SortFunc(all, func(a, b instances.Place) int { return strings.Compare(a.ID, b.ID) })
	return all, s.known
}

// Run watches until ctx is done.
func (s *Source) Run(ctx context.Context, changed func()) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { s.watch(ctx, changed) })
	s.expire(ctx, changed)
}
