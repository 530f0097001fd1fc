package metrics

import "github.com/prometheus/client_golang/prometheus"

// The states of an instance, as InstanceSample gives them.
const (
	StateStarting  = "starting"
	StateReady     = "ready"
	StateDraining  = "draining"
	StateUnhealthy = "unhealthy"
	StateGone      = "gone"
)

// InstanceSample is what one instance is doing at the moment.
type InstanceSample struct {
	Function, Qualifier string
	Instance            string // the ID that users see
	State               string // one of the State constants
	Sessions            int    // Active sessions pinned to it, by all replicas
	InFlight            int    // requests of this replica
}

// TableSample is what the session table holds at the moment.
type TableSample struct {
	CacheEntries int // sessions in the cache
	TouchBacklog int // sessions whose use is not written to the store yet
}

// CollectInstances makes each scrape ask sample, so that instances that are gone from it are gone from the export. A
// later call replaces sample, which must be safe for concurrent use and quick: a scrape waits for it.
func (m *Metrics) CollectInstances(sample func() []InstanceSample) {
	if m != nil {
		m.instanceSamples.Store(&sample)
	}
}

// CollectTable is to the session table what CollectInstances is to the instances.
func (m *Metrics) CollectTable(sample func() TableSample) {
	if m != nil {
		m.tableSample.Store(&sample)
	}
}

// samples exports what is asked for at each scrape.
type samples struct{ m *Metrics }

// Describe implements prometheus.Collector.
func (s samples) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		s.m.cacheEntries, s.m.touchBacklog, s.m.instanceState, s.m.instanceSessions, s.m.instancesInFlight,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s samples) Collect(out chan<- prometheus.Metric) {
	if ask := s.m.tableSample.Load(); ask != nil && *ask != nil {
		t := (*ask)()
		out <- gauge(s.m.cacheEntries, t.CacheEntries)
		out <- gauge(s.m.touchBacklog, t.TouchBacklog)
	}
	ask := s.m.instanceSamples.Load()
	if ask == nil || *ask == nil {
		return
	}
	// Two samples of one name, say of an instance and of the one that took its place, would fail the whole scrape.
	type name struct{ function, qualifier, instance string }
	seen := map[name]bool{}
	for _, i := range (*ask)() {
		n := name{valid(i.Function), valid(i.Qualifier), valid(i.Instance)}
		if seen[n] {
			continue
		}
		seen[n] = true
		i.Function, i.Qualifier, i.Instance = n.function, n.qualifier, n.instance
		s.instance(out, i)
	}
}

func (s samples) instance(out chan<- prometheus.Metric, i InstanceSample) {
	for _, state := range []string{StateStarting, StateReady, StateDraining, StateUnhealthy, StateGone} {
		is := 0
		if state == i.State {
			is = 1
		}
		out <- gauge(s.m.instanceState, is, i.Function, i.Qualifier, i.Instance, state)
	}
	out <- gauge(s.m.instanceSessions, i.Sessions, i.Function, i.Qualifier, i.Instance)
	out <- gauge(s.m.instancesInFlight, i.InFlight, i.Function, i.Qualifier, i.Instance)
}

func gauge(d *prometheus.Desc, value int, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
}
