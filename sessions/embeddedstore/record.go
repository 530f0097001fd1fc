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
	event    sessions.Event
	created  micros
	modified micros
	ended    micros // 0 while Active
	lastUsed micros
	deadline micros
	seq      seq // of the entry that made the record what it is, touches aside
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

// forgetAt is when an ended record's retention is over.
func (r *record) forgetAt() micros { return r.ended + span(r.settings.Retention()) }

// blocks says whether an ended record forbids that its ID is used again.
func (r *record) blocks(now micros) bool {
	return r.settings.DisableIDReuse && now < r.ended+span(sessions.ReuseBlock)
}

// view returns the session as it is now.
func (r *record) view(function string, now micros) sessions.Session {
	s := sessions.Session{
		Key:  sessions.Key{Function: function, Qualifier: r.qualifier, ID: r.id},
		Home: r.home, Epoch: r.epoch, Settings: r.settings, Affinity: r.affinity, Origin: r.origin, Event: r.event,
		CreatedAt: r.created.time(), ModifiedAt: r.modified.time(), EndedAt: r.ended.time(),
		Deadline: r.deadline.time(), ReadAt: now.time(),
	}
	if r.ended != 0 {
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

func byDeadline(a, b *record) bool {
	return cmp.Or(cmp.Compare(a.deadline, b.deadline), cmp.Compare(a.born, b.born)) < 0
}

func byForgetting(a, b *record) bool {
	return cmp.Or(cmp.Compare(a.forgetAt(), b.forgetAt()), cmp.Compare(a.born, b.born)) < 0
}
