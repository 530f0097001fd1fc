package page

import (
	"cmp"
	"slices"

	"github.com/limpet-proxy/limpet/load"
)

// mostPoints is how many points a line has at most: about as many as there are pixels.
const mostPoints = 600

// join makes at most most moments of a timeline, each of them of so many neighbours. What was worst stays: of latencies
// the highest survives, of counts the sum. Sessions are as at the end.
func join(timeline []load.Moment, most int) (joined []load.Moment, each int) {
	each = max(1, (len(timeline)+most-1)/most)
	for group := range slices.Chunk(timeline, each) {
		m := group[0]
		for _, next := range group[1:] {
			m = both(m, next)
		}
		joined = append(joined, m)
	}
	return joined, each
}

// both is what happened in two moments, of which b is the later.
func both(a, b load.Moment) load.Moment {
	return load.Moment{
		At:         b.At,
		Length:     a.Length + b.Length,
		Answered:   a.Answered + b.Answered,
		Failed:     a.Failed + b.Failed,
		Late:       a.Late + b.Late,
		Misroutes:  a.Misroutes + b.Misroutes,
		LostStates: a.LostStates + b.LostStates,
		Overcounts: a.Overcounts + b.Overcounts,
		Moves:      a.Moves + b.Moves,
		Unknown:    a.Unknown + b.Unknown,
		P50:        max(a.P50, b.P50),
		P90:        max(a.P90, b.P90),
		P99:        max(a.P99, b.P99),
		Max:        max(a.Max, b.Max),
		Homes:      b.Homes,
	}
}

// tidy is the timeline in its order, with times that an axis can hold. A report of ours is tidy; one that was read from
// a file may not be.
func tidy(timeline []load.Moment) []load.Moment {
	tidied := slices.Clone(timeline)
	for i := range tidied {
		tidied[i].At = clamp(tidied[i].At, 0, mostSeconds)
		tidied[i].Length = clamp(tidied[i].Length, 0, tidied[i].At)
	}
	slices.SortStableFunc(tidied, func(a, b load.Moment) int { return cmp.Compare(a.At, b.At) })
	return tidied
}
