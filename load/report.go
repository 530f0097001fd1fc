package load

import "time"

// ReportVersion is the version of the report's JSON. A change that could break a reader raises it.
const ReportVersion = 1

// Verdict is the run's answer to the question whether each session stayed at home.
type Verdict string

const (
	// Proven means that every successful response was judged, and none broke affinity.
	Proven Verdict = "proven"
	// Broken means that there was a misroute, a lost state or an overcount.
	Broken Verdict = "broken"
	// Unjudged means that nothing was found broken, but the target did not show enough to tell.
	Unjudged Verdict = "unjudged"
	// Unasked means that the plan has no place where responses name their instance: a load without a proof.
	Unasked Verdict = "unasked"
)

// Report is what a run has found. Times named _ms are milliseconds, those named _s seconds since the start.
type Report struct {
	Version  int       `json:"version"`
	Verdict  Verdict   `json:"verdict"`
	Why      string    `json:"why"` // of the verdict, in one sentence
	Warnings []string  `json:"warnings"`
	Began    time.Time `json:"began"`
	Elapsed  float64   `json:"elapsed_s"`
	// Interrupted says that the run ended before its duration or number of requests was reached.
	Interrupted bool        `json:"interrupted"`
	Load        Description `json:"load"`
	Requests    Requests    `json:"requests"`
	Rate        Rate        `json:"rate"`
	// Latency is counted from when a request was scheduled (open model) or sent (closed model). It has all requests
	// that were answered, whatever the status, and those that timed out.
	Latency Latency `json:"latency"`
	// Service is counted from when the request was sent. In the open model it shows what a closed one would have seen.
	Service   Latency       `json:"service"`
	Sessions  Sessions      `json:"sessions"`
	MCP       *MCPUse       `json:"mcp,omitempty"` // of a load by MCP
	Affinity  Affinity      `json:"affinity"`
	Failures  []Failure     `json:"failures"`  // most frequent first
	Instances []InstanceUse `json:"instances"` // by name
	Timeline  []Moment      `json:"timeline"`
}

// Description says what the run was to do.
type Description struct {
	Protocol    string   `json:"protocol"`       // http or mcp
	Tool        string   `json:"tool,omitempty"` // mcp: what each request calls
	Targets     []string `json:"targets"`
	Method      string   `json:"method"`
	Model       string   `json:"model"`             // open or closed
	Rate        float64  `json:"rate_per_s"`        // open: arrivals a second; closed: 0
	Connections int      `json:"connections"`       // at most, at once
	Sessions    int      `json:"sessions"`          // alive at once
	Carrier     string   `json:"carrier"`           // as Plan.Carrier is written
	Think       string   `json:"think,omitempty"`   // as Plan.Think is written
	Requests    int      `json:"requests"`          // 0: bounded by time
	Duration    float64  `json:"duration_s"`        // 0: bounded by requests
	Ramp        float64  `json:"ramp_s"`            // 0: none
	From        string   `json:"from"`              // as Plan.From is written
	Count       string   `json:"count,omitempty"`   // as Plan.Count is written; "": no count is judged
	BodyBytes   int      `json:"body_bytes"`        // of each request
	Retries     int      `json:"retries,omitempty"` // of each request, at most
}

// Requests counts requests. Sent is the sum of Answered, Unanswered and Cut.
type Requests struct {
	Scheduled  int `json:"scheduled"`  // open: arrivals; closed: as many as were begun
	Sent       int `json:"sent"`       // attempts, so with retries
	Answered   int `json:"answered"`   // a whole response came, whatever its status
	Succeeded  int `json:"succeeded"`  // answered with a status below 400
	Failed     int `json:"failed"`     // scheduled ones that did not succeed in any attempt, Cut and Unsent left out
	Unanswered int `json:"unanswered"` // no whole response: refused, reset, timed out
	Retried    int `json:"retried"`    // attempts that followed another
	Cut        int `json:"cut"`        // in flight when the run was stopped
	Unsent     int `json:"unsent"`     // scheduled, and not sent before the run ended
	// Late ones were sent more than LateAfter past their schedule. Of those, LateHere were late by this program's
	// fault: it was slow, or all connections were in use. The others waited for an answer to their own session.
	Late     int `json:"late"`
	LateHere int `json:"late_here"`
}

// Rate is in requests a second.
type Rate struct {
	Asked    float64 `json:"asked"`    // open model, ramp included; closed: 0
	Achieved float64 `json:"achieved"` // answered, over the time in which requests were begun
}

// Latency is a distribution, in milliseconds, exact to three significant digits.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	P9999 float64 `json:"p9999_ms"`
	Max   float64 `json:"max_ms"`
	// Curve is the whole distribution, for plots: percentiles that get denser towards 100.
	Curve []Percentile `json:"curve"`
}

// Percentile says that so many percent of the values are at most Value milliseconds.
type Percentile struct {
	Percent float64 `json:"percent"`
	Value   float64 `json:"ms"`
}

// Sessions counts sessions.
type Sessions struct {
	Begun   int `json:"begun"`   // had a request
	Ended   int `json:"ended"`   // by their number of requests or their age
	Alive   int `json:"alive"`   // at the end of the run
	Named   int `json:"named"`   // have a home
	Renamed int `json:"renamed"` // times that the target gave a session another ID than it had
}

// MCPUse is what became of the sessions of a load by MCP. Its requests are the calls: the handshakes, and what else the
// sessions need, are counted here only.
type MCPUse struct {
	Version       string `json:"version"`       // of the protocol, as the target has chosen it
	Initialized   int    `json:"initialized"`   // sessions that the target has issued an ID for
	Reinitialized int    `json:"reinitialized"` // of those, in the place of one that had become unknown
	Refused       int    `json:"refused"`       // handshakes that failed
	Deleted       int    `json:"deleted"`       // by the client, as its need was over
	Undeleted     int    `json:"undeleted"`     // where DELETE was refused (405 is in order) or failed
	// Unknown is how often a request was answered by 404: there is no such session. The client has to initialise again.
	Unknown int `json:"unknown"`
	// Misrouted are those of Unknown that lived. They are Misroutes of Affinity too.
	Misrouted int `json:"misrouted"`
	// Unexplained are those of Unknown whose home lived, where nothing shows who gave the answer.
	Unexplained int `json:"unexplained"`
	// Initialize is the latency of initialize.
	Initialize Latency `json:"initialize"`
}

// Affinity is the proof.
type Affinity struct {
	Judged int `json:"judged"` // responses
	// Checked are the responses that a home was known for, so that they could have been misroutes.
	Checked    int `json:"checked"`
	Unjudged   int `json:"unjudged"` // successful responses that did not show what From or Count asks for
	Misroutes  int `json:"misroutes"`
	LostStates int `json:"lost_states"`
	Overcounts int `json:"overcounts"`
	Moves      int `json:"moves"` // announced: another home, or a new beginning at the same one
	// Strayed are the sessions with a misroute; of those, Away had their last response from elsewhere than home.
	Strayed int `json:"strayed"`
	Away    int `json:"away"`
	// Examples are the first MaxExamples misroutes, lost states and overcounts.
	Examples []Example `json:"examples"`
	// Announced are the first MaxExamples moves.
	Announced []Example `json:"announced"`
}

// Example is one response that was not as it had to be, or that announced a move.
type Example struct {
	Kind     string  `json:"kind"` // a proof.Kind
	At       float64 `json:"at_s"`
	Session  string  `json:"session"` // its ID, as the client knows it
	Request  int     `json:"request"` // of the session, from 1
	Target   string  `json:"target"`  // the URL that it went to
	Expected string  `json:"expected"`
	Got      string  `json:"got"`
}

// Failure is why requests failed, and how many did.
type Failure struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	Text   string `json:"text"` // the first one, in full
}

// InstanceUse is what came from one instance.
type InstanceUse struct {
	Name      string `json:"name"`
	Responses int    `json:"responses"`
	Sessions  int    `json:"sessions"` // alive ones whose home it is, at the end
}

// Moment is what happened in one interval of the run.
type Moment struct {
	At         float64 `json:"at_s"` // its end
	Length     float64 `json:"length_s"`
	Answered   int     `json:"answered"`
	Failed     int     `json:"failed"` // attempts without success
	Late       int     `json:"late"`
	Misroutes  int     `json:"misroutes"`
	LostStates int     `json:"lost_states"`
	Overcounts int     `json:"overcounts"`
	Moves      int     `json:"moves"`
	Unknown    int     `json:"unknown,omitempty"` // mcp: as MCPUse has it
	P50        float64 `json:"p50_ms"`
	P90        float64 `json:"p90_ms"`
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
	// Homes are the alive sessions of each instance, at the end of the interval.
	Homes map[string]int `json:"homes"`
}
