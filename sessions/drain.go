package sessions

import (
	"context"
	"errors"
)

const (
	// departBatch is how many sessions of one drained instance a replica moves or ends at a time, beside those that it
	// has in use: the store and the survivors take in the rest a moment later.
	departBatch = 250
	// departPages bounds how much of an instance's listing is read for them: sessions of the place's earlier programs,
	// which nobody has used since, are listed with it.
	departPages = 20
)

// depart decides what becomes of a use whose home has drained, but lives: where the session cannot go elsewhere, or
// the store cannot say, it stays.
func (t *Table) depart(ctx context.Context, u *Use) error {
	old, mode := *u.s, u.mode
	var err error
	if t.rules.endsDrained() {
		err = t.mayDepart(ctx, old)
	} else if err = t.rehome(ctx, u, RehomeRequest{Reason: ReasonDrained, Drained: true}); err == nil {
		t.cache.conclude(old.Key, old.Epoch, ErrDrained) // its other uses
		return nil
	}
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrMoved), err == nil:
	case stays(err), errors.Is(err, ErrUnavailable):
		return nil
	default:
		return err
	}
	u.Abandon() // or it would be in flight, and its session Ending
	if err := t.endDrained(ctx, old, err); err != nil {
		return err
	}
	return t.follow(ctx, u, mode, old.ID)
}

// stays says whether err means that the session stays where it is: it need not leave, or it cannot.
func stays(err error) bool {
	return errors.Is(err, ErrAlive) || errors.Is(err, ErrFull) || errors.Is(err, ErrNoInstance)
}

// mayDepart asks the store whether the session is to leave its home because that has drained: nil. ErrAlive if not.
func (t *Table) mayDepart(ctx context.Context, s Session) error {
	return t.mayLeave(ctx, s, RehomeRequest{Drained: true})
}

// endDrained ends a session that may depart; one that is no more, as gone says, only here.
func (t *Table) endDrained(ctx context.Context, s Session, gone error) error {
	if gone != nil {
		t.cache.conclude(s.Key, s.Epoch, ErrDrained)
		return nil
	}
	switch _, err := t.end(ctx, s, true, ErrDrained); {
	case err == nil:
		t.drained()
	case !errors.Is(err, ErrMoved) && !errors.Is(err, ErrNotFound):
		return err
	}
	return nil
}

// Departures are what became of the sessions of drained instances.
type Departures struct {
	Moved, Ended int  // by this call
	Full         bool // no other instance has room: some had to stay
}

// EmptyDrained moves or ends, as the rules say, the sessions that are left on instances whose drain deadline has passed:
// those that this replica has in use, whose requests are cut, and of the others departBatch for each instance. Where no
// instance has room they stay, and their requests go on. Every replica does so: the epoch sees to it that each session
// leaves once. It returns the first error of the store; ErrUnavailable.
func (t *Table) EmptyDrained(ctx context.Context) (d Departures, err error) {
	for _, h := range t.pool.Drained() {
		for _, s := range t.cache.usesOf(t.rules, h) {
			if err := t.send(ctx, s, &d); err != nil && !stays(err) {
				return d, err
			}
		}
		if err := t.empty(ctx, h, &d); err != nil {
			return d, err
		}
	}
	return d, nil
}

// empty sends away what the store lists on h, until one has to stay.
func (t *Table) empty(ctx context.Context, h Home, d *Departures) error {
	q := Query{Function: t.rules.Function, Version: h.Version, Instance: h.ID, State: Active, Limit: departBatch}
	tried := 0
	for range departPages {
		page, err := t.store.List(ctx, q)
		if err != nil {
			return err
		}
		for _, s := range page.Sessions {
			if s.Home != h || !t.rules.governs(s) {
				continue
			}
			if err := t.send(ctx, s, d); stays(err) {
				return nil
			} else if err != nil {
				return err
			}
			tried++
		}
		if q.After = page.Cursor; q.After == "" || tried >= departBatch {
			break
		}
	}
	return nil
}

// send moves or ends one session.
func (t *Table) send(ctx context.Context, s Session, d *Departures) error {
	if t.rules.endsDrained() {
		return t.dismiss(ctx, s, d)
	}
	_, moved, err := t.move(ctx, RehomeRequest{Session: s, Reason: ReasonDrained, Drained: true})
	switch {
	case err == nil, errors.Is(err, ErrNotFound):
		t.cache.conclude(s.Key, s.Epoch, ErrDrained)
	case errors.Is(err, ErrFull), errors.Is(err, ErrNoInstance):
		d.Full = true
		return err
	default:
		return err
	}
	if moved {
		d.Moved++
	}
	return nil
}

// dismiss ends one session.
func (t *Table) dismiss(ctx context.Context, s Session, d *Departures) error {
	err := t.mayDepart(ctx, s)
	gone := errors.Is(err, ErrMoved) || errors.Is(err, ErrNotFound)
	if err != nil && !gone {
		return err
	}
	if failure := t.endDrained(ctx, s, err); failure != nil {
		return failure
	}
	if !gone {
		d.Ended++
	}
	return nil
}

// usesOf returns the sessions on h that this replica has in use and that the rules govern, those that have ended included.
func (c *Cache) usesOf(r Rules, h Home) (all []Session) {
	for _, sh := range c.shards {
		sh.mu.Lock()
		for k, e := range sh.tracked {
			if e.refs > 0 && k.Function == r.Function && e.s.Home == h && r.governs(*e.s) {
				all = append(all, *e.s)
			}
		}
		for e := range sh.lingering {
			if !e.drained && e.s.Function == r.Function && e.s.Home == h && r.governs(*e.s) {
				all = append(all, *e.s)
			}
		}
		sh.mu.Unlock()
	}
	return all
}
