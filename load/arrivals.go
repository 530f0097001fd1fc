package load

import (
	"context"
	"math"
	"time"
)

// arrivals is the schedule of the open model: constant in rate, after a ramp in which the rate grows evenly.
type arrivals struct {
	rate float64 // a second
	ramp time.Duration
}

// at is when arrival n, from 0, is scheduled, counted from the start.
func (a arrivals) at(n int) time.Duration {
	ramp := a.ramp.Seconds()
	inRamp := a.rate * ramp / 2 // arrivals by the end of the ramp: the area of a triangle
	if float64(n) < inRamp {
		return seconds(math.Sqrt(2 * ramp * float64(n) / a.rate))
	}
	return seconds(ramp + (float64(n)-inRamp)/a.rate)
}

// seconds is never later than the longest Duration: past it the conversion gives anything, such as a time that is past.
func seconds(s float64) time.Duration {
	if ns := s * float64(time.Second); ns < math.MaxInt64 {
		return time.Duration(ns)
	}
	return math.MaxInt64
}

// grown is how much of n there is after a time, at least 1.
func grown(n int, since, ramp time.Duration) int {
	if since >= ramp {
		return n
	}
	return max(1, int(math.Ceil(float64(n)*float64(since)/float64(ramp))))
}

// sleepShort is how long before a moment a timer gives way to a sleep of the system's: timers of the runtime are late
// by up to a millisecond, which every latency would have in it.
const sleepShort = 2 * time.Millisecond

// sleepUntil returns at the moment, or earlier when ctx is done.
func sleepUntil(ctx context.Context, moment time.Time) {
	if d := time.Until(moment) - sleepShort; d > 0 && !pause(ctx, d) {
		return
	}
	if d := time.Until(moment); d > 0 {
		sleepExactly(d)
	}
}
