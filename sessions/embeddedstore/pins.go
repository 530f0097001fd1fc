package embeddedstore

import (
	"context"

	"github.com/limpet-proxy/limpet/sessions"
)

// expireStep is how many due sessions an operation ends in passing.
const expireStep = 64

// result is what an operation found, and which entry must be on disk before anybody is told: also what was only
// read, else a crash could take back a session that somebody was already routed by.
type result struct {
	s       sessions.Session
	created bool
	need    seq
	err     error
}

// answer waits until the result may be told.
func (s *Store) answer(r result) (sessions.Session, bool, error) {
	if err := s.log.wait(r.need); err != nil {
		return sessions.Session{}, false, err
	}
	return r.s, r.created, r.err
}

// Pin implements sessions.Pins.
func (s *Store) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	f, err := s.enter(ctx, r.Function)
	if err != nil {
		return sessions.Session{}, false, err
	}
	return s.answer(f.pin(r))
}

func (f *function) pin(r sessions.PinRequest) result {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	f.expire(now, expireStep)
	n := name{r.Qualifier, r.ID}
	old := f.live(n, now)
	if r.Mode == sessions.Create && r.Fingerprint != "" {
		if made := f.called(n, now); made != nil {
			return f.calledAgain(made, r.Fingerprint, now)
		}
	}
	if old != nil {
		if r.Mode == sessions.Create {
			return result{need: old.seq, err: sessions.ErrExists}
		}
		return result{s: old.view(f.name, now), need: old.seq}
	}
	if r.Mode == sessions.Existing {
		return result{need: f.lastEnd, err: sessions.ErrNotFound}
	}
	if last := f.lastKept(n, now); last != nil && last.blocks(now) {
		return result{need: f.lastEnd, err: sessions.ErrIDReuse}
	}
	if err := f.log.failed(); err != nil {
		return result{err: err}
	}
	home, ok := f.place(r.Placement, nil, now)
	if !ok {
		return result{err: sessions.ErrFull}
	}
	fresh := f.create(r, home, now)
	return result{s: fresh.view(f.name, now), created: true, need: fresh.seq}
}

func (f *function) create(r sessions.PinRequest, home sessions.Home, now micros) *record {
	epoch := f.next(now)
	fresh := &record{
		name: name{r.Qualifier, r.ID}, home: home, epoch: epoch, born: epoch,
		settings: r.Settings, affinity: r.Affinity, origin: r.Origin, label: r.Name, call: r.Fingerprint,
		event:   sessions.Event{Kind: sessions.EventCreated},
		created: now, modified: now, lastUsed: now,
	}
	f.settle(fresh, r.Isolation)
	return fresh
}

// settle puts a record at its home and writes it. The mark comes first: should a crash leave only one of the two
// entries, it is a used instance without its session, never a session whose instance may take another.
func (f *function) settle(r *record, isolation bool) {
	if isolation {
		f.markUsed(r.home)
		f.write(used{r.home})
	}
	f.link(r)
	r.seq = f.write(put{r})
}

// Rehome implements sessions.Pins.
func (s *Store) Rehome(ctx context.Context, r sessions.RehomeRequest) (sessions.Session, error) {
	f, err := s.change(ctx, r.Session.Function)
	if err != nil {
		return sessions.Session{}, err
	}
	got, _, err := s.answer(f.rehome(r))
	return got, err
}

func (f *function) rehome(r sessions.RehomeRequest) result {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	rec := f.live(name{r.Session.Qualifier, r.Session.ID}, now)
	switch {
	case rec == nil:
		return result{need: f.lastEnd, err: sessions.ErrNotFound}
	case rec.epoch != r.Session.Epoch:
		return result{s: rec.view(f.name, now), need: rec.seq, err: sessions.ErrMoved}
	case r.Drained && !f.hasDrained(rec.home, now), !r.Drained && !r.Certain && f.alive(rec.home, span(r.AliveWithin), now):
		return result{need: rec.seq, err: sessions.ErrAlive}
	}
	home, ok := f.place(r.Placement, &rec.home, now)
	if !ok {
		return result{need: rec.seq, err: sessions.ErrFull}
	}
	f.unlink(rec)
	rec.event = sessions.Event{Kind: sessions.EventRehomed, Reason: r.Reason, From: rec.home.ID}
	rec.home, rec.modified = home, now
	rec.epoch++
	rec.lease = 0 // which was of requests at the home that is lost
	f.high = max(f.high, rec.epoch)
	f.settle(rec, r.Isolation)
	return result{s: rec.view(f.name, now), need: rec.seq}
}

// End implements sessions.Pins. Asked again about a session that it kept, it gives the same answer again.
func (s *Store) End(ctx context.Context, old sessions.Session, keep bool) (sessions.Session, error) {
	f, err := s.change(ctx, old.Function)
	if err != nil {
		return sessions.Session{}, err
	}
	got, _, err := s.answer(f.end(old, keep))
	return got, err
}

func (f *function) end(old sessions.Session, keep bool) result {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	n := name{old.Qualifier, old.ID}
	rec := f.live(n, now)
	if rec == nil {
		return f.endedBefore(n, old.Epoch, now)
	}
	if rec.epoch != old.Epoch {
		return result{s: rec.view(f.name, now), need: rec.seq, err: sessions.ErrMoved}
	}
	if keep {
		f.finish(rec, now)
	} else {
		f.remove(rec, now)
	}
	f.lastEnd = rec.seq
	return result{s: rec.view(f.name, now), need: rec.seq}
}

// endedBefore answers an End that comes again. A session that ended at its deadline was not ended by an End.
func (f *function) endedBefore(n name, epoch uint64, now micros) result {
	for _, r := range f.ended[n] {
		if r.epoch == epoch && r.ended < r.deadline && !r.deleted && !r.forgotten(now) {
			return result{s: r.view(f.name, now), need: r.seq}
		}
	}
	return result{need: f.lastEnd, err: sessions.ErrNotFound}
}
