package embeddedstore

import (
	"cmp"

	"github.com/limpet-proxy/limpet/sessions"
)

// name tells the sessions of one function apart.
type name struct{ qualifier, id string }

// record is one session, Active or Ended. The mutex of its function guards it.
type record struct {
	name
	home     sessions.Home
	epoch    uint64
	born     uint64 // the epoch at creation, which no other record of the function has
	settings sessions.Settings
	affinity sessions.Affinity
	origin   sessions.Origin
	label    string // Session.Name
	call     string // the fingerprint of the call that made it; of one that was bound, see bindCall
	event    sessions.Event
	created  micros
	modified micros
	ended    micros // 0 while Active
	lastUsed micros
	deadline micros
	// lease is until when touches say that requests of this epoch run. The log does not know it: what ran through
	// this process has ended with it.
	lease micros
	// deleted says that the record is here only for its requests: nothing but listings knows it, and no file.
	deleted bool
	seq     seq // of the entry that made the record what it is, touches aside
}

// reckon computes the deadline anew.
func (r *record) reckon() {
	end := r.settings.Deadline(r.created.time(), r.lastUsed.time())
	r.deadline = toMicros(end)
	if end.Nanosecond()%1000 != 0 {
		r.deadline++ // up, not down: never early
	}
}

func (r *record) expired(now micros) bool { return r.deadline <= now }

// forgetAt is when an ended record is forgotten: not while requests run, and one that is deleted with the last of them.
func (r *record) forgetAt() micros {
	if r.deleted {
		return r.lease
	}
	return max(r.lease, r.ended+span(r.settings.Retention()))
}

// forgotten says whether an ended record is to be treated as not there, whether or not a sweep has removed it.
func (r *record) forgotten(now micros) bool { return r.forgetAt() <= now }

// blocks says whether an ended record forbids that its ID is used again.
func (r *record) blocks(now micros) bool {
	return r.settings.DisableIDReuse && now < r.ended+span(sessions.ReuseBlock)
}

// view returns the session as it is now.
func (r *record) view(function string, now micros) sessions.Session {
	s := sessions.Session{
		Key:  sessions.Key{Function: function, Qualifier: r.qualifier, ID: r.id},
		Home: r.home, Epoch: r.epoch, Settings: r.settings, Affinity: r.affinity, Origin: r.origin,
		Name: r.label, Event: r.event,
		CreatedAt: r.created.time(), ModifiedAt: r.modified.time(), EndedAt: r.ended.time(),
		Deadline: r.deadline.time(), ReadAt: now.time(),
	}
	switch {
	case r.ended == 0:
	case r.lease > now:
		s.State, s.Deleted = sessions.Ending, r.deleted
	default:
		s.State = sessions.Ended
	}
	return s
}

// byCreation is the order of listings, one qualifier after the other. Two sessions of one ID may be created within
// a µs; born tells them apart.
func byCreation(a, b *record) bool {
	if c := cmp.Compare(a.qualifier, b.qualifier); c != 0 {
		return c < 0
	}
	return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id), cmp.Compare(a.born, b.born)) < 0
}

// byPlace is the order of an instance's listings, one place after the other.
func byPlace(a, b *record) bool {
	if c := cmp.Or(cmp.Compare(a.home.Version, b.home.Version), cmp.Compare(a.home.ID, b.home.ID)); c != 0 {
		return c < 0
	}
	return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id), cmp.Compare(a.born, b.born)) < 0
}

func byDeadline(a, b *record) bool {
	return cmp.Or(cmp.Compare(a.deadline, b.deadline), cmp.Compare(a.born, b.born)) < 0
}

func byForgetting(a, b *record) bool {
	return cmp.Or(cmp.Compare(a.forgetAt(), b.forgetAt()), cmp.Compare(a.born, b.born)) < 0
}
