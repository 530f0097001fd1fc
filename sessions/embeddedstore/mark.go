package embeddedstore

import (
	"context"

	"github.com/limpet-proxy/limpet/sessions"
)

// drain says since when an incarnation takes no new session, and until when its sessions stay. The zero drain is none.
type drain struct{ since, until micros }

func (d drain) on() bool { return d.since != 0 }

// Mark implements sessions.Registry.
func (s *Store) Mark(ctx context.Context, m sessions.Mark) (sessions.InstanceRecord, error) {
	f, err := s.change(ctx, m.Function)
	if err != nil {
		return sessions.InstanceRecord{}, err
	}
	record, need, err := f.mark(m)
	if err := s.log.wait(need); err != nil {
		return sessions.InstanceRecord{}, err
	}
	return record, err
}

func (f *function) mark(m sessions.Mark) (sessions.InstanceRecord, seq, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	in := f.places[placeOf(m.Home)]
	if in == nil || in.gone != 0 || m.Home.Incarnation != 0 && m.Home.Incarnation != in.home.Incarnation {
		return sessions.InstanceRecord{}, 0, sessions.ErrUnknownInstance
	}
	wanted := drain{}
	if m.Draining {
		wanted = drain{since: now, until: now + span(max(0, m.Deadline))}
	}
	if was := f.drainOf(in.home); was.on() && wanted.on() {
		wanted.since = was.since
	}
	if wanted != f.drainOf(in.home) {
		in.seq = f.write(drained{in.home, wanted})
		f.setDrain(drained{in.home, wanted})
	}
	return f.viewInstance(in, now), in.seq, nil
}

func (f *function) drainOf(h sessions.Home) drain {
	if l := f.loads[h]; l != nil {
		return l.drain
	}
	return drain{}
}

func (f *function) setDrain(d drained) {
	f.load(d.home).drain = d.drain
	f.tidy(d.home)
}

// hasDrained says whether the home's sessions may be moved because it drains.
func (f *function) hasDrained(h sessions.Home, now micros) bool {
	d := f.drainOf(h)
	return d.on() && now >= d.until
}
