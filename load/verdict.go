package load

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// tooLate is the share of requests that may be late by this program's own fault before a report warns.
const tooLate = 0.01

// errNothingSent is why nothing succeeded where nothing failed either.
var errNothingSent = errors.New("nothing was sent")

// ending is what the run knows at its end.
type ending struct {
	at          time.Time
	scheduled   time.Duration // how long requests were begun
	interrupted bool
	alive       int // sessions
	connections int // in use at once, at the most
}

// report is what was found, once nothing more comes.
func (r *recorder) report(p *Plan, e ending) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timeline.close(e.at, r.homes)
	r.sessions.Alive = e.alive
	r.requests.Unsent = r.requests.Scheduled - r.started
	report := Report{
		Version: ReportVersion, Began: r.began, Elapsed: e.at.Sub(r.began).Seconds(), Interrupted: e.interrupted,
		Load: p.describe(), Requests: r.requests, Sessions: r.sessions, Affinity: r.affinity,
		Latency: r.latency.summary(), Service: r.service.summary(), Timeline: r.timeline.moments,
		Failures: r.sortedFailures(), Instances: r.instances(), Warnings: []string{},
	}
	if s := e.scheduled.Seconds(); s > 0 {
		report.Rate.Achieved = float64(r.inSchedule) / s
		if p.open() {
			report.Rate.Asked = float64(r.requests.Scheduled) / s
		}
	}
	if p.Protocol == MCP {
		use := r.mcp
		use.Initialize = r.handshake.summary()
		report.MCP = &use
	}
	report.Verdict, report.Why = r.verdict(p)
	report.warn(e)
	return report
}

// verdict says whether each session stayed at home, and why it is so. The caller holds mu.
func (r *recorder) verdict(p *Plan) (Verdict, string) {
	a := r.affinity
	switch {
	case p.From.IsZero():
		return Unasked, "nothing was to be judged"
	case a.Misroutes+a.LostStates+a.Overcounts > 0:
		return Broken, fmt.Sprintf("%s, %s and %s in %d judged responses", plural(a.Misroutes, "misroute"),
			plural(a.LostStates, "lost state"), plural(a.Overcounts, "overcount"), a.Judged)
	case r.requests.Succeeded == 0:
		return Unjudged, fmt.Sprintf("no request succeeded; the first failure: %v", cmp.Or(r.first, errNothingSent))
	case 2*r.requests.Failed > r.started:
		return Unjudged, fmt.Sprintf("%d of %d requests failed, which leaves too little to judge; the first failure: %v",
			r.requests.Failed, r.started, r.first)
	case a.Unjudged > 0:
		return Unjudged, fmt.Sprintf("%d of %s could not be judged; the first: %v", a.Unjudged,
			plural(r.requests.Succeeded, "successful response"), r.unjudged)
	case r.mcp.Unexplained > 0:
		return Unjudged, fmt.Sprintf("%s unknown (404) while their homes went on with others, and the answers do not show whether "+
			"the homes gave them", pluralWere(r.mcp.Unexplained, "session"))
	case a.Checked == 0:
		return Unjudged, "no session had a second response to compare with its first"
	}
	return Proven, fmt.Sprintf("0 misroutes, 0 lost states and 0 overcounts in %s of %s", plural(a.Judged, "judged response"),
		plural(r.sessions.Named, "session"))
}

func pluralWere(n int, word string) string {
	if n == 1 {
		return "1 " + word + " was"
	}
	return plural(n, word) + " were"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// warn adds what a reader should know before believing the numbers.
func (r *Report) warn(e ending) {
	add := func(condition bool, format string, args ...any) {
		if condition {
			r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
		}
	}
	add(float64(r.Requests.LateHere) > tooLate*float64(r.Requests.Scheduled),
		"the schedule was not kept: %d of %d requests were sent more than %v late though their session was free, because this program "+
			"was slow or all connections were in use (at most %d of %d were); their latency includes that",
		r.Requests.LateHere, r.Requests.Scheduled, LateAfter, e.connections, r.Load.Connections)
	add(r.Requests.Unsent > 0, "%s scheduled and not sent before the run ended: their latency is in no figure",
		plural(r.Requests.Unsent, "request"))
	add(r.Requests.Failed > 0, "%s failed", plural(r.Requests.Failed, "request"))
	if r.MCP != nil {
		gone := r.MCP.Unknown - r.MCP.Misrouted - r.MCP.Unexplained
		add(gone > 0, "%s unknown to whoever answered (404), with no sign that they lived: their clients had to initialise again",
			pluralWere(gone, "session"))
	}
	add(r.Verdict == Proven && len(r.Instances) == 1, "all responses came from one instance, which leaves nothing to misroute")
	add(r.Load.Count == "none" && r.Verdict == Proven, "no count was looked at, so a lost state would not show")
}

func (r *recorder) sortedFailures() []Failure {
	all := []Failure{}
	for _, f := range r.failures {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Failure) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Reason, b.Reason)) })
	return all
}

func (r *recorder) instances() []InstanceUse {
	names := maps.Clone(r.responses)
	maps.Copy(names, r.homes)
	all := []InstanceUse{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		all = append(all, InstanceUse{Name: name, Responses: r.responses[name], Sessions: r.homes[name]})
	}
	return all
}
