package load

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// totals is what joining may not change: the sums, the worst and the end.
func totals(moments []Moment) (all Moment) {
	for _, m := range moments {
		all.At, all.Homes = m.At, m.Homes
		all.Length += m.Length
		all.Answered += m.Answered
		all.Failed += m.Failed
		all.Late += m.Late
		all.Misroutes += m.Misroutes
		all.LostStates += m.LostStates
		all.Overcounts += m.Overcounts
		all.Moves += m.Moves
		all.Unknown += m.Unknown
		all.P50, all.P90 = max(all.P50, m.P50), max(all.P90, m.P90)
		all.P99, all.Max = max(all.P99, m.P99), max(all.Max, m.Max)
	}
	return all
}

func TestATimelineIsBoundedAndLosesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1e9, 0)
	line, want, homes := newTimeline(now), Moment{}, map[string]int{}
	for n := range 5 * maxMoments {
		m := Moment{
			Answered: random.IntN(9), Failed: random.IntN(9), Late: random.IntN(9), Misroutes: random.IntN(9),
			LostStates: random.IntN(9), Overcounts: random.IntN(9), Moves: random.IntN(9), Unknown: random.IntN(9),
		}
		line.now = m
		for range random.IntN(5) {
			line.recent.record(time.Duration(random.IntN(1e9)))
		}
		if n == 0 { // the worst of all, and always the first of two that are joined
			line.recent.record(maxLatency)
		}
		m.P50, m.P90, m.P99, m.Max = line.recent.at(50), line.recent.at(90), line.recent.at(99), line.recent.at(100)
		require.True(t, line.due(now.Add(line.length)))
		step := line.length + time.Duration(random.IntN(1e6))
		require.False(t, line.due(now.Add(line.length-1)))
		now = now.Add(step)
		require.True(t, line.due(now))
		homes["a"] = n
		line.close(now, homes)
		m.Length, m.At, m.Homes = step.Seconds(), now.Sub(line.began).Seconds(), maps.Clone(homes)
		want = totals([]Moment{want, m})

		require.Less(t, len(line.moments), maxMoments)
		require.Equal(t, Moment{}, line.now)
	}
	got := totals(line.moments)
	require.InDelta(t, want.Length, got.Length, 1e-3)
	got.Length = want.Length
	require.Equal(t, want, got)
	require.Equal(t, momentLength<<9, line.length, "each halving makes the next ones twice as long")

	// They follow each other without a gap.
	end := 0.0
	for _, m := range line.moments {
		require.InDelta(t, end, m.At-m.Length, 1e-6)
		end = m.At
	}
}

func TestMomentsKnowTheirOwnHomes(t *testing.T) {
	line, homes := newTimeline(time.Unix(0, 0)), map[string]int{"a": 1}
	line.recent.record(time.Second)
	line.close(time.Unix(1, 0), homes)
	homes["a"] = 2
	line.close(time.Unix(2, 0), homes)
	require.Equal(t, 1, line.moments[0].Homes["a"])
	require.Equal(t, 2, line.moments[1].Homes["a"])
	require.NotZero(t, line.moments[0].Max)
	require.Zero(t, line.moments[1].Max, "each has its own latencies")
}
