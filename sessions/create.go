package sessions

import (
	"context"
	"time"
)

// CreateRequest asks for a session before any request needs it.
type CreateRequest struct {
	ID string // of Rules.Function and Rules.Qualifier
	Settings
	Name        string // for people; at most MaxSessionName bytes
	Fingerprint string // of an idempotent call: see PinRequest
}

// creation is what a call that makes a session was told.
type creation struct {
	s    Session
	made bool // by this very call
}

// Create makes a session, whose home is chosen when it returns, and says whether this call made it: with a fingerprint
// it may return the session, Active or ended, that the same call made before. It waits at most Rules.Wait for a free
// slot, in one queue with requests. A caller that hangs up may leave a session behind.
//
// Errors: ErrExists, ErrIDReuse, ErrMismatch, ErrFull, ErrNoInstance, ErrUnavailable, and ctx's own.
func (t *Table) Create(ctx context.Context, c CreateRequest) (Session, bool, error) {
	r := t.request(c.ID, Create)
	r.Settings, r.Origin, r.Name, r.Fingerprint = c.Settings, OriginAPI, c.Name, c.Fingerprint
	var got creation
	err := t.attempt(ctx, c.ID, func(ctx context.Context, first bool) (err error) {
		got, err = t.create(ctx, r, first)
		return err
	})
	if err != nil {
		return Session{}, false, err
	}
	return got.s, got.made, nil
}

// create is one flight, which nobody shares: of two calls that make one session, one is to be told that it exists.
func (t *Table) create(ctx context.Context, r PinRequest, first bool) (creation, error) {
	type result struct {
		creation
		err error
	}
	done := make(chan result, 1)
	go func() {
		got, err := flight(ctx, func(ctx context.Context) (creation, error) {
			a := answer{gen: t.cache.generation(r.Key), asked: time.Now()}
			s, made, err := t.pinInTurn(ctx, r, first)
			t.observe(TierStore, made, err)
			if err == nil && s.State == Active {
				a.s, a.owner = s, made
				t.cache.fill(a) // not asked again if it lost a race: the next use will
			}
			return creation{s, made}, err
		})
		done <- result{got, err}
	}()
	select {
	case r := <-done:
		return r.creation, r.err
	case <-ctx.Done():
		return creation{}, context.Cause(ctx)
	}
}
