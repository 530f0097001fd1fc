package page

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
)

func randomMoments(random *rand.Rand, n int) []load.Moment {
	moments := make([]load.Moment, n)
	for i := range moments {
		p50 := random.Float64() * 10
		moments[i] = load.Moment{
			At: float64(i+1) / 2, Length: 0.5, Answered: random.IntN(100), Failed: random.IntN(3), Late: random.IntN(3),
			Misroutes: random.IntN(2), LostStates: random.IntN(2), Overcounts: random.IntN(2), Moves: random.IntN(2), Unknown: random.IntN(2),
			P50: p50, P90: p50 * 2, P99: p50 * 3, Max: p50 * (3 + random.Float64()), Homes: map[string]int{"a": i},
		}
	}
	return moments
}

// totals are what joining must not change: sums in the first, the worst in the second.
func totals(moments []load.Moment) (sums, worst load.Moment) {
	for _, m := range moments {
		sums.Length += m.Length
		sums.Answered, sums.Failed, sums.Late = sums.Answered+m.Answered, sums.Failed+m.Failed, sums.Late+m.Late
		sums.Misroutes, sums.LostStates = sums.Misroutes+m.Misroutes, sums.LostStates+m.LostStates
		sums.Overcounts, sums.Moves = sums.Overcounts+m.Overcounts, sums.Moves+m.Moves
		sums.Unknown += m.Unknown
		worst.P50, worst.P90 = max(worst.P50, m.P50), max(worst.P90, m.P90)
		worst.P99, worst.Max = max(worst.P99, m.P99), max(worst.Max, m.Max)
	}
	return sums, worst
}

func TestJoiningKeepsTheWorstAndTheSums(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		moments, most := randomMoments(random, random.IntN(500)), 1+random.IntN(60)
		joined, each := join(moments, most)
		require.LessOrEqual(t, len(joined), most)
		wantSums, wantWorst := totals(moments)
		gotSums, gotWorst := totals(joined)
		require.Equal(t, wantSums, gotSums)
		require.Equal(t, wantWorst, gotWorst)
		for i, m := range joined {
			from := moments[i*each : min(len(moments), (i+1)*each)]
			sums, worst := totals(from)
			require.Equal(t, worst.Max, m.Max)
			require.Equal(t, worst.P50, m.P50)
			require.Equal(t, sums.Failed, m.Failed)
			last := from[len(from)-1]
			require.Equal(t, last.At, m.At)
			require.Equal(t, last.Homes, m.Homes)
		}
		if len(moments) <= most {
			require.Equal(t, 1, each)
		}
	}
}

func TestATimelineIsPutInOrder(t *testing.T) {
	moments := []load.Moment{{At: 5, Length: 9}, {At: -3, Length: 1}, {At: 1e300, Length: -4}, {At: 2, Length: 1}}
	var places [][2]float64
	for _, m := range tidy(moments) {
		places = append(places, [2]float64{m.At - m.Length, m.At})
	}
	require.Equal(t, [][2]float64{{0, 0}, {1, 2}, {0, 5}, {mostSeconds, mostSeconds}}, places)
	require.Equal(t, 5.0, moments[0].At, "the report's own is left alone")
}

func TestAThinnedCurveKeepsItsEnds(t *testing.T) {
	curve := make([]load.Percentile, 1000)
	for i := range curve {
		curve[i].Percent = float64(i) / 9.99
	}
	thinned := thin(curve, 300)
	require.Equal(t, []load.Percentile{curve[0], curve[999]}, []load.Percentile{thinned[0], thinned[len(thinned)-1]})
	require.LessOrEqual(t, len(thinned), 301)
	require.Equal(t, curve[:300], thin(curve[:300], 300))
}

// isRound says whether a number is 0, or 1, 2 or 5 times a power of ten.
func isRound(v float64) bool {
	return v == 0 || strings.ContainsRune("125", rune(strconv.FormatFloat(v, 'e', 6, 64)[0])) &&
		strings.HasPrefix(strconv.FormatFloat(v, 'e', 6, 64)[1:], ".000000")
}

func TestLinearTicksAreRoundAndCoverTheRange(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		most := math.Pow(10, random.Float64()*21-8)
		a := linear(most, false)
		require.GreaterOrEqual(t, a.ticks[len(a.ticks)-1], min(most, mostCount)*(1-1e-9))
		require.Equal(t, a.high, a.ticks[len(a.ticks)-1])
		require.Zero(t, a.ticks[0])
		require.True(t, isRound(a.ticks[1]), "step %v", a.ticks[1])
		require.True(t, len(a.ticks) >= 3 && len(a.ticks) <= 7, "%v", a.ticks)
		require.LessOrEqual(t, a.high, 2*most, "no more than half is empty")
	}
	for _, most := range []float64{0, -5, 1e-300, math.MaxFloat64, math.NaN()} {
		require.LessOrEqual(t, len(linear(most, false).ticks), 7)
	}
	require.Equal(t, []float64{0, 1, 2}, linear(2, true).ticks)
}

func TestLogarithmicTicksAreRoundAndCoverTheRange(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		least := math.Pow(10, random.Float64()*12-3)
		most := min(mostMillis, least*math.Pow(10, random.Float64()*6))
		a := logarithmic(least, most)
		require.LessOrEqual(t, a.low, least)
		require.GreaterOrEqual(t, a.high, most)
		require.Less(t, a.low, a.high)
		require.Equal(t, []float64{a.low, a.high}, []float64{a.ticks[0], a.ticks[len(a.ticks)-1]})
		require.LessOrEqual(t, len(a.ticks), 14)
		for _, tick := range a.ticks {
			require.True(t, isRound(tick), "%v", tick)
		}
	}
	for _, ends := range [][2]float64{{0, 0}, {-1, -2}, {1, 1}, {leastMillis, leastMillis}, {mostMillis, mostMillis}, {math.MaxFloat64, math.MaxFloat64}, {5, 1}} {
		a := logarithmic(ends[0], ends[1])
		require.Less(t, a.low, a.high, "%v", ends)
	}
}

func TestClockTicksAreThoseOfAClock(t *testing.T) {
	for end, want := range map[float64]string{
		0: "0 s 0.2 s 0.4 s 0.6 s 0.8 s 1 s", 10: "0 s 2 s 4 s 6 s 8 s 10 s", 47: "0 s 10 s 20 s 30 s 40 s",
		60: "0 s 10 s 20 s 30 s 40 s 50 s 60 s", 61: "0 s 15 s 30 s 45 s 60 s", 600: "0 min 2 min 4 min 6 min 8 min 10 min",
		3600: "0 min 10 min 20 min 30 min 40 min 50 min 60 min", 20_000: "0 h 1 h 2 h 3 h 4 h 5 h", 86_400 * 6: "0 h 24 h 48 h 72 h 96 h 120 h 144 h",
	} {
		a := clock(end)
		var got []string
		for _, tick := range a.ticks {
			got = append(got, strings.ReplaceAll(clockLabel(a)(tick), space, " "))
		}
		require.Equal(t, want, strings.Join(got, " "))
	}
	for end := 1e-9; end < 1e300; end *= 1.7 {
		require.LessOrEqual(t, len(clock(end).ticks), 7)
	}
}

func TestPercentilesAreNinesApart(t *testing.T) {
	names := func(values int64) (all []string) {
		a := percentiles(values)
		require.True(t, slices.IsSorted(a.ticks))
		for _, tick := range a.ticks {
			all = append(all, a.percentAt(tick))
		}
		return all
	}
	require.Equal(t, []string{"0", "50", "90", "99", "99.9", "99.99", "100"}, names(10_000))
	require.Equal(t, []string{"0", "50", "90", "100"}, names(0))
	require.Equal(t, []string{"0", "50", "90", "99", "99.9", "99.99", "99.999", "99.9999", "100"}, names(1_000_000))
	require.Len(t, names(math.MaxInt64), 14)
	require.Equal(t, 1.0, percentiles(10).at(nines(100)))
	require.Equal(t, 0.0, percentiles(10).at(nines(-1)))
}

func TestMarksThatWouldTouchAreOne(t *testing.T) {
	moments := make([]load.Moment, 1000)
	for i := range moments {
		moments[i] = load.Moment{At: float64(i + 1), Length: 1}
	}
	for _, i := range []int{100, 105, 110, 500, 900, 901} {
		moments[i].Moves = 2
	}
	moments[500].LostStates = 1
	marks, present := marksOf(moments, clock(1000))
	require.Equal(t, []string{"move", "lost"}, []string{present[0].class, present[1].class})
	var titles []string
	for _, m := range marks {
		titles = append(titles, strings.ReplaceAll(m.Title, space, " "))
	}
	require.Equal(t, []string{
		"6 announced moves, 100 s – 111 s", "2 announced moves, 8 min 20 s – 8 min 21 s", "4 announced moves, 15 min – 15 min 2 s",
		"1 lost state, 8 min 20 s – 8 min 21 s",
	}, titles)
	require.InDelta(t, 0.1105, marks[0].To, 1e-9)
	require.Equal(t, 1, marks[3].Lane)
	for i := range moments {
		moments[i].Moves = 1
	}
	marks, _ = marksOf(moments, clock(1000))
	require.Len(t, marks, 2)
	require.True(t, marks[0].Many() && !marks[0].Guided && marks[1].Guided)
	for i := range moments {
		moments[i].Moves = max(0, 1-i%100)
	}
	marks, _ = marksOf(moments, clock(1000))
	require.Len(t, marks, 11)
	require.False(t, marks[5].Guided, "so many lines would hide the plot")
}

func TestLayersAreThoseWithMostSessions(t *testing.T) {
	moments := []load.Moment{{Homes: map[string]int{}}, {Homes: map[string]int{}}, {Homes: map[string]int{"p": 1, "c": -5}}}
	for i := range 14 {
		moments[i%2].Homes[string(rune('a'+i))] = 10 + i
	}
	found := layers(moments)
	require.Len(t, found, mostInstances+1)
	require.Equal(t, "c", found[0].name)
	require.Equal(t, []float64{12, 0, 0}, found[0].sessions, "0 where it is not known")
	require.Equal(t, "3 others", found[mostInstances].name)
	require.Equal(t, []float64{10, 11, 1}, found[mostInstances].sessions)
	top := stack(found, len(moments))[len(found)]
	require.Equal(t, []float64{10 + 12 + 14 + 16 + 18 + 20 + 22, 11 + 13 + 15 + 17 + 19 + 21 + 23, 1}, top, "all are in the stack")
}

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for got, want := range map[string]string{
		count(0): "0", count(999): "999", count(-1234567): "−1,234,567", count(math.MinInt): "−9,223,372,036,854,775,808",
		counted(1, "one", "many"): "1 one", counted(2, "one", "many"): "2 many",
		digits(0.012345): "0.0123", digits(1.5): "1.5", digits(99.96): "100", digits(12345.6): "12,346", digits(-0.0000001): "0", digits(1e300): "1e+300",
		millis(0): "0 ms", millis(0.0123): "12.3 µs", millis(0.9996): "1 ms", millis(999.4): "999 ms", millis(999.6): "1 s", millis(61234): "61.2 s",
		seconds(0.017): "0.02 s", seconds(119.5): "120 s", seconds(120): "2 min", seconds(3599.6): "1 h", seconds(3725): "1 h 2 min", seconds(1e300): "1e+300 s",
		plain("ab", 2): "ab", plain("abcdef", 5): "ab…ef", plain("abcdefg", 4): "ab…g", plain("\x00\u202ea", 9): "\ufffd\ufffda",
	} {
		require.Equal(t, want, strings.ReplaceAll(got, space, " "))
	}
}
