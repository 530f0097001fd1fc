package storetest_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// showsReservations makes them sessions like any other.
type showsReservations struct{ sessions.Store }

func (s showsReservations) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	if r.Reserved() {
		r.ID = "reserved-" + r.ID[1:]
	}
	return s.Store.Pin(ctx, r)
}

// keepsSlots ends no reservation before its time.
type keepsSlots struct{ sessions.Store }

func (s keepsSlots) End(ctx context.Context, old sessions.Session, keep bool) (sessions.Session, error) {
	if old.Reserved() {
		return old, nil
	}
	return s.Store.End(ctx, old, keep)
}

// bindsAnyEpoch takes a reservation that was moved for the one that it was before.
type bindsAnyEpoch struct{ sessions.Store }

func (s bindsAnyEpoch) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	got, created, err := s.Store.Bind(ctx, r)
	if errors.Is(err, sessions.ErrNotFound) {
		r.Reservation.Epoch++
		return s.Store.Bind(ctx, r)
	}
	return got, created, err
}

// bindsForAMoment lets the session have no longer a life than the reservation.
type bindsForAMoment struct{ sessions.Store }

func (s bindsForAMoment) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	r.Settings = r.Reservation.Settings
	return s.Store.Bind(ctx, r)
}

// forgetsBinds does not know what became of a reservation.
type forgetsBinds struct {
	sessions.Store
	bound *sync.Map
}

func (s forgetsBinds) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	if _, again := s.bound.LoadOrStore(r.Reservation.ID, true); again {
		return sessions.Session{}, false, sessions.ErrNotFound
	}
	return s.Store.Bind(ctx, r)
}

// bindsInSteps gives the slot back, and takes it again.
type bindsInSteps struct{ sessions.Store }

func (s bindsInSteps) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	if _, err := s.End(ctx, r.Reservation, false); err != nil {
		return sessions.Session{}, false, err
	}
	time.Sleep(5 * time.Millisecond)
	return s.pin(ctx, r)
}

func (s bindsInSteps) pin(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	k := r.Reservation.Key
	k.ID = r.ID
	return s.Pin(ctx, sessions.PinRequest{
		Key: k, Settings: r.Settings,
		Placement: sessions.Placement{Candidates: []sessions.Home{r.Reservation.Home}, PerInstance: math.MaxInt},
	})
}

// bindsTheDead makes a session of a reservation that is over, or of what never was one.
type bindsTheDead struct{ sessions.Store }

func (s bindsTheDead) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	got, created, err := s.Store.Bind(ctx, r)
	if errors.Is(err, sessions.ErrNotFound) {
		return bindsInSteps(s).pin(ctx, r)
	}
	return got, created, err
}

// saysItBound says so of reservations that are over, and makes nothing.
type saysItBound struct{ sessions.Store }

func (s saysItBound) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	got, created, err := s.Store.Bind(ctx, r)
	if errors.Is(err, sessions.ErrNotFound) {
		return r.Reservation, true, nil
	}
	return got, created, err
}

// takesIDsOver gives an ID to whoever binds it last.
type takesIDsOver struct{ sessions.Store }

func (s takesIDsOver) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	got, created, err := s.Store.Bind(ctx, r)
	if !errors.Is(err, sessions.ErrExists) {
		return got, created, err
	}
	k := r.Reservation.Key
	k.ID = r.ID
	if old, err := s.Get(ctx, k); err == nil {
		_, _ = s.End(ctx, old, false)
	}
	return s.Store.Bind(ctx, r)
}

// holdsBoth keeps the slot of a reservation that was not needed.
type holdsBoth struct{ sessions.Store }

func (s holdsBoth) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	got, created, err := s.Store.Bind(ctx, r)
	if err == nil && !created {
		again := sessions.PinRequest{Key: r.Reservation.Key, Mode: sessions.GetOrCreate, Settings: r.Reservation.Settings}
		again.Placement = sessions.Placement{Candidates: []sessions.Home{r.Reservation.Home}, PerInstance: math.MaxInt}
		_, _, _ = s.Pin(ctx, again)
	}
	return got, created, err
}

// bindsBlocked forgets that an ID may not be used again.
type bindsBlocked struct{ sessions.Store }

func (s bindsBlocked) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	got, created, err := s.Store.Bind(ctx, r)
	if errors.Is(err, sessions.ErrIDReuse) {
		return got, true, nil
	}
	return got, created, err
}

// takesBindsForCalls compares a fingerprint with a session that no call made.
type takesBindsForCalls struct{ sessions.Store }

func (s takesBindsForCalls) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	got, created, err := s.Store.Pin(ctx, r)
	if errors.Is(err, sessions.ErrExists) && r.Fingerprint != "" {
		err = sessions.ErrMismatch
	}
	return got, created, err
}

// cutsIDs keeps as much of an ID as other proxies do.
type cutsIDs struct{ sessions.Store }

func (s cutsIDs) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	r.ID = r.ID[:min(len(r.ID), 256)]
	return s.Store.Bind(ctx, r)
}
