package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

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
	Draining            bool   // whatever its state, it takes no new session
	DrainLeft           time.Duration
}

// TableSample is what the session table holds at the moment.
type TableSample struct {
	CacheEntries   int    // sessions in the cache
	CacheEvictions uint64 // sessions that others pushed out of it, since the start
	// CacheInvalidations are the changes of sessions that the store told of, since the start.
	CacheInvalidations uint64
	TouchBacklog       int           // sessions whose use is not written to the store yet
	NewsAge            time.Duration // up to how long ago the store's changes have been heard; negative: it tells of none
	Waiting            []WaitingSample
}

// WaitingSample is how many requests of new sessions wait for a slot of a function.
type WaitingSample struct {
	Function, Qualifier string
	Requests            int
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
		s.m.cacheEntries, s.m.cacheEvictions, s.m.cacheInvalidations, s.m.newsAge, s.m.touchBacklog, s.m.waiting,
		s.m.instanceState, s.m.instanceSessions, s.m.instancesInFlight, s.m.drainSessions, s.m.drainSeconds, s.m.certExpiry,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s samples) Collect(out chan<- prometheus.Metric) {
	if ask := s.m.tableSample.Load(); ask != nil && *ask != nil {
		s.table(out, (*ask)())
	}
	if ask := s.m.instanceSamples.Load(); ask != nil && *ask != nil {
		s.instances(out, (*ask)())
	}
	if ask := s.m.certSamples.Load(); ask != nil && *ask != nil {
		s.certificates(out, (*ask)())
	}
}

func (s samples) table(out chan<- prometheus.Metric, t TableSample) {
	out <- gauge(s.m.cacheEntries, t.CacheEntries)
	out <- gauge(s.m.touchBacklog, t.TouchBacklog)
	out <- prometheus.MustNewConstMetric(s.m.cacheEvictions, prometheus.CounterValue, float64(t.CacheEvictions))
	out <- prometheus.MustNewConstMetric(s.m.cacheInvalidations, prometheus.CounterValue, float64(t.CacheInvalidations))
	if t.NewsAge >= 0 {
		out <- prometheus.MustNewConstMetric(s.m.newsAge, prometheus.GaugeValue, t.NewsAge.Seconds())
	}
	names := names{}
	for _, w := range t.Waiting {
		if n := (name{valid(w.Function), valid(w.Qualifier), ""}); names.first(n) {
			out <- gauge(s.m.waiting, w.Requests, n.function, n.qualifier)
		}
	}
}

func (s samples) instances(out chan<- prometheus.Metric, instances []InstanceSample) {
	names := names{}
	for _, i := range instances {
		n := name{valid(i.Function), valid(i.Qualifier), valid(i.Instance)}
		if !names.first(n) {
			continue
		}
		for _, state := range []string{StateStarting, StateReady, StateDraining, StateUnhealthy, StateGone} {
			is := 0
			if state == i.State {
				is = 1
			}
			out <- gauge(s.m.instanceState, is, n.function, n.qualifier, n.instance, state)
		}
		out <- gauge(s.m.instanceSessions, i.Sessions, n.function, n.qualifier, n.instance)
		out <- gauge(s.m.instancesInFlight, i.InFlight, n.function, n.qualifier, n.instance)
		if i.Draining {
			out <- gauge(s.m.drainSessions, i.Sessions, n.function, n.qualifier, n.instance)
			left := max(0, i.DrainLeft).Seconds()
			out <- prometheus.MustNewConstMetric(s.m.drainSeconds, prometheus.GaugeValue, left, n.function, n.qualifier, n.instance)
		}
	}
}

type name struct{ function, qualifier, instance string }

// names are those seen in one scrape. Two samples of one name, say of an instance and of the one that took its
// place, would fail the whole scrape: the first counts.
type names map[name]bool

func (ns names) first(n name) bool {
	if ns[n] {
		return false
	}
	ns[n] = true
	return true
}

func gauge(d *prometheus.Desc, value int, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
}
