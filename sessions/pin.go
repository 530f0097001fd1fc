package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pin is one flight of Store.Pin for a request. Whoever arrives meanwhile, in the same mode, shares it.
func (t *Table) pin(ctx context.Context, r PinRequest, first bool, u *Use) error {
	kind := "pin"
	switch {
	case r.Mode == Existing:
		kind = "existing" // its ErrNotFound is no answer to who wants the session made
	case first:
		kind = "wait"
	}
	return t.fly(ctx, kind, r.Key, u, func(ctx context.Context) (*entry, error) {
		e, created, err := t.fetch(ctx, r.Key, func(ctx context.Context) (Session, bool, error) {
			return t.pinInTurn(ctx, r, first)
		})
		t.observe(TierStore, created, err)
		return e, err
	})
}

// pinInTurn keeps the order of the queue: while others wait for a slot, a newcomer may find its session but not
// overtake them with a new one.
func (t *Table) pinInTurn(ctx context.Context, r PinRequest, first bool) (Session, bool, error) {
	if r.Mode == Existing || !first && t.queue.Waiting() > 0 {
		return t.pinOn(ctx, r, nil)
	}
	return t.pinNew(ctx, r)
}

// pinNew offers the store the pool's candidates: of a large pool a sample first.
func (t *Table) pinNew(ctx context.Context, r PinRequest) (s Session, created bool, err error) {
	err = t.place("", func(candidates []Home) (err error) {
		if len(candidates) > fullPool {
			s, created, err = t.pinOn(ctx, r, candidates[:candidateSample])
			if !errors.Is(err, ErrFull) {
				return err
			}
		}
		s, created, err = t.pinOn(ctx, r, candidates)
		return err
	})
	return s, created, err
}

// noRoom names the reason why a session of so many candidates found no slot.
func (t *Table) noRoom(err error, candidates int) error {
	if errors.Is(err, ErrFull) && candidates == 0 && !t.taken() {
		return ErrNoInstance
	}
	return err
}

// wantRoom asks for more instances when a session, which comes from this version if it is not new, found no room.
func (t *Table) wantRoom(from string, err error) {
	if errors.Is(err, ErrFull) || errors.Is(err, ErrNoInstance) {
		t.want(from, max(1, t.queue.Waiting()))
	}
}

func (t *Table) pinOn(ctx context.Context, r PinRequest, candidates []Home) (Session, bool, error) {
	r.Placement = t.placement(candidates)
	return t.store.Pin(ctx, r)
}

// fetch asks the store and remembers what it answers.
func (t *Table) fetch(ctx context.Context, key Key, ask func(context.Context) (Session, bool, error)) (*entry, bool, error) {
	owner := false
	for n := 0; ; n++ {
		a := answer{gen: t.cache.generation(key), asked: time.Now()}
		s, made, err := ask(ctx)
		if err != nil {
			return nil, false, err
		}
		owner = owner || made
		a.s, a.owner = s, owner
		if e := t.cache.fill(a); e != nil {
			return e, owner, nil
		}
		if n == maxRefills {
			return detached(a), owner, nil
		}
	}
}

// fly joins or starts the flight of this kind for key and takes hold of the entry that it brings. If what a flight of
// others brings is in doubt by then, it asks again. So it does when that flight found no session: one may have come
// between the flight's question and this call, which must find it.
func (t *Table) fly(ctx context.Context, kind string, key Key, u *Use, ask func(context.Context) (*entry, error)) error {
	for n := 0; ; n++ {
		asked := false
		done := t.flights.DoChan(kind+"\x00"+key.ID, func() (any, error) {
			asked = true
			return flight(ctx, ask)
		})
		select {
		case r := <-done:
			if errors.Is(r.Err, ErrNotFound) && !asked && n == 0 {
				continue
			}
			if r.Err != nil {
				return r.Err
			}
			e := r.Val.(*entry)
			if asked || n == maxRefills {
				t.cache.take(e, key, u)
				return nil
			}
			if t.cache.takeSure(e, key, u) || t.cache.hit(key, time.Now(), u) {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// flight asks under a timeout of its own, whatever becomes of the caller whose values ctx has. A store whose connections have
// the same deadline may find it passed an instant before ctx's timer does.
func flight[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	answer, err := ask(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: no answer within %v", ErrUnavailable, loadTimeout)
	}
	return answer, err
}
