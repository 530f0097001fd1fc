package embeddedstore

import (
	"context"
	"strings"

	"github.com/limpet-proxy/limpet/sessions"
)

// reserved says whether the name is a reservation's, which no listing has.
func (n name) reserved() bool { return sessions.Key{ID: n.id}.Reserved() }

// boundFrom begins the record.call of a session that was bound, and the reservation's ID follows. Together they are longer
// than any fingerprint, whose bytes may be whatever a hash gives.
const boundFrom = "reservation:"

func bindCall(reservation string) string { return boundFrom + reservation }

// fingerprinted says whether a call with a fingerprint made the session.
func (r *record) fingerprinted() bool { return r.call != "" && len(r.call) <= sessions.MaxFingerprint }

// reservation is the name of what the session was bound from, if it was.
func (r *record) reservation() (n name, bound bool) {
	id, ok := strings.CutPrefix(r.call, boundFrom)
	return name{r.qualifier, id}, ok && !r.fingerprinted()
}

// Bind implements sessions.Pins.
func (s *Store) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	if !r.Reservation.Reserved() || (name{id: r.ID}).reserved() {
		return sessions.Session{}, false, sessions.ErrNotFound
	}
	f, err := s.change(ctx, r.Reservation.Function)
	if err != nil {
		return sessions.Session{}, false, err
	}
	return s.answer(f.bind(r))
}

func (f *function) bind(r sessions.BindRequest) result {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	n, from := name{r.Reservation.Qualifier, r.ID}, name{r.Reservation.Qualifier, r.Reservation.ID}
	slot := f.live(from, now)
	if slot != nil && slot.epoch != r.Reservation.Epoch {
		slot = nil
	}
	if old := f.live(n, now); old != nil {
		return f.bound(old, slot, r.Reservation, now)
	}
	if slot == nil {
		return result{need: f.lastEnd, err: sessions.ErrNotFound}
	}
	if last := f.lastKept(n, now); last != nil && last.blocks(now) {
		return result{need: f.lastEnd, err: sessions.ErrIDReuse}
	}
	fresh := *slot
	fresh.name, fresh.settings, fresh.event, fresh.call = n, r.Settings, sessions.Event{}, bindCall(from.id)
	fresh.epoch, fresh.created, fresh.modified, fresh.lastUsed, fresh.lease = f.next(now), now, now, now, 0
	f.unlink(slot)
	f.link(&fresh)
	fresh.seq = f.write(put{&fresh}) // one entry for both: see applyPut
	return result{s: fresh.view(f.name, now), created: true, need: fresh.seq}
}

// bound answers a Bind to an ID that has a session, which the reservation may have become.
func (f *function) bound(old, slot *record, r sessions.Session, now micros) result {
	found := result{s: old.view(f.name, now), need: old.seq}
	switch {
	case old.call == bindCall(r.ID):
		found.created = true
	case old.home != r.Home:
		return result{need: old.seq, err: sessions.ErrExists}
	case slot != nil:
		f.remove(slot, now)
		found.need = max(found.need, slot.seq)
	}
	return found
}
