package embeddedstore

import "time"

// micros is a moment or a span of the store's clock, in µs; as a moment since 1970, and 0 for none.
type micros int64

// clock is the store's clock: the wall clock at Open, and from there on the monotonic one, so that a step of the
// wall clock ends no session early and keeps none too long.
type clock struct{ opened time.Time }

func newClock() clock { return clock{opened: time.Now()} }

func (c clock) now() micros { return toMicros(c.opened.Add(time.Since(c.opened))) }

func toMicros(t time.Time) micros { return micros(t.UnixMicro()) }

// span rounds up, so that no limit ends early.
func span(d time.Duration) micros { return micros((d + time.Microsecond - 1) / time.Microsecond) }

// time returns the zero Time for no moment.
func (m micros) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}
