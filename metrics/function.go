package metrics

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcome says what affinity made of a request.
type Outcome uint8

// The values of Outcome.
const (
	OutcomeHome    Outcome = iota // sent to the home of a session that was there
	OutcomeCreated                // its session was made on the way
	OutcomeRehomed                // its session was moved on the way
	OutcomeNone                   // the request has no session
	OutcomeError                  // Limpet answered it itself
	outcomeCount
)

// String returns the label value.
func (o Outcome) String() string {
	return word(uint8(o), "home", "created", "rehomed", "none", "error")
}

// Tier says what answered a look-up.
type Tier uint8

// The values of Tier.
const (
	TierCache Tier = iota
	TierStore
	TierStale // a cached copy past its freshness, because the store did not answer
	tierCount
)

// String returns the label value.
func (t Tier) String() string { return word(uint8(t), "cache", "store", "stale") }

// Lookup says how a look-up ended.
type Lookup uint8

// The values of Lookup.
const (
	LookupHit     Lookup = iota
	LookupCreated        // there was none, so one was made
	LookupFull           // there was none, and no instance has room
	LookupMissing        // there was none, and none was to be made
	LookupError          // the store could not tell
	lookupCount
)

// String returns the label value.
func (l Lookup) String() string {
	return word(uint8(l), "hit", "created", "full", "missing", "error")
}

// codes are the status codes 100 to 599, and one place for all others.
const codes = 500 + 1

// Function are the series of one function and qualifier, resolved once, so that a request costs no look-up by label.
type Function struct {
	proxy, instance prometheus.Observer
	inFlight        prometheus.Gauge
	upgraded        prometheus.Gauge
	created         prometheus.Counter
	requests        lazy // code x outcome
	lookups         lazy // tier x result
	rehomed         *prometheus.CounterVec
	errors          *prometheus.CounterVec
	ended           *prometheus.CounterVec
}

// Function returns the series of a function and qualifier. Called again with the same names, after a reload, it
// goes on with the same values. Two empty names are for requests that match no function.
func (m *Metrics) Function(name, qualifier string) *Function {
	if m == nil {
		return nil
	}
	name, qualifier = valid(name), valid(qualifier)
	own := prometheus.Labels{"function": name, "qualifier": qualifier}
	return &Function{
		proxy:    m.proxyDuration.With(own),
		instance: m.instanceDuration.With(own),
		inFlight: m.inFlight.With(own),
		upgraded: m.upgraded.With(own),
		created:  m.created.With(own),
		requests: newLazy(codes*int(outcomeCount), func(i int) prometheus.Counter {
			return m.requests.WithLabelValues(name, qualifier, codeLabel(i/int(outcomeCount)), Outcome(i%int(outcomeCount)).String())
		}),
		lookups: newLazy(int(tierCount)*int(lookupCount), func(i int) prometheus.Counter {
			return m.lookups.WithLabelValues(name, qualifier, Tier(i/int(lookupCount)).String(), Lookup(i%int(lookupCount)).String())
		}),
		rehomed: m.rehomed.MustCurryWith(own),
		errors:  m.errors.MustCurryWith(own),
		ended:   m.ended.MustCurryWith(prometheus.Labels{"function": name}),
	}
}

// Request counts an answered request: its status code, what affinity made of it, the time spent in Limpet, and the
// time spent waiting for the instance, which is 0 when none was asked. It does not allocate once a code and outcome
// have been seen.
func (f *Function) Request(code int, outcome Outcome, proxy, instance time.Duration) {
	if f == nil {
		return
	}
	f.requests.at(codeIndex(code)*int(outcomeCount) + int(min(outcome, OutcomeError))).Inc()
	f.proxy.Observe(proxy.Seconds())
	if instance > 0 {
		f.instance.Observe(instance.Seconds())
	}
}

// Upgraded adds delta to the upgraded connections that are open.
func (f *Function) Upgraded(delta int) {
	if f != nil {
		f.upgraded.Add(float64(delta))
	}
}

// InFlight adds delta to the requests under way.
func (f *Function) InFlight(delta int) {
	if f != nil {
		f.inFlight.Add(float64(delta))
	}
}

// Lookup counts a look-up of a session. It does not allocate once a tier and result have been seen.
func (f *Function) Lookup(tier Tier, result Lookup) {
	if f != nil {
		f.lookups.at(int(min(tier, TierStale))*int(lookupCount) + int(min(result, LookupError))).Inc()
	}
}

// Created counts a session that this replica made.
func (f *Function) Created() {
	if f != nil {
		f.created.Inc()
	}
}

// Closed counts a session that this replica ended because a message of its protocol said so.
func (f *Function) Closed() {
	if f != nil {
		f.ended.WithLabelValues(EndedClosed.String()).Inc()
	}
}

// Rehomed counts a session that this replica moved. reason is as Limpet-Session-Event gives it, such as
// "instance lost".
func (f *Function) Rehomed(reason string) {
	if f != nil {
		f.rehomed.WithLabelValues(reasonLabel(reason)).Inc()
	}
}

// Error counts a response that Limpet made itself. code is what Limpet-Error says.
func (f *Function) Error(code string) {
	if f != nil {
		f.errors.WithLabelValues(errorLabel(code)).Inc()
	}
}

// reasonLabel and errorLabel keep the labels within a fixed set, whatever a later caller passes on.
func reasonLabel(reason string) string {
	switch r := strings.TrimPrefix(reason, "instance "); r {
	case "lost", "restarted", "gone", "drained":
		return r
	}
	return Other
}

func errorLabel(code string) string {
	switch code {
	case "InvalidArgument", "FunctionNotFound", "SessionNotFound", "SessionAlreadyExists", "SessionExpired",
		"ResourceExhausted", "NoCapacity", "InstanceUnavailable", "StoreUnavailable", "BadGateway", "GatewayTimeout",
		"InternalError", "NotFound", "MethodNotAllowed", "AccessDenied", "InvalidAccessKeyID", "SignatureNotMatch", "Throttling":
		return code
	}
	return Other
}

func codeIndex(code int) int {
	if code < 100 || code > 599 {
		return codes - 1
	}
	return code - 100
}

func codeLabel(index int) string {
	if index == codes-1 {
		return Other
	}
	return strconv.Itoa(index + 100)
}

// word returns the i-th word, and the last one for an i out of range.
func word(i uint8, words ...string) string { return words[min(int(i), len(words)-1)] }

// lazy are counters that are resolved when first used: a series that never counted is not exported, and one that
// did costs a load of a pointer.
type lazy struct {
	resolve func(i int) prometheus.Counter
	cells   []atomic.Pointer[prometheus.Counter]
}

func newLazy(n int, resolve func(i int) prometheus.Counter) lazy {
	return lazy{resolve: resolve, cells: make([]atomic.Pointer[prometheus.Counter], n)}
}

// at returns counter i. Two first callers may both resolve it: the vector gives both the same counter, so no count
// is lost whichever pointer stays.
func (l *lazy) at(i int) prometheus.Counter {
	if c := l.cells[i].Load(); c != nil {
		return *c
	}
	c := l.resolve(i)
	l.cells[i].Store(&c)
	return c
}
