package load

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// by is how many arrivals there are before a time.
func (a arrivals) by(d time.Duration) (n int) {
	for a.at(n) < d {
		n++
	}
	return n
}

func TestArrivalsAreAtAConstantRate(t *testing.T) {
	for _, rate := range []float64{0.5, 1, 3, 100, 12345} {
		a := arrivals{rate: rate}
		require.Zero(t, a.at(0))
		n := int(10 * rate)
		require.Equal(t, n, a.by(10*time.Second), "%g a second", rate)
		for i := range n {
			require.InDelta(t, float64(time.Second)/rate, float64(a.at(i+1)-a.at(i)), 2)
		}
	}
}

// TestArrivalsOfARamp: the rate grows evenly, so half as many come in it as would without.
func TestArrivalsOfARamp(t *testing.T) {
	a := arrivals{rate: 100, ramp: 4 * time.Second}
	for quarter, want := range []int{0, 12, 50, 112, 200, 300, 400} { // 100 t²/8, then 100 more each second
		require.InDelta(t, want, a.by(time.Duration(quarter)*time.Second), 1, "after %d s", quarter)
	}
	require.Equal(t, 600, a.by(8*time.Second))
	last := time.Duration(-1)
	for n := range 1000 {
		require.Greater(t, a.at(n), last)
		last = a.at(n)
	}
	// After the ramp the distance is that of the rate, also over its end.
	for n := 200; n < 1000; n++ {
		require.InDelta(t, 10*time.Millisecond, a.at(n+1)-a.at(n), 2)
	}
	require.InDelta(t, 10*time.Millisecond, a.at(200)-a.at(199), float64(100*time.Microsecond))
}

// TestRareArrivalsDoNotOverflow, which would have them all arrive at once.
func TestRareArrivalsDoNotOverflow(t *testing.T) {
	for _, a := range []arrivals{{rate: 1e-12}, {rate: math.SmallestNonzeroFloat64}, {rate: 1e-12, ramp: math.MaxInt64}} {
		require.Zero(t, a.at(0))
		require.EqualValues(t, math.MaxInt64, a.at(math.MaxInt))
		require.GreaterOrEqual(t, a.at(1), time.Hour)
	}
}

func TestGrown(t *testing.T) {
	const ramp = 10 * time.Second
	for since, want := range map[time.Duration]int{
		0: 1, 1: 1, time.Second: 10, 5 * time.Second: 50, 5*time.Second + 1: 51, ramp - 1: 100, ramp: 100, ramp + 1: 100,
	} {
		require.Equal(t, want, grown(100, since, ramp), since)
	}
	require.Equal(t, 7, grown(7, 0, 0))
	require.Equal(t, MaxSessions, grown(MaxSessions, ramp-1, ramp))
}

func TestSleepUntil(t *testing.T) {
	for _, d := range []time.Duration{-time.Hour, 0, 100 * time.Microsecond, sleepShort + time.Millisecond, 20 * time.Millisecond} {
		moment := time.Now().Add(d)
		sleepUntil(t.Context(), moment)
		require.False(t, time.Now().Before(moment), "it woke up early")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer time.AfterFunc(10*time.Millisecond, cancel).Stop()
	sleepUntil(ctx, time.Now().Add(24*time.Hour)) // else the test hangs
	require.Error(t, ctx.Err())
}
