package load

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPercentilesAreThoseOfTheSortedValues, within 0.1 %, over six decades.
func TestPercentilesAreThoseOfTheSortedValues(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	h, all := newHistogram(digits), []float64{}
	sum := 0.0
	for range 50_000 {
		ms := math.Exp(random.Float64()*math.Log(1e6)) / 10 // 0.1 ms to 100 s
		ms = math.Trunc(ms*1000) / 1000
		h.record(time.Duration(math.Round(ms * float64(time.Millisecond))))
		all = append(all, ms)
		sum += ms
	}
	slices.Sort(all)
	l := h.summary()
	require.EqualValues(t, len(all), l.Count)
	require.InEpsilon(t, sum/float64(len(all)), l.Mean, 0.001)
	for percent, got := range map[float64]float64{50: l.P50, 90: l.P90, 95: l.P95, 99: l.P99, 99.9: l.P999, 99.99: l.P9999, 100: l.Max} {
		rank := int(math.Round(percent / 100 * float64(len(all))))
		require.InEpsilon(t, all[rank-1], got, 0.001, "%g %%", percent)
		require.Equal(t, got, h.at(percent))
	}

	// The curve goes up, to the end, and each point lies on the distribution.
	last := Percentile{-1, -1}
	for _, p := range l.Curve {
		require.GreaterOrEqual(t, p.Percent, last.Percent)
		require.GreaterOrEqual(t, p.Value, last.Value)
		last = p
		at, _ := slices.BinarySearch(all, p.Value*1.0001)
		require.InDelta(t, p.Percent, 100*float64(at)/float64(len(all)), 0.2)
	}
	require.EqualValues(t, 100, last.Percent)
	require.Equal(t, l.Max, last.Value)
	require.Greater(t, len(l.Curve), 30)
	require.Less(t, len(l.Curve), 300)
}

func TestLatenciesOutOfRange(t *testing.T) {
	h := newHistogram(digits)
	require.Equal(t, Latency{Curve: []Percentile{}}, h.summary())
	require.Zero(t, h.at(99))
	for _, d := range []time.Duration{-time.Second, 0, 1, time.Microsecond} {
		h.record(d)
	}
	require.InDelta(t, 0.001, h.at(100), 1e-9)
	h.record(2 * maxLatency)
	h.record(math.MaxInt64)
	l := h.summary()
	require.EqualValues(t, 6, l.Count)
	require.InEpsilon(t, float64(maxLatency.Milliseconds()), l.Max, 0.001)
	_, err := json.Marshal(l) // which knows no infinity
	require.NoError(t, err)
}
