package storetest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// Each type here breaks one promise that the session API rests on.

// ignoresUpdates answers as if it had changed the settings.
type ignoresUpdates struct{ sessions.Store }

func (s ignoresUpdates) Update(ctx context.Context, r sessions.UpdateRequest) (sessions.Session, error) {
	got, err := s.Get(ctx, r.Key)
	if r.TTL != nil {
		got.TTL = *r.TTL
	}
	if r.IdleTimeout != nil {
		got.IdleTimeout = *r.IdleTimeout
	}
	got.ModifiedAt = got.ReadAt
	got.Deadline = got.Settings.Deadline(got.CreatedAt, got.ReadAt)
	return got, err
}

// resetsNil takes an idle timeout that is not given for none.
type resetsNil struct{ sessions.Store }

func (s resetsNil) Update(ctx context.Context, r sessions.UpdateRequest) (sessions.Session, error) {
	if r.IdleTimeout == nil {
		r.IdleTimeout = new(time.Duration)
	}
	return s.Store.Update(ctx, r)
}

// idleFromCreation lets an idle timeout that was changed run from the beginning.
type idleFromCreation struct{ sessions.Store }

func (s idleFromCreation) Update(ctx context.Context, r sessions.UpdateRequest) (sessions.Session, error) {
	got, err := s.Store.Update(ctx, r)
	if err == nil && got.IdleTimeout > 0 && got.ReadAt.Sub(got.CreatedAt) > got.IdleTimeout {
		_, err = s.End(ctx, got, true)
	}
	return got, err
}

// endsNone does not let a TTL be over.
type endsNone struct{ sessions.Store }

func (s endsNone) Update(ctx context.Context, r sessions.UpdateRequest) (sessions.Session, error) {
	if r.TTL != nil && *r.TTL < time.Minute {
		*r.TTL = time.Minute
	}
	return s.Store.Update(ctx, r)
}

// tellsOnUpdate takes an update for the news of a session's event.
type tellsOnUpdate struct{ sessions.Store }

func (s tellsOnUpdate) Update(ctx context.Context, r sessions.UpdateRequest) (sessions.Session, error) {
	if got, err := s.Get(ctx, r.Key); err == nil {
		_, _ = s.Touch(ctx, []sessions.Touch{{Key: got.Key, Epoch: got.Epoch, Delivered: true}})
	}
	return s.Store.Update(ctx, r)
}

type updatesNobody struct{ sessions.Store }

func (s updatesNobody) Update(ctx context.Context, r sessions.UpdateRequest) (sessions.Session, error) {
	got, err := s.Store.Update(ctx, r)
	if errors.Is(err, sessions.ErrNotFound) {
		err = nil
	}
	return got, err
}

// undoesUpdates writes the settings back that it read before, with every touch.
type undoesUpdates struct {
	sessions.Store
	pinned *sync.Map
}

func (s undoesUpdates) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	s.pinned.Store(r.Key, r.Settings)
	return s.Store.Pin(ctx, r)
}

func (s undoesUpdates) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	for _, t := range touches {
		if set, ok := s.pinned.Load(t.Key); ok {
			set := set.(sessions.Settings)
			_, _ = s.Update(ctx, sessions.UpdateRequest{Key: t.Key, TTL: &set.TTL, IdleTimeout: &set.IdleTimeout})
		}
	}
	return s.Store.Touch(ctx, touches)
}

type ignoresFingerprints struct{ sessions.Store }

func (s ignoresFingerprints) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	r.Fingerprint = ""
	return s.Store.Pin(ctx, r)
}

// claimsAll takes whatever session is live for the call's own.
type claimsAll struct{ sessions.Store }

func (s claimsAll) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	if got, err := s.Get(ctx, r.Key); err == nil && r.Fingerprint != "" {
		return got, false, nil
	}
	return s.Store.Pin(ctx, r)
}

// comparesAlways compares the fingerprints of those, too, who did not ask to create.
type comparesAlways struct{ sessions.Store }

func (s comparesAlways) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	if r.Fingerprint != "" {
		r.Mode = sessions.Create
	}
	return s.Store.Pin(ctx, r)
}

type forgetsNames struct{ sessions.Store }

func (s forgetsNames) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	r.Name = ""
	return s.Store.Pin(ctx, r)
}

type findsAll struct{ sessions.Store }

func (s findsAll) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	_, err := s.Store.Touch(ctx, touches)
	return nil, err
}

// countsInParts sends large batches in parts and forgets where each began.
type countsInParts struct{ sessions.Store }

func (s countsInParts) Touch(ctx context.Context, touches []sessions.Touch) (stale []int, err error) {
	for part := range slices.Chunk(touches, 1000) {
		some, err := s.Store.Touch(ctx, part)
		if err != nil {
			return nil, err
		}
		stale = append(stale, some...)
	}
	return stale, nil
}

// marksInFlight says of every touch whether requests run.
type marksInFlight struct {
	sessions.Store
	running bool
}

func (s marksInFlight) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	for i := range touches {
		touches[i].InFlight = s.running
	}
	return s.Store.Touch(ctx, touches)
}

// renewsNone knows of no requests of a session that has ended.
type renewsNone struct{ sessions.Store }

func (s renewsNone) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	for i, t := range touches {
		if _, err := s.Get(ctx, t.Key); err != nil {
			touches[i].InFlight = false
		}
	}
	return s.Store.Touch(ctx, touches)
}

// holdsWhileEnding gives nothing back before the last request is over.
type holdsWhileEnding struct{ sessions.Store }

func (s holdsWhileEnding) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	if all, err := s.History(ctx, r.Key); err == nil && len(all) > 0 && all[len(all)-1].State == sessions.Ending {
		return sessions.Session{}, false, sessions.ErrFull
	}
	return s.Store.Pin(ctx, r)
}

// endsEarly gives requests half the time.
type endsEarly struct{ sessions.Store }

func (s endsEarly) show(all []sessions.Session) {
	for i := range all {
		if all[i].State == sessions.Ending && all[i].ReadAt.Sub(all[i].EndedAt) > sessions.InFlightLease/2 {
			all[i].State = sessions.Ended
		}
	}
}

func (s endsEarly) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	page, err := s.Store.List(ctx, q)
	s.show(page.Sessions)
	return page, err
}

func (s endsEarly) History(ctx context.Context, k sessions.Key) ([]sessions.Session, error) {
	all, err := s.Store.History(ctx, k)
	s.show(all)
	return all, err
}
