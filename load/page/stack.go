package page

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/limpet-proxy/limpet/load"
)

// mostInstances is how many instances are drawn one by one.
const mostInstances = 12

// mostName is how many characters of an instance's name a plot shows.
const mostName = 24

// layer is an instance in the stack, or several: the sessions that it was home to at the end of each moment. An
// instance that a moment does not know had none.
type layer struct {
	class, name string
	sessions    []float64
}

// layers are the instances that had the most sessions at any time, by name, and the sum of the others.
func layers(moments []load.Moment) []layer {
	names := byPeak(moments)
	var others []string
	if len(names) > mostInstances {
		names, others = names[:mostInstances], names[mostInstances:]
	}
	slices.Sort(names)
	var found []layer
	for i, name := range names {
		found = append(found, layer{"k" + strconv.Itoa(i), plain(name, mostName), sessionsOf(moments, name)})
	}
	if len(others) > 0 {
		label := counted(len(others), "other", "others")
		found = append(found, layer{"rest", label, sessionsOf(moments, others...)})
	}
	return found
}

// byPeak are the names of all instances, those first that had most sessions at once.
func byPeak(moments []load.Moment) []string {
	peak := map[string]int{}
	for _, m := range moments {
		for name, n := range m.Homes {
			peak[name] = max(peak[name], n)
		}
	}
	return slices.SortedFunc(maps.Keys(peak), func(a, b string) int {
		return cmp.Or(cmp.Compare(peak[b], peak[a]), cmp.Compare(a, b))
	})
}

func sessionsOf(moments []load.Moment, names ...string) []float64 {
	sums := make([]float64, len(moments))
	for i, m := range moments {
		for _, name := range names {
			sums[i] += float64(max(0, m.Homes[name]))
		}
	}
	return sums
}

// stack puts each layer on the one before. It has one line more than there are layers: the lowest is at 0.
func stack(found []layer, moments int) [][]float64 {
	lines := [][]float64{make([]float64, moments)}
	for i, l := range found {
		next := slices.Clone(lines[i])
		for at, n := range l.sessions {
			next[at] += n
		}
		lines = append(lines, next)
	}
	return lines
}
