package sessions

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// sweepEvery is how often each function is swept, so that an ended session is listed as such within 2 s.
	sweepEvery = time.Second
	// sweepTimeout bounds one sweep of one function.
	sweepTimeout = 5 * time.Second
)

// Sweeper moves sessions whose time has come to the ended ones. Every replica sweeps: the store makes each sweep
// atomic, so that it harms nobody when two meet.
type Sweeper struct {
	Store     Life
	Functions func() []string                             // the names to sweep, asked anew each time
	Swept     func(function string, ended int, err error) // told of each sweep
}

// Run sweeps until ctx is done.
func (s Sweeper) Run(ctx context.Context) {
	for {
		for _, f := range s.Functions() {
			sweep, cancel := context.WithTimeout(ctx, sweepTimeout)
			n, err := s.Store.Sweep(sweep, f)
			cancel()
			if ctx.Err() != nil {
				return
			}
			s.Swept(f, n, err)
		}
		select {
		case <-time.After(sweepEvery - rand.N(sweepEvery/5)):
		case <-ctx.Done():
			return
		}
	}
}
