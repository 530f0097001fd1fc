package sessions

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// wait queues for a free slot, first come first served: only the head of the queue asks the store, when the pool
// changes, when a session ends here, and otherwise with jitter, so that replicas do not ask in step.
func (t *Table) wait(ctx context.Context, id string, try func(ctx context.Context, first bool) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, t.rules.Wait, ErrFull)
	defer cancel()
	ticket, ok := t.queue.join(id)
	if !ok {
		return fmt.Errorf("%w, and %d wait already", ErrFull, maxWaiting)
	}
	defer ticket.leave()
	for {
		switch first, err := ticket.turn(ctx); {
		case err != nil:
			return t.noRoom(err, len(t.pool.Candidates(0)))
		case first:
			return t.noRoom(t.head(ctx, try), len(t.pool.Candidates(0)))
		}
		if err := try(ctx, false); !errors.Is(err, ErrFull) {
			return err
		}
	}
}

// head asks the store for a slot until there is one, or ctx is done.
func (t *Table) head(ctx context.Context, try func(ctx context.Context, first bool) error) error {
	for {
		changed, freed := t.pool.Changed(), t.queue.freed()
		err := try(ctx, true)
		if !errors.Is(err, ErrFull) && !errors.Is(err, ErrNoInstance) {
			return err
		}
		retry := time.NewTimer(retryBase + rand.N(retryJitter))
		select {
		case <-changed:
		case <-freed:
		case <-retry.C:
		case <-ctx.Done():
		}
		retry.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}
