package load

import (
	"fmt"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/load/proof"
)

const (
	// LateAfter is how far past its schedule a request is sent late.
	LateAfter = 10 * time.Millisecond
	// MaxExamples is how many violations, and how many moves, a report shows in full.
	MaxExamples = 10
	// MaxInstances and maxReasons bound what the target can make a report tell apart: the rest are others.
	MaxInstances = 64
	maxReasons   = 32
	others       = "(others)"
)

// attempt is what became of one attempt at a request.
type attempt struct {
	session  *session
	request  int    // of the session, from 1
	target   string // URL
	at       time.Time
	again    bool      // not the first attempt
	sent     bool      // a connection was there
	reached  bool      // for it or, in MCP, for what has to go before it
	begun    time.Time // when an MCP call was sent, or about to be
	answered bool
	cut      bool // by the end of the run
	failure  failure
	status   int
	wait     time.Duration // before another attempt
	renamed  bool

	seen     proof.Observation
	judged   bool // seen is from a response, and finding was made of it
	finding  proof.Finding
	unjudged error // why a successful response could not be judged, or not wholly
}

// recorder adds up what happens. Safe for concurrent use.
type recorder struct {
	began time.Time

	mu         sync.Mutex
	requests   Requests
	sessions   Sessions
	affinity   Affinity
	failures   map[string]*Failure
	responses  map[string]int // by instance
	homes      map[string]int // alive sessions, by home
	unjudged   error          // the first reason
	first      error          // the first failure's
	mcp        MCPUse
	doubts     map[string][]doubt // by home
	handshake  histogram
	latency    histogram
	service    histogram
	timeline   *timeline
	started    int // requests whose first attempt was begun
	inSchedule int // answered while requests were still being begun
	closing    bool
}

func newRecorder(began time.Time) *recorder {
	return &recorder{
		began: began, failures: map[string]*Failure{}, responses: map[string]int{}, homes: map[string]int{},
		doubts: map[string][]doubt{}, handshake: newHistogram(digits), latency: newHistogram(digits), service: newHistogram(digits), timeline: newTimeline(began),
		affinity: Affinity{Examples: []Example{}, Announced: []Example{}},
	}
}

// scheduled counts a request that has arrived, or was begun where none arrive.
func (r *recorder) scheduled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests.Scheduled++
}

// begun counts a request whose first attempt starts.
func (r *recorder) begun(t turn, now time.Time, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started++
	if first {
		r.sessions.Begun++
	}
	if now.Sub(t.scheduled) > LateAfter {
		r.requests.Late++
		r.timeline.now.Late++
	}
	if now.Sub(t.due) > LateAfter {
		r.requests.LateHere++
	}
}

// attempted takes in an attempt.
func (r *recorder) attempted(a attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.again {
		r.requests.Retried++
	}
	if a.sent {
		r.requests.Sent++
	}
	switch {
	case a.cut:
		r.requests.Cut++
		return
	case a.answered:
		r.answered(a)
	case a.sent:
		r.requests.Unanswered++
	}
	if a.failure.reason != "" {
		r.timeline.now.Failed++
		r.failed(a.failure)
	}
	if a.renamed {
		r.sessions.Renamed++
	}
	if a.unjudged != nil {
		r.affinity.Unjudged++
		if r.unjudged == nil {
			r.unjudged = a.unjudged
		}
	}
	if a.judged {
		r.judged(a)
	}
}

func (r *recorder) answered(a attempt) {
	r.requests.Answered++
	r.timeline.now.Answered++
	if !r.closing {
		r.inSchedule++
	}
	if a.failure.reason == "" {
		r.requests.Succeeded++
	}
}

func (r *recorder) failed(f failure) {
	reason := f.reason
	known := r.failures[reason]
	if known == nil && len(r.failures) >= maxReasons {
		reason = others
		known = r.failures[reason]
	}
	if known == nil {
		known = &Failure{Reason: reason, Text: f.text}
		r.failures[reason] = known
	}
	if r.first == nil {
		r.first = fmt.Errorf("%s", f.text)
	}
	known.Count++
}

// finish takes in a request after its last attempt.
func (r *recorder) finish(a attempt, latency, service time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.cut {
		return
	}
	if a.failure.reason != "" {
		r.requests.Failed++
	}
	// A refused connection takes no time: counted in, it would make a broken target look fast.
	if a.answered || a.failure.timeout {
		r.latency.record(latency)
		r.service.record(service)
		r.timeline.recent.record(latency)
	}
}

// ended counts a session that has had its last answer.
func (r *recorder) ended(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.sent == 0 {
		return // it never had a request
	}
	r.sessions.Ended++
	if s.livesAt != "" {
		r.homes[s.livesAt]--
	}
}

// closeSchedule notes that no more requests are begun but those that wait.
func (r *recorder) closeSchedule() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing = true
}

// tick ends the present Moment if it is over: also while nothing is answered.
func (r *recorder) tick(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timeline.due(now) {
		r.timeline.close(now, r.homes)
	}
}
