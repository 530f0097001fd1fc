package page

import (
	"math"
	"slices"
	"strconv"
)

// What an axis can show. Values beyond are drawn at its end.
const (
	leastMillis = 1e-3
	mostMillis  = 1e9
	mostCount   = 1e15
	mostSeconds = 1e9
	mostNines   = 12
)

// axis says where values are, and has round ticks.
type axis struct {
	low, high float64
	log       bool
	ticks     []float64
}

// at is the place of a value: 0 at the low end, 1 at the high one.
func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log10(max(v, low)), math.Log10(low), math.Log10(high)
	}
	return clamp((v-low)/(high-low), 0, 1)
}

func clamp(v, low, high float64) float64 { return min(high, max(low, v)) }

// linear is an axis from 0 to at least most. If whole, its ticks are whole numbers.
func linear(most float64, whole bool) axis {
	most = min(most, mostCount)
	if !(most >= 1e-9) { // NaN too
		most = 1
	}
	step := roundUp(most / 5)
	if whole {
		step = max(1, step)
	}
	var ticks []float64
	for i := 0.0; ; i++ {
		ticks = append(ticks, i*step)
		if i*step >= most*(1-1e-9) {
			return axis{low: 0, high: i * step, ticks: ticks}
		}
	}
}

// roundUp is the least of 1, 2 and 5 times a power of ten that is not less.
func roundUp(v float64) float64 {
	power := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logarithmic is an axis of milliseconds from at most least to at least most: each power of ten, and 2 and 5 times it
// where there is room.
func logarithmic(least, most float64) axis {
	least = clamp(least, leastMillis, mostMillis)
	most = clamp(most, least, mostMillis)
	steps := []float64{1, 2, 5}
	if most/least > 1000 {
		steps = steps[:1]
	}
	round := []float64{}
	for power := -3; power <= 9; power++ {
		for _, m := range steps {
			round = append(round, m*math.Pow10(power))
		}
	}
	from, exact := slices.BinarySearch(round, least)
	if !exact {
		from--
	}
	to, _ := slices.BinarySearch(round, most)
	if to == from {
		to++
	}
	return axis{low: round[from], high: round[to], log: true, ticks: round[from : to+1]}
}

// clock is an axis of seconds from 0 to end, with no more than seven ticks at times that people count in.
func clock(end float64) axis {
	end = min(end, mostSeconds)
	if end < 1e-3 {
		end = 1
	}
	step := clockStep(end / 6)
	var ticks []float64
	for i := 0.0; i*step <= end*(1+1e-9); i++ {
		ticks = append(ticks, i*step)
	}
	return axis{low: 0, high: end, ticks: ticks}
}

func clockStep(least float64) float64 {
	if least < 10 {
		return roundUp(least)
	}
	const minute, hour, day = 60.0, 3600.0, 86400.0
	for _, step := range []float64{
		10, 15, 30, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute,
		hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day,
	} {
		if step >= least {
			return step
		}
	}
	return day * roundUp(least/day)
}

// percentiles is an axis on which each further nine takes as much room: 90, 99, 99.9. It holds what can be told of so
// many values, and 100 at its end.
func percentiles(values int64) axis {
	end := min(mostNines, math.Log10(max(10, float64(values)))+0.5)
	ticks := []float64{0, nines(50)}
	for nine := 1.0; nine < end-0.4; nine++ {
		ticks = append(ticks, nine)
	}
	return axis{low: 0, high: end, ticks: append(ticks, end)}
}

// nines is where a percentile is on its axis: 1 for 90, 2 for 99, infinity for 100.
func nines(percent float64) float64 { return -math.Log10(1 - clamp(percent, 0, 100)/100) }

// percentAt is the name of a tick of percentiles.
func (a axis) percentAt(tick float64) string {
	if tick == a.high {
		return "100"
	}
	return strconv.FormatFloat(100*(1-math.Pow(10, -tick)), 'f', max(0, int(tick)-2), 64)
}
