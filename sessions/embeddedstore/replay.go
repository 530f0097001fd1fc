package embeddedstore

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/limpet-proxy/limpet/sessions"
)

// replay applies entries to a store that nobody else uses yet.
type replay struct {
	store   *Store
	seen    map[string]string
	entries uint64
	ended   bool // a snapshot's end was read
}

func newReplay(s *Store) *replay { return &replay{store: s, seen: map[string]string{}} }

// apply applies the entries of one frame.
func (p *replay) apply(b []byte) error {
	d := &decoder{b: b, seen: p.seen}
	for len(d.b) > 0 {
		if p.ended {
			return fmt.Errorf("%w: entries after the end", sessions.ErrCorrupt)
		}
		kind := d.byte()
		if !p.entry(kind, d.shared(), d) || d.bad {
			return fmt.Errorf("%w: entry %d of kind %d cannot be decoded", sessions.ErrCorrupt, p.entries, kind)
		}
		p.entries++
	}
	return nil
}

// entry decodes one entry and applies it, and says whether it could.
func (p *replay) entry(kind byte, owner string, d *decoder) bool {
	switch kind {
	case kindSecret:
		value := slices.Clone(d.bytes())
		p.store.secrets[owner] = secret{value: value}
		return len(value) == secretSize
	case kindOnce:
		return whole(d, d.micros(), func(until micros) { p.store.onces.apply(owner, until, p.store.clock.now()) })
	case kindEnd:
		p.ended = d.uint() == p.entries
		return p.ended
	}
	f := p.store.function(owner)
	switch kind {
	case kindPut:
		return whole(d, d.record(), f.applyPut)
	case kindKept:
		return whole(d, d.record(), f.applyKept)
	case kindRemoved:
		return whole(d, removed{d.name(), d.uint()}, f.applyRemoved)
	case kindTouched:
		return whole(d, touch{d.name(), d.uint(), d.micros(), d.bool()}, f.applyTouch)
	case kindKnown:
		return whole(d, d.instance(), f.applyKnown)
	case kindUsed:
		return whole(d, d.home(), f.markUsed)
	case kindDrained:
		return whole(d, drained{d.home(), drain{d.micros(), d.micros()}}, f.setDrain)
	case kindHigh:
		return whole(d, d.uint(), func(n uint64) { f.high = max(f.high, n) })
	}
	return false
}

// whole applies v if d could read all of it.
func whole[T any](d *decoder, v T, apply func(T)) bool {
	if !d.bad {
		apply(v)
	}
	return !d.bad
}

// touch is what a touched entry says.
type touch struct {
	name     name
	epoch    uint64
	lastUsed micros
	told     bool
}

// applyPut also ends the reservation that the session was, in whose place it came.
func (f *function) applyPut(r *record) {
	if old := f.active[r.name]; old != nil {
		f.unlink(old)
	}
	if from, bound := r.reservation(); bound && f.active[from] != nil {
		f.unlink(f.active[from])
	}
	f.link(r)
	f.high = max(f.high, r.epoch, r.born)
}

func (f *function) applyKept(r *record) {
	f.applyRemoved(removed{r.name, r.epoch})
	for _, old := range f.ended[r.name] {
		if old.born == r.born {
			f.forget(old)
			break
		}
	}
	f.linkEnded(r)
	slices.SortFunc(f.ended[r.name], func(a, b *record) int { return cmp.Compare(a.epoch, b.epoch) })
}

// applyRemoved removes whatever the key has. Should a snapshot know a younger session already, that one's entry
// comes later in the log.
func (f *function) applyRemoved(r removed) {
	if old := f.active[r.name]; old != nil {
		f.unlink(old)
	}
	f.high = max(f.high, r.epoch)
}

func (f *function) applyTouch(t touch) {
	r := f.active[t.name]
	if r == nil || r.epoch != t.epoch {
		return
	}
	f.postpone(r, t.lastUsed)
	if t.told {
		r.event = sessions.Event{}
	}
}

func (f *function) applyKnown(in *instance) {
	in.reported = f.clock.now()
	old := f.places[placeOf(in.home)]
	f.places[placeOf(in.home)] = in
	f.high = max(f.high, in.home.Incarnation)
	if old != nil && old.home != in.home {
		f.retire(old.home)
	}
}
