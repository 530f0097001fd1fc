package sessions

import (
	"context"
	"errors"
	"slices"
	"time"
)

// PredecessorIdle is the longest idle timeout of a session that another one has succeeded: long enough for requests that
// were sent before their client knew, and short, for it takes a slot.
const PredecessorIdle = time.Minute

// Successor says what a session in use is to be known by as well.
type Successor struct {
	ID string
	// Instead says that clients will use it in place of the session's own ID. Then that one ends when it has not been used
	// for PredecessorIdle, or at once where the home has no second slot.
	Instead bool
}

// Succeed makes a session of another ID with the same home and the same settings as the one in use, which u stays a use
// of. Nobody is told of it as created, for the state is there. It takes a slot of its own. An Active session of the ID
// with this home is taken as it is. Whatever becomes of the caller the store is asked.
//
// Errors: ErrExists, the ID has an Active session elsewhere; ErrFull, also of a home that takes no new session, as when it
// drains; ErrIDReuse; ErrUnavailable. The use then goes on as it was, but for ErrFull with Instead, where it may have
// ended.
func (u *Use) Succeed(ctx context.Context, to Successor) error {
	t, s := u.table, *u.s
	r := t.request(to.ID, GetOrCreate)
	r.Settings = s.Settings
	made, err := t.pinBeside(ctx, r, s.Home)
	switch {
	case !to.Instead:
	case errors.Is(err, ErrFull) && t.offered(s.Home):
		return t.replace(ctx, s, r)
	case err == nil && made:
		t.retire(ctx, s)
	}
	return err
}

// replace ends the session and gives its slot to its successor, before those who wait for one are told.
func (t *Table) replace(ctx context.Context, s Session, r PinRequest) error {
	defer t.queue.Wake()
	_, err := t.endQuietly(context.WithoutCancel(ctx), s, true, ErrEnded)
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrMoved) {
		return err
	}
	_, err = t.pinBeside(ctx, r, s.Home)
	return err
}

// pinBeside is one flight that pins a session to this very home. made says whether it did.
func (t *Table) pinBeside(ctx context.Context, r PinRequest, home Home) (made bool, err error) {
	e, err := flight(ctx, func(ctx context.Context) (*entry, error) {
		e, ours, err := t.fetch(ctx, r.Key, func(ctx context.Context) (Session, bool, error) {
			return t.pinOn(ctx, r, []Home{home})
		})
		made = ours
		t.observe(TierStore, ours, err)
		return e, err
	})
	if err != nil {
		return false, err
	}
	next := Use{table: t, mode: r.Mode}
	t.cache.take(e, r.Key, &next)
	defer next.Abandon()
	if next.s.Home != home {
		return false, ErrExists
	}
	if made {
		next.Delivered()
	}
	return made, nil
}

// offered says whether new sessions may be placed at home, as far as this replica knows.
func (t *Table) offered(home Home) bool {
	for candidates := range t.offers(home.Version) {
		if slices.Contains(candidates, home) {
			return true
		}
	}
	return false
}

// retire shortens the life of a session that has a successor: best effort, for its own idle timeout ends it as well.
func (t *Table) retire(ctx context.Context, s Session) {
	if s.IdleTimeout > 0 && s.IdleTimeout <= PredecessorIdle {
		return
	}
	idle := PredecessorIdle
	_, _ = flight(ctx, func(ctx context.Context) (Session, error) {
		return t.Update(ctx, UpdateRequest{Key: s.Key, IdleTimeout: &idle})
	})
}
