package page

import "strconv"

// Sizes in pixels. Only the width of a plot follows the window, so that text is as large on a phone as on a desk.
const (
	plotHeight = 220
	laneHeight = 15
	margin     = 6
	// room is how high a layer must be to have its name written in it.
	room = 15
)

// chart is one plot, ready to be drawn: places are text, x as part of the width, y in pixels.
type chart struct {
	ID, Title, Note string
	Empty           string // why there is nothing to draw
	X, Y            []tick
	Areas, Lines    []line
	Words           []word
	Marks           []mark
	Strips          []strip
	Legend          []key
	top             float64 // of the plot, below the lanes of marks
	plot            float64 // its height
}

// tick is a place on an axis. A minor one has no label where there is little room.
type tick struct {
	At, Label string
	Minor     bool
}

// strip is a part of the width, with what there is to say of it.
type strip struct{ X, Width, Title string }

// word is a name in the plot.
type word struct{ X, Y, Anchor, Text string }

// key explains a line, an area or a mark.
type key struct{ Form, Class, Text string }

// newChart is a chart with so many lanes of marks, and a title.
func newChart(id, title string, lanes int) chart {
	c := chart{ID: id, Title: title, top: margin, plot: plotHeight}
	if lanes > 0 {
		c.top += float64(lanes * laneHeight)
	}
	return c
}

// empty is the chart with nothing but the reason for that.
func (c chart) empty(why string) chart {
	c.Empty = why
	return c
}

// axisX sets the ticks of the x axis; axisY those of the other.
func (c *chart) axisX(a axis, label func(float64) string) {
	for _, v := range a.ticks {
		c.X = append(c.X, tick{At: percent(a.at(v)), Label: label(v)})
	}
}

func (c *chart) axisY(a axis, label func(float64) string) {
	for _, v := range a.ticks {
		c.Y = append(c.Y, tick{At: pixels(c.y(a.at(v))), Label: label(v)})
	}
}

// line adds a line and its entry in the legend.
func (c *chart) line(class, name string, points []point) {
	c.Lines = append(c.Lines, draw(class, points, c.plot))
	c.Legend = append(c.Legend, key{"line", class, name})
}

// mark adds marks, and the entries of their kinds in the legend.
func (c *chart) mark(marks []mark, present []kind) {
	c.Marks = marks
	for _, k := range present {
		c.Legend = append(c.Legend, key{"mark", k.class, k.many})
	}
}

// strip adds what there is to say of a part of the width.
func (c *chart) strip(from, to float64, title string) {
	c.Strips = append(c.Strips, strip{percent(from), percent(max(0, to-from)), title})
}

// y is where a part of the y axis is.
func (c chart) y(part float64) float64 { return c.top + (1-part)*c.plot }

// Top, Plot, Bottom and Under are the plot's upper end, its height, its lower end, and where the ticks' names are.
func (c chart) Top() string { return pixels(c.top) }

// Plot is in pixels.
func (c chart) Plot() string { return pixels(c.plot) }

// Bottom is in pixels.
func (c chart) Bottom() string { return pixels(c.top + c.plot) }

// Under is in pixels.
func (c chart) Under() string { return pixels(c.top + c.plot + 18) }

// Box is the plot's own units.
func (c chart) Box() string { return "0 0 " + strconv.Itoa(across) + " " + c.Plot() }

// Dot is how high up a dot is.
func (c chart) Dot(p point) string { return pixels(c.y(p.y)) }

// X, Width, End and Middle are where a mark is.
func (m mark) X() string { return percent(m.From) }

// Width is that of the bar between its first and last moment.
func (m mark) Width() string { return percent(m.To - m.From) }

// End is where the last moment is.
func (m mark) End() string { return percent(m.To) }

// Middle is how far down its lane is.
func (m mark) Middle() string { return pixels(float64(m.Lane*laneHeight) + laneHeight/2) }

// Bar is the top of the bar.
func (m mark) Bar() string { return pixels(float64(m.Lane*laneHeight) + laneHeight/2 - 2) }

// Many says that it happened for so long that its beginning and its end are two places.
func (m mark) Many() bool { return m.To-m.From > apart }
