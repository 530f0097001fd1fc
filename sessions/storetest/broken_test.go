package storetest_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// Each type here breaks one promise of the store that it embeds.

type ignoresCapacity struct{ sessions.Store }

func (s ignoresCapacity) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	r.PerInstance = math.MaxInt
	return s.Store.Pin(ctx, r)
}

type ignoresIsolation struct{ sessions.Store }

func (s ignoresIsolation) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	r.Isolation = false
	return s.Store.Pin(ctx, r)
}

type takesTheFirst struct{ sessions.Store }

func (s takesTheFirst) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	if len(r.Candidates) > 1 {
		r.Candidates = r.Candidates[:1]
	}
	return s.Store.Pin(ctx, r)
}

type allowsReuse struct{ sessions.Store }

func (s allowsReuse) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	r.DisableIDReuse = false
	return s.Store.Pin(ctx, r)
}

// neverRaisesEpochs shows every session with the same epoch.
type neverRaisesEpochs struct {
	sessions.Store
	mu   *sync.Mutex
	real map[sessions.Key]uint64
}

func (s neverRaisesEpochs) show(got sessions.Session) sessions.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.real[got.Key] = got.Epoch
	got.Epoch = 7
	return got
}

func (s neverRaisesEpochs) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	got, created, err := s.Store.Pin(ctx, r)
	return s.show(got), created, err
}

func (s neverRaisesEpochs) End(ctx context.Context, old sessions.Session, keep bool) (sessions.Session, error) {
	s.mu.Lock()
	old.Epoch = s.real[old.Key]
	s.mu.Unlock()
	got, err := s.Store.End(ctx, old, keep)
	return s.show(got), err
}

// rehomesAgain moves a session for every caller who believes its home lost.
type rehomesAgain struct{ sessions.Store }

func (s rehomesAgain) Rehome(ctx context.Context, r sessions.RehomeRequest) (sessions.Session, error) {
	for {
		got, err := s.Store.Rehome(ctx, r)
		if !errors.Is(err, sessions.ErrMoved) {
			return got, err
		}
		r.Session = got
	}
}

type believesEveryLoss struct{ sessions.Store }

func (s believesEveryLoss) Rehome(ctx context.Context, r sessions.RehomeRequest) (sessions.Session, error) {
	r.Certain = true
	return s.Store.Rehome(ctx, r)
}

// revives pins a session again when it is touched after its end.
type revives struct {
	sessions.Store
	pinned *sync.Map
}

func (s revives) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	s.pinned.Store(r.Key, r)
	return s.Store.Pin(ctx, r)
}

func (s revives) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	for _, t := range touches {
		if r, ok := s.pinned.Load(t.Key); ok {
			_, _, _ = s.Store.Pin(ctx, r.(sessions.PinRequest))
		}
	}
	return s.Store.Touch(ctx, touches)
}

// touchesAnyEpoch takes a touch of an earlier session of the ID for one of this.
type touchesAnyEpoch struct{ sessions.Store }

func (s touchesAnyEpoch) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	for i, t := range touches {
		if got, err := s.Get(ctx, t.Key); err == nil {
			touches[i].Epoch = got.Epoch
		}
	}
	return s.Store.Touch(ctx, touches)
}

type ignoresAge struct{ sessions.Store }

func (s ignoresAge) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	for i := range touches {
		touches[i].Age = 0
	}
	return s.Store.Touch(ctx, touches)
}

// expiresEarly lets a session go 10 ms before its time.
type expiresEarly struct{ sessions.Store }

func (s expiresEarly) Get(ctx context.Context, k sessions.Key) (sessions.Session, error) {
	got, err := s.Store.Get(ctx, k)
	if err == nil && got.Deadline.Sub(got.ReadAt) <= 10*time.Millisecond {
		return sessions.Session{}, sessions.ErrNotFound
	}
	return got, err
}

// servesTheDead shows the last copy of a session that has ended.
type servesTheDead struct {
	sessions.Store
	last *sync.Map
}

func (s servesTheDead) Get(ctx context.Context, k sessions.Key) (sessions.Session, error) {
	got, err := s.Store.Get(ctx, k)
	if err == nil {
		s.last.Store(k, got)
		return got, nil
	}
	if old, ok := s.last.Load(k); ok {
		got = old.(sessions.Session)
		got.ReadAt = time.Now()
		return got, nil
	}
	return got, err
}

type keeps struct {
	sessions.Store
	all bool
}

func (s keeps) End(ctx context.Context, old sessions.Session, _ bool) (sessions.Session, error) {
	return s.Store.End(ctx, old, s.all)
}

// endsAnyEpoch is a delayed delete that kills the ID's next session.
type endsAnyEpoch struct{ sessions.Store }

func (s endsAnyEpoch) End(ctx context.Context, old sessions.Session, keep bool) (sessions.Session, error) {
	if got, err := s.Get(ctx, old.Key); err == nil {
		old.Epoch = got.Epoch
	}
	return s.Store.End(ctx, old, keep)
}

// dropsOne loses the last session of each full page.
type dropsOne struct{ sessions.Store }

func (s dropsOne) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	page, err := s.Store.List(ctx, q)
	if page.Cursor != "" {
		page.Sessions = page.Sessions[:len(page.Sessions)-1]
	}
	return page, err
}

// forgetsStarts takes every program for the one before.
type forgetsStarts struct{ sessions.Store }

func (s forgetsStarts) Report(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error) {
	for i := range r.Instances {
		r.Instances[i].Start = ""
	}
	return s.Store.Report(ctx, r)
}

// forgetsLosses keeps no instance lost or gone.
type forgetsLosses struct{ sessions.Store }

func (s forgetsLosses) Report(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error) {
	for i := range r.Instances {
		r.Instances[i].Health = sessions.HealthUp
	}
	return s.Store.Report(ctx, r)
}
