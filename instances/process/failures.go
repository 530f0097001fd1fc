package process

import (
	"math/rand/v2"
	"time"
)

const (
	// Processes that do not start are tried again after firstPause, then each time after twice as long, up to maxPause;
	// each by up to pauseJitter sooner or later.
	firstPause, maxPause = 200 * time.Millisecond, 30 * time.Second
	pauseJitter          = 0.2
	// steady is for how long a process has to serve until the ones before it that failed are forgotten.
	steady = 10 * time.Second
)

// failures are processes, in a row, that ended without having served.
type failures struct {
	count   int
	last    time.Time
	until   time.Time // no other start before
	problem string
}

func (f *failures) add(now time.Time, problem string) (pause time.Duration) {
	f.count++
	pause = maxPause
	if n := f.count - 1; n < 30 {
		pause = min(firstPause<<n, maxPause)
	}
	pause = time.Duration(float64(pause) * (1 - pauseJitter + 2*pauseJitter*rand.Float64()))
	pause = pause.Round(time.Millisecond)
	f.last, f.until, f.problem = now, now.Add(pause), problem
	return pause
}

// pauseFor is a pause that is no failure.
func (f *failures) pauseFor(now time.Time, d time.Duration) time.Duration {
	f.until = now.Add(d)
	return d
}

// allow says how many processes may be started while others are starting. After a failure it is one at a time.
func (f *failures) allow(now time.Time, others int) int {
	switch {
	case now.Before(f.until):
		return 0
	case f.count > 0:
		return max(0, 1-others)
	default:
		return max(0, maxStarting-others)
	}
}
