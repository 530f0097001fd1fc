package page

import "slices"

// homes is the plot of sessions for each instance, stacked.
func (t timeline) homes() chart {
	found := layers(t.moments)
	c := t.chart("homes", "Sessions by home", func(i int) []string { return homeLines(found, i) })
	if len(found) == 0 {
		return c.empty("No instance was known to be a session's home.")
	}
	lines := stack(found, len(t.moments))
	most := 0.0
	for _, n := range lines[len(found)] {
		most = max(most, n)
	}
	y := linear(most, true)
	c.axisY(y, digits)
	below := t.ends(y, lines[0])
	for i, l := range found {
		above := t.ends(y, lines[i+1])
		c.Areas = append(c.Areas, area(l.class, above, below, c.plot))
		c.name(l.name, above, below)
		c.Legend = append(c.Legend, key{"area", l.class, l.name})
		below = above
	}
	c.mark(t.marks, t.present)
	c.Note = "Sessions alive, from the bottom up in the order of the legend." + t.note("end")
	return c
}

// ends are values at the end of each moment. The first one is drawn from the moment's beginning.
func (t timeline) ends(y axis, values []float64) []point {
	first := t.moments[0]
	points := []point{{x: t.x.at(first.At - first.Length), y: y.at(values[0])}}
	for i, m := range t.moments {
		points = append(points, point{x: t.x.at(m.At), y: y.at(values[i])})
	}
	return points
}

// homeLines are each instance's sessions at the end of a moment, the top of the stack first.
func homeLines(found []layer, moment int) []string {
	total := 0.0
	var lines []string
	for _, l := range slices.Backward(found) {
		if n := l.sessions[moment]; n > 0 {
			total += n
			lines = append(lines, digits(n)+" "+l.name)
		}
	}
	return append([]string{digits(total) + " sessions"}, lines...)
}

// name writes a layer's name into it, at its end or else at its beginning, if it is high enough there.
func (c *chart) name(name string, above, below []point) {
	last := len(above) - 1
	for _, side := range []struct {
		at        int
		x, anchor string
	}{{last, "99%", "end"}, {0, "1%", "start"}} {
		top, bottom := above[side.at].y, below[side.at].y
		if (top-bottom)*c.plot >= room {
			c.Words = append(c.Words, word{side.x, pixels(c.y((top+bottom)/2) + 4), side.anchor, name})
			return
		}
	}
}
