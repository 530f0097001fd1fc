package page

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/limpet-proxy/limpet/load"
)

// omission says what the gap between the two lines means.
const omission = "Latency counts from when a request was due, service from when it was sent. What is between the lines " +
	"is time that requests waited because others were slow; a load that waits for its answers would leave it out " +
	"(coordinated omission)."

// distribution is the plot of latency by percentile, of so many pixels in all.
func distribution(r load.Report, height float64) chart {
	c := newChart("percentiles", "Latency by percentile", 0)
	c.plot = height - c.top
	curve := thin(r.Latency.Curve, mostPoints)
	if len(curve) == 0 {
		return c.empty("No request was answered.")
	}
	var service []load.Percentile
	c.Note = "How many percent of the requests took no longer."
	if open(r) {
		service = thin(r.Service.Curve, mostPoints)
		c.Note = omission
	}
	x, y := percentiles(r.Latency.Count), millisOf(append(values(curve), values(service)...))
	c.axisX(x, x.percentAt)
	for i := range c.X {
		c.X[i].Minor = i > 5 && i < len(c.X)-1
	}
	c.axisY(y, millis)
	if len(service) > 0 {
		c.line("service", "service", curvePoints(service, x, y))
	}
	c.line("latency", "latency", curvePoints(curve, x, y))
	tellCurve(&c, curve, service, x)
	return c
}

// open says whether latency and service differ.
func open(r load.Report) bool { return r.Load.Model == "open" && r.Service.Count > 0 }

// thin leaves about so many points of a curve, among them the last.
func thin(curve []load.Percentile, most int) []load.Percentile {
	each := max(1, (len(curve)+most-1)/most)
	var left []load.Percentile
	for i, p := range curve {
		if i%each == 0 || i == len(curve)-1 {
			left = append(left, p)
		}
	}
	return left
}

func values(curve []load.Percentile) []float64 {
	all := make([]float64, len(curve))
	for i, p := range curve {
		all[i] = p.Value
	}
	return all
}

// millisOf is an axis for these. What is not above 0 has no place on it and is drawn at its low end.
func millisOf(all []float64) axis {
	least, most := math.Inf(1), 0.0
	for _, v := range all {
		if v > 0 {
			least, most = min(least, v), max(most, v)
		}
	}
	if most == 0 {
		return logarithmic(0.1, 1)
	}
	return logarithmic(least, most)
}

func curvePoints(curve []load.Percentile, x, y axis) []point {
	points := make([]point, len(curve))
	for i, p := range curve {
		points[i] = point{x: x.at(nines(p.Percent)), y: y.at(p.Value)}
	}
	return points
}

// tellCurve adds a strip for each percentile of the curve: half of the way to its neighbours.
func tellCurve(c *chart, curve, service []load.Percentile, x axis) {
	from := 0.0
	for i, p := range curve {
		to := 1.0
		if i+1 < len(curve) {
			to = (x.at(nines(p.Percent)) + x.at(nines(curve[i+1].Percent))) / 2
		}
		text := percentText(p.Percent) + space + "%\nlatency at most " + millis(p.Value)
		if at, known := valueAt(service, p.Percent); known {
			text += "\nservice at most " + millis(at)
		}
		c.strip(from, to, text)
		from = to
	}
}

// percentText writes a percentile with one digit more than it has nines.
func percentText(percent float64) string {
	places := int(clamp(nines(percent), 0, mostNines)) + 1
	if percent >= 100 {
		places = 0
	}
	return strconv.FormatFloat(percent, 'f', places, 64)
}

// valueAt is what so many percent are at most.
func valueAt(curve []load.Percentile, percent float64) (ms float64, known bool) {
	for _, p := range curve {
		if p.Percent >= percent {
			return p.Value, true
		}
	}
	return 0, false
}

// latency is the plot of latency over time.
func (t timeline) latency() chart {
	c := t.chart("latency", "Latency over time", func(i int) []string { return latencyLines(t.moments[i]) })
	if len(t.moments) == 0 {
		return c.empty(nothing)
	}
	var all []float64
	for _, m := range t.moments {
		all = append(all, m.P50, m.P90, m.P99, m.Max)
	}
	y := millisOf(all)
	c.axisY(y, millis)
	for _, l := range []struct {
		class, name string
		value       func(load.Moment) float64
	}{
		{"max", "max", func(m load.Moment) float64 { return m.Max }},
		{"p99", "p99", func(m load.Moment) float64 { return m.P99 }},
		{"p90", "p90", func(m load.Moment) float64 { return m.P90 }},
		{"p50", "p50", func(m load.Moment) float64 { return m.P50 }},
	} {
		c.line(l.class, l.name, t.points(y, func(m load.Moment) (float64, bool) { return l.value(m), timed(m) }))
	}
	c.mark(t.marks, t.present)
	if slices.ContainsFunc(t.moments, func(m load.Moment) bool { return !timed(m) }) {
		c.Note = "The lines break where nothing was answered."
	}
	c.Note = strings.TrimSpace(c.Note + t.note("worst"))
	return c
}

// timed says whether the moment has latencies at all.
func timed(m load.Moment) bool { return m.Answered > 0 || m.Max > 0 }

func latencyLines(m load.Moment) []string {
	if !timed(m) {
		return []string{"nothing answered"}
	}
	return []string{"max " + millis(m.Max), "p99 " + millis(m.P99), "p90 " + millis(m.P90), "p50 " + millis(m.P50)}
}
