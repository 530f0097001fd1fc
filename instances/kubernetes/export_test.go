package kubernetes

import (
	"net/netip"
	"time"

	discovery "k8s.io/api/discovery/v1"

	"github.com/limpet-proxy/limpet/instances"
)

// Pace is how long a test lets things take.
type Pace struct{ List, Watch, Retry, Linger time.Duration }

// WithPace sets it. Zeros change nothing. Call it before Run.
func (s *Source) WithPace(p Pace) {
	for _, d := range []struct {
		from time.Duration
		to   *time.Duration
	}{{p.List, &s.pace.list}, {p.Watch, &s.pace.watch}, {p.Retry, &s.pace.retryFirst}, {p.Retry, &s.pace.retryMost}, {p.Linger, &s.pace.linger}} {
		if d.from != 0 {
			*d.to = d.from
		}
	}
}

// Listed is what slices come to.
type Listed struct {
	At                   netip.AddrPort
	Terminating, Unready bool
}

// Merge reads slices into Pods, where before are known.
func Merge(cfg instances.KubernetesConfig, all map[string]*discovery.EndpointSlice, before map[string]netip.AddrPort) map[string]Listed {
	read1, known := map[string]slice{}, map[string]pod{}
	for name, one := range all {
		read1[name] = read(one, cfg)
	}
	for uid, at := range before {
		known[uid] = newPod(at, condition{})
	}
	listed := map[string]Listed{}
	for uid, p := range merge(read1, known) {
		if p.url.Host != p.at.String() {
			panic(p.url)
		}
		listed[uid] = Listed{p.at, p.terminating, p.unready}
	}
	return listed
}
