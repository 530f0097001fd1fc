package sessions

import (
	"context"
	"errors"
)

// endsDrained says whether the sessions of a drained home end rather than move.
func (r Rules) endsDrained() bool { return r.Immovable || r.OnLoss == LossFail }

// leave takes the use's session away from its lost home: it moves or, if it is immovable, ends.
func (t *Table) leave(ctx context.Context, u *Use, r RehomeRequest) error {
	if !t.rules.Immovable {
		return t.rehome(ctx, u, r)
	}
	switch err := t.mayLeave(ctx, *u.s, r); {
	case err == nil:
		return t.renew(ctx, u)
	case errors.Is(err, ErrMoved), errors.Is(err, ErrNotFound):
		old, mode := *u.s, u.mode
		u.Abandon()
		t.cache.conclude(old.Key, old.Epoch, ErrEnded)
		return t.follow(ctx, u, mode, old.ID) // the ID may have a session of its own by now
	default:
		return err
	}
}

// mayLeave asks the store whether s may be taken away from its home for the reasons of r: nil. ErrAlive if not. Without
// candidates nothing moves.
func (t *Table) mayLeave(ctx context.Context, s Session, r RehomeRequest) error {
	r.Session, r.AliveWithin, r.Placement = s, t.rules.of(s.Home.Version).AliveWithin, t.placement(nil)
	_, err := t.store.Rehome(ctx, r)
	if errors.Is(err, ErrFull) {
		return nil // it could leave, if there were anywhere to go
	}
	return err
}
