package embeddedstore

import (
	"context"

	"github.com/limpet-proxy/limpet/sessions"
)

// Update implements sessions.Pins.
func (s *Store) Update(ctx context.Context, r sessions.UpdateRequest) (sessions.Session, error) {
	f, err := s.change(ctx, r.Function)
	if err != nil {
		return sessions.Session{}, err
	}
	got, _, err := s.answer(f.update(r))
	return got, err
}

func (f *function) update(r sessions.UpdateRequest) result {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	rec := f.live(name{r.Qualifier, r.ID}, now)
	if rec == nil || rec.reserved() {
		return result{need: f.lastEnd, err: sessions.ErrNotFound}
	}
	f.reckon(rec, func() {
		rec.settings = r.Apply(rec.settings)
		rec.lastUsed, rec.modified = now, now
	})
	if rec.expired(now) { // its end is now, not before it was asked for
		f.finish(rec, now)
		f.lastEnd = rec.seq
	} else {
		rec.seq = f.write(put{rec})
	}
	return result{s: rec.view(f.name, now), need: rec.seq}
}
