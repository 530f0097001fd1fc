package sessions

import (
	"context"
	"errors"
	"time"
)

// settle decides what becomes of a use whose home this replica does not simply route to.
func (t *Table) settle(ctx context.Context, u *Use, state HomeState, since time.Time) error {
	switch {
	case state == HomeSuspect:
		return ErrHomeUnavailable
	case state == HomeDrained:
		return t.depart(ctx, u)
	case state == HomeUnknown:
		return t.seek(ctx, u)
	case state == HomeReplaced && t.rules.OnLoss == LossFail:
		return t.renew(ctx, u)
	case t.rules.OnLoss == LossFail:
		if time.Since(since) < t.rules.LossGrace {
			return ErrHomeUnavailable
		}
		return t.renew(ctx, u)
	}
	err := t.leave(ctx, u, RehomeRequest{Reason: reason(state), Certain: state == HomeGone})
	if errors.Is(err, ErrAlive) && state == HomeLost {
		return nil // another replica reaches it: let the dial decide
	}
	if errors.Is(err, ErrAlive) {
		return ErrHomeUnavailable
	}
	return err
}

// seek decides about a use whose home this replica has never heard of. Discovery lags: another replica may have found it
// first. If one has seen it healthy a moment ago it is routed to where that one found it. Else it is nobody's: the
// session moves or, with LossFail, waits for its home until its own time is over, for nobody knows since when it is away.
func (t *Table) seek(ctx context.Context, u *Use) error {
	err := t.leaveUnknown(ctx, u)
	if !errors.Is(err, ErrAlive) {
		return err
	}
	t.find(ctx, u.s.Home)
	if state, _ := t.pool.State(u.s.Home); state != HomeUp {
		return ErrHomeUnavailable
	}
	return nil
}

// leaveUnknown moves the session if no replica sees its home. ErrAlive if one does.
func (t *Table) leaveUnknown(ctx context.Context, u *Use) error {
	r := RehomeRequest{Reason: ReasonGone}
	if t.rules.OnLoss != LossFail {
		return t.leave(ctx, u, r)
	}
	err := t.mayLeave(ctx, *u.s, r) // only the store's clock can tell how long ago a sight was
	switch {
	case errors.Is(err, ErrMoved), errors.Is(err, ErrNotFound):
		t.cache.doubt(u.s.Key)
	case errors.Is(err, ErrAlive), errors.Is(err, ErrUnavailable):
		return err
	}
	return ErrHomeUnavailable
}

func reason(state HomeState) string {
	switch state {
	case HomeReplaced:
		return ReasonRestarted
	case HomeGone:
		return ReasonGone
	default:
		return ReasonLost
	}
}

// Rehome moves the session to another instance because the dial of its home was refused, and makes u a use of what
// it is now; when another exchange or replica has moved it already, that is what u becomes. With LossFail it moves
// nothing. An Immovable session ends. On an error u is as it was or, where the session ended, the zero Use. A reservation,
// which has no state yet, is moved whatever the rules.
//
// Errors: ErrHomeUnavailable, ErrFull, ErrNoInstance, ErrNotFound (it ended meanwhile), ErrUnavailable, ctx's own.
func (u *Use) Rehome(ctx context.Context) error {
	switch {
	case u.reserved != nil:
		return u.table.rehomeReserved(ctx, u)
	case u.table.rules.OnLoss == LossFail:
		return ErrHomeUnavailable
	}
	return u.table.leave(ctx, u, RehomeRequest{Reason: ReasonLost, Certain: true})
}

// rehome is one flight of Store.Rehome for the use's session.
func (t *Table) rehome(ctx context.Context, u *Use, r RehomeRequest) error {
	key := u.s.Key
	r.Session, r.AliveWithin = *u.s, t.rules.of(u.s.Home.Version).AliveWithin
	kind := "rehome"
	switch { // flights of their own: ErrAlive answers only those who asked the same
	case r.Certain:
		kind = "rehome for certain"
	case r.Drained:
		kind = "rehome from the drained"
	}
	var next Use
	err := t.fly(ctx, kind, key, &next, func(ctx context.Context) (*entry, error) {
		e, _, err := t.fetch(ctx, key, func(ctx context.Context) (Session, bool, error) {
			return t.move(ctx, r)
		})
		return e, err
	})
	if errors.Is(err, ErrNotFound) {
		t.cache.drop(key) // it ended elsewhere: who asks next must not be sent to its home again
	}
	if err != nil {
		return err
	}
	next.table, next.mode = t, u.mode
	u.Release()
	*u = next
	return nil
}

// move asks the store to move the session. moved says whether this call did.
func (t *Table) move(ctx context.Context, r RehomeRequest) (s Session, moved bool, err error) {
	err = t.place(r.Session.Home.Version, func(candidates []Home) (err error) {
		r.Placement = t.placement(candidates)
		s, err = t.store.Rehome(ctx, r)
		return err
	})
	if errors.Is(err, ErrMoved) {
		return s, false, nil // another replica was faster
	}
	return s, err == nil, err
}

// renew ends the use's session, whose home will not come back, and makes u a use of a new one, if its mode and the rules
// allow it.
func (t *Table) renew(ctx context.Context, u *Use) error {
	old, mode := *u.s, u.mode
	u.Abandon() // or it would be in flight, and its session Ending
	switch _, err := t.End(ctx, old, true); {
	case err == nil:
		t.lost()
	case !errors.Is(err, ErrMoved) && !errors.Is(err, ErrNotFound):
		return err
	}
	return t.follow(ctx, u, mode, old.ID)
}

// follow makes u, which holds nothing, a use of what comes after an ended session: in this mode, unless sessions are
// Immovable, for then the client is to hear that its session is no more.
func (t *Table) follow(ctx context.Context, u *Use, mode Mode, id string) error {
	next := Use{table: t, mode: mode}
	if t.rules.Immovable {
		next.mode = Existing
	}
	if err := t.load(ctx, id, &next); err != nil {
		return err
	}
	*u = next
	if state, _ := t.pool.State(u.s.Home); state != HomeUp && state != HomeDrained {
		return ErrHomeUnavailable
	}
	return nil
}
