package sessions

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

const (
	// DefaultReservationLife is how long a reservation holds its slot, where the rules do not say: longer than the
	// default of timeouts.response_header, with some dials before it.
	DefaultReservationLife = 2 * time.Minute
	// reservedMark begins the ID of a reservation. No client can write it: IDs in headers, cookies, paths and protocols
	// are visible ASCII.
	reservedMark = "\x00"
	// releaseWait is how long Release waits for the store to take a reservation back, so that the slot is free when the
	// client has its answer. A store that hangs delays nobody for longer; it is asked on in the background.
	releaseWait = 100 * time.Millisecond
)

// ReservedKey makes the key of a new reservation: see Pins.
func ReservedKey(function, qualifier string) Key {
	return Key{Function: function, Qualifier: qualifier, ID: reservedMark + rand.Text()}
}

// Reserved says whether k is the key of a reservation.
func (k Key) Reserved() bool { return strings.HasPrefix(k.ID, reservedMark) }

// reservation is what a Use holds until its session has an ID.
type reservation struct {
	s     Session // as the store knows it
	bound string  // the ID that a Bind whose answer was lost may have given it
}

// Reserve takes a slot for a session whose ID the instance will choose, in the same order and under the same rules as a
// new session: it waits at most Rules.Wait. The use is Reserved until Bind; its Session has no ID, and the rest says where
// the request is to go. To release it gives the slot back; if nobody does, the slot is free after Rules.ReservationLife.
//
// Errors: ErrFull, ErrNoInstance, ErrUnavailable, and ctx's own.
func (t *Table) Reserve(ctx context.Context) (Use, error) {
	k := ReservedKey(t.rules.Function, t.rules.Qualifier)
	r := t.request(k.ID, Create)
	r.Settings = Settings{TTL: t.rules.ReservationLife}
	if r.TTL <= 0 {
		r.TTL = DefaultReservationLife
	}
	var s Session
	err := t.attempt(ctx, k.ID, func(ctx context.Context, first bool) (err error) {
		s, err = t.reserve(ctx, r, first)
		return err
	})
	if err != nil {
		return Use{}, err
	}
	u := Use{table: t, mode: Existing}
	u.reserve(s)
	return u, nil
}

// reserve is one flight. What it brings to a caller who has hung up is given back.
func (t *Table) reserve(ctx context.Context, r PinRequest, first bool) (Session, error) {
	type result struct {
		s   Session
		err error
	}
	done := make(chan result, 1)
	go func() {
		s, err := flight(ctx, func(ctx context.Context) (Session, error) {
			s, _, err := t.pinInTurn(ctx, r, first)
			return s, err
		})
		if err != nil {
			t.observe(TierStore, false, err) // a slot is no session that was found: of that Bind tells
		}
		done <- result{s, err}
	}()
	select {
	case got := <-done:
		return got.s, got.err
	case <-ctx.Done():
		go func() {
			if got := <-done; got.err == nil {
				t.giveBack(ctx, reservation{s: got.s})
			}
		}()
		return Session{}, context.Cause(ctx)
	}
}

// reserve makes u a use of a reservation.
func (u *Use) reserve(s Session) {
	u.reserved = &reservation{s: s}
	shown := s
	shown.ID = ""
	u.s = &shown
}

// Reserved says whether u is of a reservation, whose session has no ID yet.
func (u *Use) Reserved() bool { return u.reserved != nil }

// Bind gives the reservation its ID, which makes it a session with the function's settings, and u a use of that. The caller
// has to tell the client of the created session, for nobody else will: see Event. An Active session of the ID whose home is
// the very same is taken instead, for then the instance has named it again, and the slot is given back. Whatever becomes of
// the caller the store is asked: the instance has the session already. On an error u is still the reservation, and Bind may
// be tried again.
//
// Errors: ErrExists, the ID has an Active session elsewhere; ErrIDReuse; ErrNotFound, the reservation is over;
// ErrUnavailable.
func (u *Use) Bind(ctx context.Context, id string) error {
	if u.reserved == nil {
		return ErrNotFound
	}
	t, key := u.table, u.table.key(id)
	r := BindRequest{Reservation: u.reserved.s, ID: id, Settings: t.rules.settings()}
	made := false
	e, err := flight(ctx, func(ctx context.Context) (*entry, error) {
		e, ours, err := t.fetch(ctx, key, func(ctx context.Context) (Session, bool, error) { return t.store.Bind(ctx, r) })
		made = ours
		t.observe(TierStore, ours, err)
		return e, err
	})
	if errors.Is(err, ErrUnavailable) {
		u.reserved.bound = id
	}
	if err != nil {
		return err
	}
	next := Use{table: t, mode: u.mode, created: made}
	t.cache.take(e, key, &next)
	*u = next
	if !made {
		t.queue.Wake() // a slot was given back
	}
	return nil
}

// rehomeReserved moves the reservation, because the dial of its home was refused.
func (t *Table) rehomeReserved(ctx context.Context, u *Use) error {
	s, err := flight(ctx, func(ctx context.Context) (Session, error) {
		s, _, err := t.move(ctx, RehomeRequest{Session: u.reserved.s, Reason: ReasonLost, Certain: true})
		return s, err
	})
	if err == nil {
		u.reserve(s)
	}
	return err
}

// release gives the reservation back. It waits a moment for the store, and no longer.
func (u *Use) release() {
	t, r := u.table, *u.reserved
	*u = Use{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.giveBack(context.Background(), r)
	}()
	late := time.NewTimer(releaseWait)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
}

// giveBack ends a reservation: best effort, for it ends by itself. Where a Bind may have made it a session, whose ID nobody
// was told, that one ends.
func (t *Table) giveBack(ctx context.Context, r reservation) {
	_, _ = flight(ctx, func(ctx context.Context) (Session, error) {
		s, err := t.store.End(ctx, r.s, false)
		if errors.Is(err, ErrNotFound) && r.bound != "" {
			return t.unbind(ctx, r)
		}
		return s, err
	})
	t.queue.Wake()
}

// unbind ends the session that a Bind made whose answer was lost. Asked again, the store says which it was.
func (t *Table) unbind(ctx context.Context, r reservation) (Session, error) {
	s, made, err := t.store.Bind(ctx, BindRequest{Reservation: r.s, ID: r.bound, Settings: t.rules.settings()})
	if err != nil || !made {
		return s, err
	}
	return t.End(ctx, s, false)
}
