package page

import (
	"github.com/limpet-proxy/limpet/load"
)

const (
	// apart is how far two marks must be from each other to be drawn one by one, as a part of the axis.
	apart = 0.016
	// mostGuides is how many marks of a kind have a line through the plot. More would hide it.
	mostGuides = 6
)

// kind is one kind of what can happen in a moment. Class is its class in the style sheet.
type kind struct {
	class, one, many string
	count            func(load.Moment) int
}

func kinds() []kind {
	return []kind{
		{"move", "announced move", "announced moves", func(m load.Moment) int { return m.Moves }},
		{"failure", "failure", "failures", func(m load.Moment) int { return m.Failed }},
		{"unknown", "unknown session", "unknown sessions", func(m load.Moment) int { return m.Unknown }},
		{"misroute", "misroute", "misroutes", func(m load.Moment) int { return m.Misroutes }},
		{"lost", "lost state", "lost states", func(m load.Moment) int { return m.LostStates }},
		{"overcount", "overcount", "overcounts", func(m load.Moment) int { return m.Overcounts }},
	}
}

// shape is the path of a mark of a class, around 0,0.
func shape(class string) string {
	switch class {
	case "move":
		return "M0-5.5 5.5 0 0 5.5-5.5 0Z"
	case "failure":
		return "M0-5 5.5 4.5-5.5 4.5Z"
	case "misroute":
		return "M-5-3-3-5 0-2 3-5 5-3 2 0 5 3 3 5 0 2-3 5-5 3-2 0Z"
	case "unknown":
		return "M-5 0-2.5-4.5 2.5-4.5 5 0 2.5 4.5-2.5 4.5Z"
	case "lost":
		return "M-4.8 0a4.8 4.8 0 1 0 9.6 0a4.8 4.8 0 1 0-9.6 0Z"
	}
	return "M-4.2-4.2H4.2V4.2H-4.2Z"
}

// mark says that something happened in a moment, or in each of several that are next to each other. Places are parts
// of the axis.
type mark struct {
	Class    string
	From, To float64 // when it happened first and last
	Lane     int     // from the top
	Title    string
	Guided   bool // a line through the plot shows when it was
}

// marksOf are the marks of a timeline, a lane for each kind that has any, and those kinds.
func marksOf(moments []load.Moment, x axis) (marks []mark, present []kind) {
	for _, k := range kinds() {
		found := k.marks(moments, x, len(present))
		if len(found) > 0 {
			marks, present = append(marks, guide(found)...), append(present, k)
		}
	}
	return marks, present
}

func (k kind) marks(moments []load.Moment, x axis, lane int) (marks []mark) {
	var open load.Moment // what the last mark stands for
	for _, m := range moments {
		if k.count(m) == 0 {
			continue
		}
		place := x.at(middle(m))
		if last := len(marks) - 1; last >= 0 && place-marks[last].To < apart {
			start := open.At - open.Length
			open = both(open, m)
			open.Length = open.At - start
			marks[last].To, marks[last].Title = place, k.title(open)
			continue
		}
		open = m
		marks = append(marks, mark{Class: k.class, From: place, To: place, Lane: lane, Title: k.title(m)})
	}
	return marks
}

// guide gives the marks lines through the plot, if they are few and short.
func guide(marks []mark) []mark {
	for i := range marks {
		marks[i].Guided = len(marks) <= mostGuides && !marks[i].Many()
	}
	return marks
}

func (k kind) title(m load.Moment) string { return counted(k.count(m), k.one, k.many) + ", " + when(m) }

// happened are the lines of a tooltip that say what marks say.
func happened(m load.Moment) (lines []string) {
	for _, k := range kinds() {
		if n := k.count(m); n != 0 {
			lines = append(lines, counted(n, k.one, k.many))
		}
	}
	return lines
}

// middle is when a moment was, as one number.
func middle(m load.Moment) float64 { return m.At - m.Length/2 }

// when says which moment it was.
func when(m load.Moment) string { return seconds(m.At-m.Length) + " – " + seconds(m.At) }
