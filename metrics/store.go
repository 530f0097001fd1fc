package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// StoreOp names a call of the session store.
type StoreOp uint8

// The values of StoreOp.
const (
	OpPin StoreOp = iota
	OpRehome
	OpEnd
	OpTouch
	OpSweep
	OpGet
	OpList
	OpReport
	OpInstances
	OpSecret
	OpPing
	OpUpdate
	OpHistory
	OpQualifiers
	OpOnce
	OpForget
	OpMark
	OpBind
	OpOther
	opCount
)

// String returns the label value.
func (o StoreOp) String() string {
	return word(uint8(o), "pin", "rehome", "end", "touch", "sweep", "get", "list", "report", "instances", "secret", "ping",
		"update", "history", "qualifiers", "once", "forget", "mark", "bind", Other)
}

// StoreResult says how a call of the session store ended.
type StoreResult uint8

// The values of StoreResult.
const (
	StoreOK          StoreResult = iota
	StoreRefused                 // an answer that is not the wanted one: exists, not found, full, moved, alive, ID re-use
	StoreUnavailable             // no answer
	StoreError                   // anything else, such as corrupt data
	storeResultCount
)

// String returns the label value.
func (r StoreResult) String() string { return word(uint8(r), "ok", "refused", "unavailable", "error") }

// TouchResult says what became of reports of use.
type TouchResult uint8

// The values of TouchResult.
const (
	TouchWritten TouchResult = iota
	TouchFailed              // the store did not answer; to be written again
)

// String returns the label value.
func (r TouchResult) String() string { return word(uint8(r), "written", "failed") }

// EndedHow says why this replica ended sessions.
type EndedHow uint8

// The values of EndedHow.
const (
	EndedSwept   EndedHow = iota // their time was over
	EndedLost                    // their instance stayed away for longer than the loss grace
	EndedDrained                 // their instance had drained
	EndedClosed                  // a message of their protocol said so
)

// String returns the label value.
func (h EndedHow) String() string { return word(uint8(h), "swept", "lost", "drained", "closed") }

// storeOp are the series of one operation.
type storeOp struct {
	results  [storeResultCount]prometheus.Counter
	duration prometheus.Observer
}

// resolveStore makes all series of the store at once, so that a rate over the errors is 0 before the first one.
func (m *Metrics) resolveStore() {
	for op := range m.ops {
		name := StoreOp(op).String()
		m.ops[op].duration = m.storeDuration.WithLabelValues(name)
		for r := range m.ops[op].results {
			m.ops[op].results[r] = m.storeOperations.WithLabelValues(name, StoreResult(r).String())
		}
	}
	for r := TouchWritten; r <= TouchFailed; r++ {
		m.touches.WithLabelValues(r.String())
	}
}

// StoreOperation counts a call of the session store and the time it took. It does not allocate.
func (m *Metrics) StoreOperation(op StoreOp, result StoreResult, took time.Duration) {
	if m == nil {
		return
	}
	o := &m.ops[min(op, OpOther)]
	o.results[min(result, StoreError)].Inc()
	o.duration.Observe(took.Seconds())
}

// Touches counts n reports of use.
func (m *Metrics) Touches(result TouchResult, n int) {
	if m != nil {
		m.touches.WithLabelValues(result.String()).Add(float64(n))
	}
}

// Ended counts n sessions of a function that this replica ended. A sweep goes through all qualifiers of a function
// at once, so there is no label for them.
func (m *Metrics) Ended(function string, how EndedHow, n int) {
	if m != nil {
		m.ended.WithLabelValues(valid(function), how.String()).Add(float64(n))
	}
}
