package load

import (
	"maps"
	"time"
)

const (
	// momentLength is how long a Moment is at first.
	momentLength = 250 * time.Millisecond
	// maxMoments bounds a timeline: past it, neighbours are joined and Moments are twice as long from then on.
	maxMoments = 1200
)

// timeline is the course of the run. Its owner sees to it that one goroutine at a time uses it.
type timeline struct {
	began   time.Time
	length  time.Duration
	moments []Moment
	now     Moment
	from    time.Time // when now began
	recent  histogram // of now
}

func newTimeline(began time.Time) *timeline {
	return &timeline{began: began, from: began, length: momentLength, recent: newHistogram(recentDigits)}
}

// due says whether the present Moment is over.
func (t *timeline) due(now time.Time) bool { return now.Sub(t.from) >= t.length }

// close ends the present Moment and begins the next.
func (t *timeline) close(now time.Time, homes map[string]int) {
	m := t.now
	m.At, m.Length = now.Sub(t.began).Seconds(), now.Sub(t.from).Seconds()
	m.P50, m.P90, m.P99, m.Max = t.recent.at(50), t.recent.at(90), t.recent.at(99), t.recent.at(100)
	m.Homes = maps.Clone(homes)
	t.moments = append(t.moments, m)
	t.now, t.from = Moment{}, now
	t.recent.Reset()
	if len(t.moments) >= maxMoments {
		t.halve()
	}
}

// halve joins each two Moments, so that a run of any length has a timeline of bounded size.
func (t *timeline) halve() {
	joined := t.moments[:0]
	for i := 0; i+1 < len(t.moments); i += 2 {
		joined = append(joined, join(t.moments[i], t.moments[i+1]))
	}
	t.moments, t.length = joined, 2*t.length
}

// join makes one Moment of two that follow each other. What happened is added up; of percentiles, which cannot be, the
// worse one stays, so that no stall is smoothed away.
func join(a, b Moment) Moment {
	b.Length += a.Length
	b.Answered += a.Answered
	b.Failed += a.Failed
	b.Late += a.Late
	b.Misroutes += a.Misroutes
	b.LostStates += a.LostStates
	b.Overcounts += a.Overcounts
	b.Moves += a.Moves
	b.Unknown += a.Unknown
	b.P50, b.P90, b.P99, b.Max = max(a.P50, b.P50), max(a.P90, b.P90), max(a.P99, b.P99), max(a.Max, b.Max)
	return b
}
