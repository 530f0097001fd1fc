// Package metrics holds every series that Limpet exports.
//
// No label ever carries a value that a client chose, and none carries a session ID: the first lets a client fill
// the memory of Limpet and of whatever scrapes it, the second publishes what is often a bearer token. The functions,
// qualifiers and instances in the labels come from the configuration and from discovery.
//
// All methods are safe for concurrent use, and those of a nil *Metrics or *Function do nothing.
package metrics

import (
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Namespace begins the name of each series.
const Namespace = "limpet"

// Other is the label value of whatever is not in a label's fixed set.
const Other = "other"

// Metrics are the series of one process.
type Metrics struct {
	requests         *prometheus.CounterVec
	proxyDuration    *prometheus.HistogramVec
	instanceDuration *prometheus.HistogramVec
	inFlight         *prometheus.GaugeVec
	upgraded         *prometheus.GaugeVec
	errors           *prometheus.CounterVec

	lookups *prometheus.CounterVec
	created *prometheus.CounterVec
	rehomed *prometheus.CounterVec
	ended   *prometheus.CounterVec

	storeOperations *prometheus.CounterVec
	storeDuration   *prometheus.HistogramVec
	touches         *prometheus.CounterVec

	reloadSuccessful prometheus.Gauge
	reloadTimestamp  prometheus.Gauge
	certReload       *prometheus.GaugeVec
	buildInfo        *prometheus.GaugeVec

	cacheEntries       *prometheus.Desc
	cacheEvictions     *prometheus.Desc
	cacheInvalidations *prometheus.Desc
	newsAge            *prometheus.Desc
	touchBacklog       *prometheus.Desc
	waiting            *prometheus.Desc
	instanceState      *prometheus.Desc
	instanceSessions   *prometheus.Desc
	instancesInFlight  *prometheus.Desc
	drainSessions      *prometheus.Desc
	drainSeconds       *prometheus.Desc
	certExpiry         *prometheus.Desc

	tableSample     atomic.Pointer[func() TableSample]
	instanceSamples atomic.Pointer[func() []InstanceSample]
	certSamples     atomic.Pointer[func() []CertificateSample]
	ops             [opCount]storeOp
}

// New makes the series and registers them, with those of the Go runtime and of the process, in reg. It panics if
// reg has any of them already.
func New(reg prometheus.Registerer) *Metrics {
	m := series()
	m.resolveStore()
	reg.MustRegister(
		m.requests, m.proxyDuration, m.instanceDuration, m.inFlight, m.upgraded, m.errors,
		m.lookups, m.created, m.rehomed, m.ended,
		m.storeOperations, m.storeDuration, m.touches,
		m.reloadSuccessful, m.reloadTimestamp, m.certReload, m.buildInfo, samples{m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func single(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: Namespace, Name: name, Help: help})
}

// series are all that Limpet exports.
func series() *Metrics {
	function := []string{"function", "qualifier"}
	with := func(more ...string) []string { return append(function[:2:2], more...) }
	return &Metrics{
		requests: counters("requests_total",
			"Requests answered, by status code and by what affinity made of them: home, created, rehomed, none (no session), error (answered by Limpet itself).",
			with("code", "outcome")...),
		proxyDuration: durations("proxy_duration_seconds",
			"Time that a request spent in Limpet itself.", function...),
		instanceDuration: durations("instance_duration_seconds",
			"Time that Limpet waited for an instance, for requests that reached one.", function...),
		inFlight: gauges("requests_in_flight", "Requests under way, upgraded connections included.", function...),
		upgraded: gauges("upgraded_connections", "Connections that were upgraded, to WebSocket for one, and are open.", function...),
		errors: counters("errors_total",
			"Responses that Limpet made itself, by the code in Limpet-Error.", with("code")...),

		lookups: counters("session_lookups_total",
			"Look-ups of a session, by the tier that answered: cache, store, stale (a cached copy past its freshness), and the result: hit, created, full, missing, error.",
			with("tier", "result")...),
		created: counters("sessions_created_total", "Sessions made by this replica.", function...),
		rehomed: counters("sessions_rehomed_total",
			"Sessions moved to another instance by this replica, by the reason: lost, restarted, gone, drained.",
			with("reason")...),
		ended: counters("sessions_ended_total",
			"Sessions ended by this replica: swept (their time was over), lost (their instance stayed away), drained (their instance had drained), closed (their client or instance said so, as MCP's can).",
			"function", "how"),

		storeOperations: counters("store_operations_total",
			"Calls of the session store, by the result: ok, refused (an answer such as full or exists), unavailable, error.",
			"op", "result"),
		storeDuration: durations("store_operation_duration_seconds",
			"Time that calls of the session store took.", "op"),
		touches: counters("touches_total", "Reports of use to the store: written, failed (to be written again).", "result"),

		reloadSuccessful: single("config_last_reload_successful", "Whether the last load of the configuration succeeded: 1 or 0."),
		reloadTimestamp:  single("config_last_reload_success_timestamp_seconds", "Unix time of the last successful load of the configuration."),
		certReload: gauges("tls_last_reload_successful",
			"Whether the last change of a listener's certificate files could be put in force: 1 or 0; absent before the first.", "listener"),
		buildInfo: gauges("build_info", "Always 1; the labels tell what runs.", "version", "commit", "goversion"),

		cacheEntries:   desc("cache_entries", "Sessions in the cache."),
		cacheEvictions: desc("cache_evictions_total", "Sessions pushed out of the cache by others."),
		cacheInvalidations: desc("cache_invalidations_total",
			"Changes of sessions, by any replica, that the store told of."),
		newsAge: desc("cache_news_age_seconds",
			"Up to how long ago the store's changes of sessions have been heard, of the function that is the furthest behind; absent where the store tells of none."),
		waiting:      desc("waiting_requests", "Requests of new sessions that wait for a session slot.", function...),
		touchBacklog: desc("touch_backlog", "Sessions whose use is not written to the store yet."),
		instanceState: desc("instance_state",
			"1 for the state the instance is in, 0 for the others: starting, ready, draining, unhealthy, gone.",
			with("instance", "state")...),
		instanceSessions:  desc("sessions", "Active sessions pinned to the instance, by all replicas.", with("instance")...),
		instancesInFlight: desc("instance_requests_in_flight", "Requests of this replica under way on the instance.", with("instance")...),
		drainSessions:     desc("draining_sessions", "Active sessions left on an instance that drains; absent for one that does not.", with("instance")...),
		drainSeconds: desc("draining_deadline_seconds",
			"How long sessions may stay on an instance that drains, 0 once its deadline has passed; absent for one that does not.",
			with("instance")...),
		certExpiry: desc("tls_certificate_not_after_timestamp_seconds",
			"Unix time at which a listener's certificate in force ends, by the file that it came from.", "listener", "file"),
	}
}

// Build tells what runs. Call it once.
func (m *Metrics) Build(version, commit string) {
	if m != nil {
		m.buildInfo.WithLabelValues(valid(version), valid(commit), runtime.Version()).Set(1)
	}
}

// Reloaded records a load of the configuration, the first one included.
func (m *Metrics) Reloaded(ok bool) {
	if m == nil {
		return
	}
	if !ok {
		m.reloadSuccessful.Set(0)
		return
	}
	m.reloadSuccessful.Set(1)
	m.reloadTimestamp.SetToCurrentTime()
}

// buckets reach from a hit in the cache to a slow instance. They are classic ones: a native histogram keeps its
// buckets in a map that each observation looks up, and not every scraper reads it.
func buckets() []float64 {
	return []float64{
		50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10, 30, 60,
	}
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: Namespace, Name: name, Help: help}, labels)
}

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: Namespace, Name: name, Help: help}, labels)
}

func durations(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: Namespace, Name: name, Help: help, Buckets: buckets(),
	}, labels)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", name), help, labels, nil)
}

// valid keeps a name with broken UTF-8, which client_golang answers with a panic, from ending the process.
func valid(label string) string { return strings.ToValidUTF8(label, "\uFFFD") }
