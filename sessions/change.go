package sessions

import (
	"context"
	"errors"
	"time"
)

// Update changes the settings of a session, of this table's function and qualifier unless r names others, and returns
// what it is now. Here the change governs from the return on, also the uses in flight; on other replicas when they
// hear of it or, without news, when their entry's life is over. It counts as a use. See Pins.Update.
//
// Errors: ErrNotFound, ErrUnavailable.
func (t *Table) Update(ctx context.Context, r UpdateRequest) (Session, error) {
	if r.Function == "" {
		r.Function = t.rules.Function
	}
	if r.Qualifier == "" {
		r.Qualifier = t.rules.Qualifier
	}
	asked := time.Now()
	s, err := t.store.Update(ctx, r)
	switch {
	case err != nil:
		t.cache.doubt(r.Key) // it may have taken place
	case s.State != Active || !s.Deadline.After(s.ReadAt):
		t.cache.conclude(s.Key, s.Epoch, ErrEnded)
		t.queue.Wake()
	default:
		t.cache.revise(answer{s: s, asked: asked})
	}
	return s, err
}

// End ends the session if it still is the one given, and forgets it here: once it has returned, nothing is routed to the
// home by this replica. Requests in flight finish, and are listed as the session's end, Ending, until then; of a
// function with isolation they are cut. See Pins.End.
func (t *Table) End(ctx context.Context, s Session, keep bool) (Session, error) {
	return t.end(ctx, s, keep, ErrEnded)
}

// end is End, for one of the causes of Use.Ended.
func (t *Table) end(ctx context.Context, s Session, keep bool, why error) (Session, error) {
	ended, err := t.endQuietly(ctx, s, keep, why)
	if err == nil {
		t.queue.Wake()
	}
	return ended, err
}

// endQuietly is end without telling those who wait for a slot.
func (t *Table) endQuietly(ctx context.Context, s Session, keep bool, why error) (Session, error) {
	if t.cache.inUse(s.Key, s.Epoch) {
		t.reportInFlight(ctx, s)
	}
	ended, err := t.store.End(ctx, s, keep)
	if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrMoved) {
		t.cache.conclude(s.Key, s.Epoch, why)
	}
	t.cache.drop(s.Key) // also when it failed: what is cached is in doubt
	return ended, err
}

// reportInFlight makes the store know that requests of s run, also those that no batch of touches has reported yet, so
// that it lists the end as Ending.
func (t *Table) reportInFlight(ctx context.Context, s Session) {
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	_, _ = t.store.Touch(ctx, []Touch{{Key: s.Key, Epoch: s.Epoch, InFlight: true}}) // best effort
}
