package sessions

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// emptyEvery is how often a replica looks for sessions that are to leave drained instances.
	emptyEvery = time.Second
	// emptyTimeout bounds what it does for one function at a time.
	emptyTimeout = 5 * time.Second
)

// Drainer sends away the sessions of drained instances: see Table.EmptyDrained.
type Drainer struct {
	Tables  func() []*Table                                // asked anew each time
	Emptied func(function string, d Departures, err error) // told of each function for which there was something to do
}

// Run looks once a second until ctx is done.
func (r Drainer) Run(ctx context.Context) {
	for {
		for _, t := range r.Tables() {
			r.empty(ctx, t)
		}
		select {
		case <-time.After(emptyEvery - rand.N(emptyEvery/5)):
		case <-ctx.Done():
			return
		}
	}
}

func (r Drainer) empty(ctx context.Context, t *Table) {
	bounded, cancel := context.WithTimeout(ctx, emptyTimeout)
	defer cancel()
	d, err := t.EmptyDrained(bounded)
	if ctx.Err() == nil && (err != nil || d != (Departures{})) {
		r.Emptied(t.rules.Function, d, err)
	}
}
