package page

import (
	"strings"

	"github.com/limpet-proxy/limpet/load"
)

// table has numbers that belong together.
type table struct {
	Title string
	Rows  []row
}

// row is one line of a table: what it is, and one or two values.
type row struct{ Name, Value, Second string }

func tablesOf(r load.Report) []table {
	tables := []table{
		{"The load", loadRows(r.Load)}, {"Requests", requestRows(r)},
		{"Sessions", sessionRows(r.Sessions)}, {"Affinity", affinityRows(r.Affinity)},
	}
	if r.MCP != nil {
		tables = append(tables, table{"MCP", mcpRows(*r.MCP)})
	}
	return tables
}

func loadRows(d load.Description) []row {
	rows := []row{
		{"targets, in turn", strings.Join(d.Targets, "\n"), ""},
		{"protocol", d.Protocol, ""},
		{"method", d.Method, ""},
		{"body", counted(d.BodyBytes, "byte", "bytes"), ""},
		{"model", modelOf(d), ""},
		{"connections at most", count(d.Connections), ""},
		{"sessions at once", count(d.Sessions), ""},
		{"session carried by", d.Carrier, ""},
		{"instance read from", d.From, ""},
		{"count read from", d.Count, ""},
		{"think time", d.Think, ""},
		{"retries at most", count(d.Retries), ""},
	}
	if d.Tool != "" {
		rows = append(rows, row{"tool", d.Tool, ""})
	}
	if d.Ramp != 0 {
		rows = append(rows, row{"ramp", seconds(d.Ramp), ""})
	}
	if d.Requests != 0 {
		rows = append(rows, row{"until", counted(d.Requests, "request", "requests"), ""})
	}
	if d.Duration != 0 {
		rows = append(rows, row{"until", seconds(d.Duration), ""})
	}
	for i := range rows {
		if rows[i].Value == "" {
			rows[i].Value = "none"
		}
	}
	return rows
}

func requestRows(r load.Report) []row {
	q := r.Requests
	return []row{
		{"scheduled", count(q.Scheduled), ""},
		{"sent, with retries", count(q.Sent), ""},
		{"answered", count(q.Answered), ""},
		{"succeeded: status below 400", count(q.Succeeded), ""},
		{"failed in each attempt", count(q.Failed), ""},
		{"attempts without a whole answer", count(q.Unanswered), ""},
		{"retries", count(q.Retried), ""},
		{"in flight when the run was stopped", count(q.Cut), ""},
		{"scheduled and never sent", count(q.Unsent), ""},
		{"sent late", count(q.Late), ""},
		{"of those, for want of time or connections here", count(q.LateHere), ""},
		{"rate asked for", rate(r.Rate.Asked), ""},
		{"rate achieved", rate(r.Rate.Achieved), ""},
	}
}

func sessionRows(s load.Sessions) []row {
	return []row{
		{"begun", count(s.Begun), ""},
		{"ended", count(s.Ended), ""},
		{"alive at the end", count(s.Alive), ""},
		{"with a known home", count(s.Named), ""},
		{"given another ID by the target", count(s.Renamed), ""},
	}
}

func affinityRows(a load.Affinity) []row {
	return []row{
		{"responses judged", count(a.Judged), ""},
		{"of those, with a home to compare", count(a.Checked), ""},
		{"successful and not judged", count(a.Unjudged), ""},
		{"misroutes: from elsewhere, not announced", count(a.Misroutes), ""},
		{"lost states: the count fell back, not announced", count(a.LostStates), ""},
		{"overcounts: the count is too high", count(a.Overcounts), ""},
		{"announced moves", count(a.Moves), ""},
		{"sessions with a misroute", count(a.Strayed), ""},
		{"of those, away from home at the end", count(a.Away), ""},
	}
}

func mcpRows(m load.MCPUse) []row {
	return []row{
		{"version", m.Version, ""},
		{"initialized", count(m.Initialized), ""},
		{"of those, again", count(m.Reinitialized), ""},
		{"handshakes that failed", count(m.Refused), ""},
		{"initialize, p50", millis(m.Initialize.P50), ""},
		{"initialize, p99", millis(m.Initialize.P99), ""},
		{"initialize, max", millis(m.Initialize.Max), ""},
		{"unknown sessions: status 404", count(m.Unknown), ""},
		{"of those, alive: misroutes", count(m.Misrouted), ""},
		{"of those, with a home that lived, and no name in the answer", count(m.Unexplained), ""},
		{"deleted", count(m.Deleted), ""},
		{"not deleted", count(m.Undeleted), ""},
	}
}

// timesOf are the latencies, and beside them the service times.
func timesOf(r load.Report) []row {
	l, s := r.Latency, r.Service
	rows := []row{{"requests", count(int(l.Count)), count(int(s.Count))}}
	for _, v := range []struct {
		name             string
		latency, service float64
	}{
		{"mean", l.Mean, s.Mean}, {"p50", l.P50, s.P50}, {"p90", l.P90, s.P90}, {"p95", l.P95, s.P95}, {"p99", l.P99, s.P99},
		{"p99.9", l.P999, s.P999}, {"p99.99", l.P9999, s.P9999}, {"max", l.Max, s.Max},
	} {
		rows = append(rows, row{v.name, millis(v.latency), millis(v.service)})
	}
	return rows
}
