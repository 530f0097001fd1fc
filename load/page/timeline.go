package page

import (
	"slices"
	"strings"

	"github.com/limpet-proxy/limpet/load"
)

// nothing is what a plot over time says that has no moments.
const nothing = "The run has no moments to draw."

// timeline is what the plots over time share: the moments as they are drawn, the axis, and the marks.
type timeline struct {
	moments []load.Moment
	each    int // of the report's moments are one of these
	x       axis
	marks   []mark
	present []kind
}

func newTimeline(moments []load.Moment) timeline {
	t := timeline{}
	t.moments, t.each = join(tidy(moments), mostPoints)
	end := 0.0
	for _, m := range t.moments {
		end = max(end, m.At)
	}
	t.x = clock(end)
	t.marks, t.present = marksOf(t.moments, t.x)
	return t
}

// note says what a point stands for where that is not one moment of the report.
func (t timeline) note(what string) string {
	if t.each == 1 {
		return ""
	}
	return " Each point is the " + what + " of " + seconds(t.moments[0].Length) + "."
}

// chart is a plot over time, with the x axis, the marks, and for each moment what lines says of
// the one of that index.
func (t timeline) chart(id, title string, lines func(i int) []string) chart {
	c := newChart(id, title, len(t.present))
	c.axisX(t.x, clockLabel(t.x))
	for i := range c.X {
		c.X[i].Minor = len(c.X) > 6 && i%2 == 1
	}
	for i, m := range t.moments {
		text := slices.Concat([]string{when(m)}, lines(i), happened(m))
		c.strip(t.x.at(m.At-m.Length), t.x.at(m.At), strings.Join(text, "\n"))
	}
	return c
}

// clockLabel names ticks in the one unit that suits them all.
func clockLabel(x axis) func(float64) string {
	unit, name := 1.0, "s"
	switch step := x.ticks[min(1, len(x.ticks)-1)]; {
	case step >= 3600:
		unit, name = 3600, "h"
	case step >= 60:
		unit, name = 60, "min"
	}
	return func(v float64) string { return digits(v/unit) + space + name }
}

// points are one value of each moment, at its middle.
func (t timeline) points(y axis, value func(load.Moment) (float64, bool)) []point {
	points := make([]point, len(t.moments))
	for i, m := range t.moments {
		v, known := value(m)
		points[i] = point{x: t.x.at(middle(m)), y: y.at(v), gap: !known}
	}
	return points
}

// rates is the plot of answers and failures a second, and of the rate that the open model was to keep after its ramp.
func (t timeline) rates(d load.Description) chart {
	c := t.chart("rate", "Rate", func(i int) []string { return rateLines(t.moments[i]) })
	if len(t.moments) == 0 {
		return c.empty(nothing)
	}
	asked := d.Rate
	if d.Model != "open" {
		asked = 0
	}
	most := asked
	for _, m := range t.moments {
		most = max(most, perSecond(m.Answered, m), perSecond(m.Failed, m))
	}
	y := linear(most, false)
	c.axisY(y, rate)
	if asked > 0 {
		c.line("asked", "asked for", []point{{x: t.x.at(d.Ramp), y: y.at(asked)}, {x: 1, y: y.at(asked)}})
	}
	c.line("answered", "answered", t.points(y, func(m load.Moment) (float64, bool) { return perSecond(m.Answered, m), true }))
	c.line("failed", "failed", t.points(y, func(m load.Moment) (float64, bool) { return perSecond(m.Failed, m), true }))
	c.mark(t.marks, t.present)
	c.Note = "Requests a second: answered, whatever the status, and attempts that failed." + t.note("mean")
	return c
}

func rateLines(m load.Moment) []string {
	lines := []string{rate(perSecond(m.Answered, m)) + " answered", rate(perSecond(m.Failed, m)) + " failed"}
	if m.Late > 0 {
		lines = append(lines, count(m.Late)+" sent late")
	}
	return lines
}

// perSecond is a count over a moment's length. One without a length has no rate.
func perSecond(n int, m load.Moment) float64 {
	if m.Length <= 0 {
		return 0
	}
	return clamp(float64(n)/m.Length, 0, mostCount)
}
