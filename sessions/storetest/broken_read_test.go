package storetest_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// Each type here breaks one promise about what is read, or Once.

// reversed lists in the wrong order.
type reversed struct{ sessions.Store }

func (s reversed) History(ctx context.Context, k sessions.Key) ([]sessions.Session, error) {
	all, err := s.Store.History(ctx, k)
	slices.Reverse(all)
	return all, err
}

func (s reversed) Qualifiers(ctx context.Context, function string) ([]string, error) {
	all, err := s.Store.Qualifiers(ctx, function)
	slices.Reverse(all)
	return all, err
}

// mixesQualifiers tells the history of the ID in all qualifiers.
type mixesQualifiers struct{ sessions.Store }

func (s mixesQualifiers) History(ctx context.Context, k sessions.Key) (all []sessions.Session, err error) {
	qualifiers, err := s.Qualifiers(ctx, k.Function)
	for _, k.Qualifier = range qualifiers {
		some, err := s.Store.History(ctx, k)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, err
}

// missesTheExpired tells only of those that somebody ended.
type missesTheExpired struct{ sessions.Store }

func (s missesTheExpired) History(ctx context.Context, k sessions.Key) ([]sessions.Session, error) {
	all, err := s.Store.History(ctx, k)
	return slices.DeleteFunc(all, func(h sessions.Session) bool { return h.EndedAt.Equal(h.Deadline) }), err
}

// ignoresPlaces lists the sessions of all instances.
type ignoresPlaces struct{ sessions.Store }

func (s ignoresPlaces) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	q.Version, q.Instance, q.Qualifier = "", "", sessions.LatestQualifier
	return s.Store.List(ctx, q)
}

// knowsOneProgram lists only the sessions of a place's latest incarnation.
type knowsOneProgram struct{ sessions.Store }

func (s knowsOneProgram) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	page, err := s.Store.List(ctx, q)
	latest := uint64(0)
	for _, got := range page.Sessions {
		latest = max(latest, got.Home.Incarnation)
	}
	page.Sessions = slices.DeleteFunc(page.Sessions, func(got sessions.Session) bool { return got.Home.Incarnation < latest })
	return page, err
}

// trustsCursors goes on from any cursor that it ever gave, in whatever listing.
type trustsCursors struct {
	sessions.Store
	given *sync.Map
}

func (s trustsCursors) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	if instance, ok := s.given.Load(q.After); ok && instance != q.Instance {
		return sessions.Page{}, nil // there is nothing after it, in the order of the other listing
	}
	page, err := s.Store.List(ctx, q)
	s.given.Store(page.Cursor, q.Instance)
	return page, err
}

type alwaysFirst struct{ sessions.Store }

func (s alwaysFirst) Once(context.Context, string, time.Duration) (bool, error) { return true, nil }

type neverForgets struct{ sessions.Store }

func (neverForgets) Forget(context.Context, string) error { return nil }

type forgetsEarly struct{ sessions.Store }

func (s forgetsEarly) Once(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	return s.Store.Once(ctx, name, ttl/2)
}
