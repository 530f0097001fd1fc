package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/limpet-proxy/limpet/load"
)

// printLoad writes the summary of a run. Whatever the target has chosen (names, IDs, texts) is made harmless first.
func printLoad(w io.Writer, r load.Report) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "\n%s: %s\n\n", strings.ToUpper(string(r.Verdict)), printable(r.Why))
	printRequests(out, r)
	printLatency(out, r)
	printSessions(out, r)
	printFailures(out, r)
	a := r.Affinity
	printExamples(out, "violations", a.Misroutes+a.LostStates+a.Overcounts, a.Examples)
	printExamples(out, "announced moves", a.Moves, a.Announced[:min(len(a.Announced), shownMoves)])
	for _, warning := range r.Warnings {
		fmt.Fprintf(out, "\nWarning: %s\n", printable(warning))
	}
	return out.Flush()
}

func printRequests(out io.Writer, r load.Report) {
	q := r.Requests
	end := ""
	if r.Interrupted {
		end = ", interrupted"
	}
	fmt.Fprintf(out, "requests\t%s answered in %.1f s%s: %s succeeded, %s failed\n", thousands(q.Answered), r.Elapsed, end,
		thousands(q.Succeeded), thousands(q.Failed))
	if odd := q.Unanswered + q.Retried + q.Cut + q.Unsent; odd > 0 {
		fmt.Fprintf(out, "\t%s without a response, %s retried, %s cut by the end, %s never sent\n", thousands(q.Unanswered),
			thousands(q.Retried), thousands(q.Cut), thousands(q.Unsent))
	}
	if r.Rate.Asked > 0 {
		fmt.Fprintf(out, "rate\t%s/s of %s/s asked; %s sent late, %s of them because this program was\n", thousands(int(r.Rate.Achieved+0.5)),
			thousands(int(r.Rate.Asked+0.5)), thousands(q.Late), thousands(q.LateHere))
		return
	}
	fmt.Fprintf(out, "rate\t%s/s\n", thousands(int(r.Rate.Achieved+0.5)))
}

func printLatency(out io.Writer, r load.Report) {
	row := func(name string, l load.Latency) {
		fmt.Fprintf(out, "%s\tp50 %s  p90 %s  p99 %s  p99.9 %s  max %s\n", name, inMillis(l.P50), inMillis(l.P90), inMillis(l.P99),
			inMillis(l.P999), inMillis(l.Max))
	}
	row("latency", r.Latency)
	if r.Rate.Asked > 0 {
		row("from sending on", r.Service)
	}
}

func printSessions(out io.Writer, r load.Report) {
	s, a := r.Sessions, r.Affinity
	fmt.Fprintf(out, "sessions\t%s begun, %s ended, %s alive\n", thousands(s.Begun), thousands(s.Ended), thousands(s.Alive))
	printMCP(out, r.MCP)
	if s.Renamed > 0 {
		fmt.Fprintf(out, "\t%s times the target gave a session another ID\n", thousands(s.Renamed))
	}
	if r.Verdict == load.Unasked {
		return
	}
	share := ""
	if a.Misroutes > 0 {
		share = fmt.Sprintf(" (%.2f %% of those that could be)", 100*float64(a.Misroutes)/float64(max(1, a.Checked)))
	}
	fmt.Fprintf(out, "affinity\t%s judged, %s could not be\n", thousands(a.Judged), thousands(a.Unjudged))
	fmt.Fprintf(out, "\t%s misroutes%s, %s lost states, %s overcounts\n", thousands(a.Misroutes), share, thousands(a.LostStates),
		thousands(a.Overcounts))
	if a.Strayed > 0 {
		fmt.Fprintf(out, "\t%s sessions were misrouted, %s of them had not come home at the end\n", thousands(a.Strayed), thousands(a.Away))
	}
	fmt.Fprintf(out, "\t%s announced moves\n", thousands(a.Moves))
	for i, instance := range r.Instances {
		name := ""
		if i == 0 {
			name = "instances"
		}
		fmt.Fprintf(out, "%s\t%s: %s responses, home of %s sessions\n", name, cell(instance.Name), thousands(instance.Responses),
			thousands(instance.Sessions))
	}
}

// printMCP shows what became of MCP sessions; nil: there were none.
func printMCP(out io.Writer, m *load.MCPUse) {
	if m == nil {
		return
	}
	fmt.Fprintf(out, "mcp\t%s initialized, %s of them again, %s refused; %s deleted, %s not\n", thousands(m.Initialized),
		thousands(m.Reinitialized), thousands(m.Refused), thousands(m.Deleted), thousands(m.Undeleted))
	fmt.Fprintf(out, "\tinitialize: p50 %s  p99 %s  max %s; %s\n", inMillis(m.Initialize.P50), inMillis(m.Initialize.P99),
		inMillis(m.Initialize.Max), cell(m.Version))
	if m.Unknown > 0 {
		fmt.Fprintf(out, "\t%s times unknown (404), %s of them misroutes, %s in doubt\n", thousands(m.Unknown), thousands(m.Misrouted),
			thousands(m.Unexplained))
	}
}

func printFailures(out io.Writer, r load.Report) {
	if len(r.Failures) == 0 {
		return
	}
	fmt.Fprintln(out, "\nfailures:")
	for _, f := range r.Failures {
		fmt.Fprintf(out, "  %s\t%s\n", thousands(f.Count), printable(f.Reason))
		if f.Text != f.Reason {
			fmt.Fprintf(out, "  \t  such as: %s\n", printable(f.Text))
		}
	}
}

// shownMoves is how many announced moves a summary shows: they are in order, and the report has more.
const shownMoves = 3

func printExamples(out io.Writer, what string, all int, examples []load.Example) {
	if len(examples) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s, the first %d of %s:\n", what, len(examples), thousands(all))
	for _, e := range examples {
		fmt.Fprintf(out, "  at %.3f s\t%s of %s, its request %d, to %s\n", e.At, e.Kind, cell(e.Session), e.Request, printable(e.Target))
		if e.Kind != "moved" {
			fmt.Fprintf(out, "  \t  expected: %s\n", printable(e.Expected))
		}
		fmt.Fprintf(out, "  \t  got: %s\n", printable(e.Got))
	}
}
