package page

import (
	"strconv"
	"strings"
)

// across is the width of a plot in its own units. It is stretched to the width that there is.
const across = 1000

// point is a place in a plot: parts of its axes. A gap has no value, and the line breaks there.
type point struct {
	x, y float64
	gap  bool
}

// line is drawn through points. Dots are those that have no neighbour, of which a path would show nothing.
type line struct {
	Class, Path string
	Dots        []point
}

// X and Y are the dot's place, as part of the width and in pixels from the top of the plot.
func (p point) X() string { return percent(p.x) }

func percent(part float64) string { return strconv.FormatFloat(part*100, 'f', 2, 64) + "%" }

func pixels(v float64) string {
	text := strconv.FormatFloat(v, 'f', 1, 64)
	return strings.TrimSuffix(strings.Replace(text, "-0.0", "0", 1), ".0")
}

// draw makes a line of points, in a plot so many pixels high.
func draw(class string, points []point, height float64) line {
	l := line{Class: class}
	var path strings.Builder
	for i, p := range points {
		if p.gap {
			continue
		}
		before := i > 0 && !points[i-1].gap
		after := i+1 < len(points) && !points[i+1].gap
		switch {
		case before:
			path.WriteString("L" + spot(p, height))
		case after:
			path.WriteString("M" + spot(p, height))
		default:
			l.Dots = append(l.Dots, p)
		}
	}
	l.Path = path.String()
	return l
}

// area fills what is between two lines over the same places.
func area(class string, above, below []point, height float64) line {
	var path strings.Builder
	for i, p := range above {
		path.WriteString([]string{"M", "L"}[min(i, 1)] + spot(p, height))
	}
	for i := len(below) - 1; i >= 0; i-- {
		path.WriteString("L" + spot(below[i], height))
	}
	return line{Class: class, Path: path.String() + "Z"}
}

func spot(p point, height float64) string {
	return pixels(p.x*across) + " " + pixels((1-p.y)*height)
}
