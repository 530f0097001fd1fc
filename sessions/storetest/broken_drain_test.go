package storetest_test

import (
	"context"
	"errors"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// Each type here breaks one promise about draining instances.

// forgetsDrains says that it has marked the instance.
type forgetsDrains struct{ sessions.Store }

func (s forgetsDrains) Mark(ctx context.Context, m sessions.Mark) (sessions.InstanceRecord, error) {
	deadline := m.Deadline
	m.Draining = false
	r, err := s.Store.Mark(ctx, m)
	r.DrainingSince, r.DrainDeadline = r.ReadAt, r.ReadAt.Add(deadline)
	return r, err
}

// neverUndrains takes no drain back.
type neverUndrains struct{ sessions.Store }

func (s neverUndrains) Mark(ctx context.Context, m sessions.Mark) (sessions.InstanceRecord, error) {
	if m.Draining {
		return s.Store.Mark(ctx, m)
	}
	m.Draining, m.Deadline = true, time.Hour
	r, err := s.Store.Mark(ctx, m)
	r.DrainingSince, r.DrainDeadline = time.Time{}, time.Time{}
	return r, err
}

// tellsWhoMarked tells of a drain nobody but the caller of Mark.
type tellsWhoMarked struct{ sessions.Store }

func (s tellsWhoMarked) Report(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error) {
	all, err := s.Store.Report(ctx, r)
	for i := range all {
		all[i].DrainingSince, all[i].DrainDeadline = time.Time{}, time.Time{}
	}
	return all, err
}

// keepsTheDeadline does not change the deadline of what drains.
type keepsTheDeadline struct{ sessions.Store }

func (s keepsTheDeadline) Mark(ctx context.Context, m sessions.Mark) (sessions.InstanceRecord, error) {
	all, _ := s.Instances(ctx, m.Function)
	for _, r := range all {
		if m.Draining && r.Draining() && r.ID == m.Home.ID {
			return r, nil
		}
	}
	return s.Store.Mark(ctx, m)
}

// drainsPlaces marks whatever comes to live at the place, too.
type drainsPlaces struct{ sessions.Store }

func (s drainsPlaces) Report(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error) {
	before, _ := s.Instances(ctx, r.Function)
	all, err := s.Store.Report(ctx, r)
	for i := range all {
		for _, old := range before {
			if old.ID == all[i].ID && old.Draining() && all[i].GoneAt.IsZero() {
				all[i], _ = s.Mark(ctx, sessions.Mark{Function: r.Function, Home: all[i].Home, Draining: true, Deadline: time.Hour})
			}
		}
	}
	return all, err
}

// undrainsTheLost forgets the drain of what it loses.
type undrainsTheLost struct{ sessions.Store }

func (s undrainsTheLost) Report(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error) {
	all, err := s.Store.Report(ctx, r)
	for i := range all {
		if !all[i].LostAt.IsZero() {
			all[i], _ = s.Mark(ctx, sessions.Mark{Function: r.Function, Home: all[i].Home})
		}
	}
	return all, err
}

// marksAnything finds every instance.
type marksAnything struct{ sessions.Store }

func (s marksAnything) Mark(ctx context.Context, m sessions.Mark) (sessions.InstanceRecord, error) {
	r, err := s.Store.Mark(ctx, m)
	if errors.Is(err, sessions.ErrUnknownInstance) {
		err = nil
	}
	return r, err
}

// drainsAllVersions takes no notice of whose pool an instance is of.
type drainsAllVersions struct{ sessions.Store }

func (s drainsAllVersions) Mark(ctx context.Context, m sessions.Mark) (sessions.InstanceRecord, error) {
	all, _ := s.Instances(ctx, m.Function)
	for _, r := range all {
		other := m
		if other.Home = r.Home; r.ID == m.Home.ID {
			_, _ = s.Store.Mark(ctx, other)
		}
	}
	return s.Store.Mark(ctx, m)
}

// movesEarly believes everybody that the deadline has passed.
type movesEarly struct{ sessions.Store }

func (s movesEarly) Rehome(ctx context.Context, r sessions.RehomeRequest) (sessions.Session, error) {
	r.Certain, r.Drained = r.Certain || r.Drained, false
	return s.Store.Rehome(ctx, r)
}
