package embeddedstore

import (
	"iter"

	"github.com/limpet-proxy/limpet/sessions"
)

// past returns the ended records of an ID that are still there, the youngest first.
func (f *function) past(n name, now micros) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		all := f.ended[n]
		for i := len(all) - 1; i >= 0; i-- {
			if !all[i].forgotten(now) && !yield(all[i]) {
				return
			}
		}
	}
}

// lastKept returns the youngest ended record of an ID, or nil; one that is deleted has no say.
func (f *function) lastKept(n name, now micros) *record {
	for r := range f.past(n, now) {
		if !r.deleted {
			return r
		}
	}
	return nil
}

// called returns the youngest record of an ID that a call with a fingerprint made, or nil.
func (f *function) called(n name, now micros) *record {
	if r := f.active[n]; r != nil && r.fingerprinted() {
		return r
	}
	for r := range f.past(n, now) {
		if !r.deleted && r.fingerprinted() {
			return r
		}
	}
	return nil
}

// calledAgain answers a call of which made is the session, if it is the same call.
func (f *function) calledAgain(made *record, call string, now micros) result {
	need := max(made.seq, f.lastEnd)
	if made.call != call {
		return result{need: need, err: sessions.ErrMismatch}
	}
	return result{s: made.view(f.name, now), need: need}
}

// renew keeps an Ending session Ending. One that is Ended stays so: who was told that its last request is over was
// told right.
func (f *function) renew(t sessions.Touch, now micros) {
	for r := range f.past(name{t.Qualifier, t.ID}, now) {
		if r.epoch > t.Epoch {
			continue
		}
		if r.epoch == t.Epoch && r.lease > now {
			f.leaving.Delete(r)
			r.lease = now + span(sessions.InFlightLease)
			f.leaving.Set(r)
		}
		return
	}
}
