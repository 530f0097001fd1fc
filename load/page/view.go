package page

import (
	"html/template"
	"strings"

	"github.com/limpet-proxy/limpet/load"
)

// view is what the template shows.
type view struct {
	load.Report
	Policy string
	CSS    template.CSS
	JS     template.JS
	JSON   template.JS
	Answer answer
	Facts  []string
	Tiles  []tile
	Charts []chart
	Tables []table
	Times  []row
}

// answer is the verdict in words. Class is its colour, Sign says the same without one.
type answer struct{ Class, Sign, Title string }

// tile is one number. Note puts it in proportion; Class is "broken" or "failed" for one that should
// be 0 and is not.
type tile struct{ Name, Value, Note, Class string }

func newView(r load.Report, data []byte) view {
	t := newTimeline(r.Timeline)
	latency, rates, homes := t.latency(), t.rates(r.Load), t.homes()
	return view{
		Report: r,
		Policy: policy(),
		CSS:    template.CSS(pageCSS), //nolint:gosec // our own file
		JS:     template.JS(pageJS),   //nolint:gosec // our own file
		// encoding/json writes <, > and & as \u003c, \u003e and \u0026, so nothing in it ends the element.
		JSON:   template.JS(data), //nolint:gosec // see above
		Answer: answerOf(r),
		Facts:  factsOf(r),
		Tiles:  tilesOf(r),
		Charts: []chart{distribution(r, latency.top+latency.plot), latency, rates, homes},
		Tables: tablesOf(r),
		Times:  timesOf(r),
	}
}

func answerOf(r load.Report) answer {
	switch r.Verdict {
	case load.Proven:
		return answer{"good", "✓", violations(r.Affinity) + " in " + counted(r.Affinity.Judged, "response", "responses")}
	case load.Broken:
		return answer{"bad", "✗", violations(r.Affinity) + " in " + counted(r.Affinity.Judged, "response", "responses")}
	case load.Unasked:
		return answer{"idle", "–", counted(r.Requests.Answered, "request", "requests") + " answered, affinity not asked for"}
	}
	return answer{"fair", "?", "Could not be judged"}
}

// violations are the kinds that there were, or that there were no misroutes.
func violations(a load.Affinity) string {
	var found []string
	if a.Misroutes != 0 || a.LostStates == 0 && a.Overcounts == 0 {
		found = append(found, counted(a.Misroutes, "misroute", "misroutes"))
	}
	if a.LostStates != 0 {
		found = append(found, counted(a.LostStates, "lost state", "lost states"))
	}
	if a.Overcounts != 0 {
		found = append(found, counted(a.Overcounts, "overcount", "overcounts"))
	}
	last := len(found) - 1
	if last == 0 {
		return found[0]
	}
	return strings.Join(found[:last], ", ") + " and " + found[last]
}

// factsOf are the run in a line.
func factsOf(r load.Report) (facts []string) {
	if !r.Began.IsZero() {
		facts = append(facts, r.Began.UTC().Format("2 January 2006, 15:04:05 UTC"))
	}
	length := "ran " + seconds(r.Elapsed)
	if r.Interrupted {
		length += ", interrupted"
	}
	if r.MCP != nil {
		facts = append(facts, "MCP "+r.MCP.Version)
	}
	if model := modelOf(r.Load); model != "" {
		facts = append(facts, model)
	}
	return append(facts, length, counted(r.Load.Sessions, "session", "sessions")+" at once")
}

func modelOf(d load.Description) string {
	if d.Model == "open" {
		return "open model, " + rate(d.Rate)
	}
	if d.Model != "closed" {
		return d.Model
	}
	return "closed model, " + counted(d.Connections, "connection", "connections")
}

func tilesOf(r load.Report) []tile {
	asked := "closed model, none asked for"
	if r.Load.Model == "open" {
		asked = "of " + rate(r.Rate.Asked) + " asked for"
	}
	sent := func(service float64) string {
		if open(r) {
			return millis(service) + " from the sending"
		}
		return ""
	}
	a, s := r.Affinity, r.Sessions
	tiles := []tile{
		{"Answered", count(r.Requests.Answered), "of " + count(r.Requests.Sent) + " sent", ""},
		{"Rate", rate(r.Rate.Achieved), asked, ""},
		{"Latency p50", millis(r.Latency.P50), sent(r.Service.P50), ""},
		{"Latency p99", millis(r.Latency.P99), sent(r.Service.P99), ""},
		{"Latency max", millis(r.Latency.Max), sent(r.Service.Max), ""},
		{"Failures", count(r.Requests.Failed), count(r.Requests.Unanswered) + " without an answer", loss(r.Requests.Failed)},
		{"Sessions", count(s.Begun), count(s.Alive) + " alive at the end", ""},
		{"Announced moves", count(a.Moves), "told to the client", ""},
		{"Judged", count(a.Judged), count(a.Unjudged) + " could not be", ""},
		{"Misroutes", count(a.Misroutes), "of " + count(a.Checked) + " checked", fault(a.Misroutes)},
		{"Lost states", count(a.LostStates), "", fault(a.LostStates)},
		{"Overcounts", count(a.Overcounts), "", fault(a.Overcounts)},
	}
	if m := r.MCP; m != nil {
		tiles = append(tiles,
			tile{"Initialize p50", millis(m.Initialize.P50), count(m.Initialized) + " sessions, " + count(m.Reinitialized) + " of them again", ""},
			tile{"Unknown sessions", count(m.Unknown), count(m.Misrouted) + " of them lived", loss(m.Unknown)})
	}
	return tiles
}

// fault and loss are the classes of numbers that should be 0.
func fault(n int) string { return unless(n == 0, "broken") }

func loss(n int) string { return unless(n == 0, "failed") }

func unless(fine bool, class string) string {
	if fine {
		return ""
	}
	return class
}
