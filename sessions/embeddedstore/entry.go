package embeddedstore

import (
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// entry is one change in the log, or one fact in a snapshot. Entries say what is, not what was done: to apply a
// stretch of the log to a state that has some of it already gives the state at the stretch's end. A snapshot that
// is written while the log goes on relies on it.
type entry interface {
	kind() byte
	encode(e *encoder)
}

const (
	kindPut byte = iota + 1
	kindKept
	kindRemoved
	kindTouched
	kindKnown
	kindUsed
	kindHigh
	kindSecret
	kindOnce
	kindEnd
	kindDrained // after kindEnd: the numbers of the others stand in files
)

type (
	put     struct{ *record } // the key's Active session
	kept    struct{ *record } // an Ended session
	removed struct {          // the key's session is gone without a trace
		name  name
		epoch uint64
	}
	touched struct{ *record }       // the session's last use and event
	known   struct{ *instance }     // an instance's facts
	used    struct{ sessions.Home } // an incarnation that has had its session
	drained struct {                // an incarnation that drains, or with a zero drain does so no more
		home  sessions.Home
		drain drain
	}
	high   uint64   // function.high
	secret struct { // of the store, not of a function
		value []byte
		seq   seq
	}
	once struct { // of the store; its owner is the name
		until micros // when the name is forgotten
		seq   seq
	}
	end uint64 // of a snapshot: how many entries came before
)

// entry writes the kind, whose it is, and the entry.
func (e *encoder) entry(owner string, v entry) {
	*e = append(*e, v.kind())
	e.string(owner)
	v.encode(e)
}

func (put) kind() byte     { return kindPut }
func (kept) kind() byte    { return kindKept }
func (removed) kind() byte { return kindRemoved }
func (touched) kind() byte { return kindTouched }
func (known) kind() byte   { return kindKnown }
func (used) kind() byte    { return kindUsed }
func (drained) kind() byte { return kindDrained }
func (high) kind() byte    { return kindHigh }
func (secret) kind() byte  { return kindSecret }
func (once) kind() byte    { return kindOnce }
func (end) kind() byte     { return kindEnd }

func (v put) encode(e *encoder)  { e.record(v.record) }
func (v kept) encode(e *encoder) { e.record(v.record) }
func (v used) encode(e *encoder) { e.home(v.Home) }
func (v high) encode(e *encoder) { e.uint(uint64(v)) }
func (v end) encode(e *encoder)  { e.uint(uint64(v)) }

func (v once) encode(e *encoder)   { e.micros(v.until) }
func (v secret) encode(e *encoder) { e.string(string(v.value)) }

func (v drained) encode(e *encoder) {
	e.home(v.home)
	e.micros(v.drain.since)
	e.micros(v.drain.until)
}

func (v removed) encode(e *encoder) {
	e.name(v.name)
	e.uint(v.epoch)
}

func (v touched) encode(e *encoder) {
	e.name(v.name)
	e.uint(v.epoch)
	e.micros(v.lastUsed)
	e.bool(v.event.Kind == sessions.NoEvent)
}

func (v known) encode(e *encoder) {
	e.home(v.home)
	for _, s := range []string{v.url, v.start, v.before} {
		e.string(s)
	}
	for _, m := range []micros{v.created, v.healthy, v.lost, v.gone} {
		e.micros(m)
	}
}

func (e *encoder) name(n name) {
	e.string(n.qualifier)
	e.string(n.id)
}

func (d *decoder) name() name { return name{qualifier: d.shared(), id: d.string()} }

func (e *encoder) home(h sessions.Home) {
	e.string(h.Version)
	e.string(h.ID)
	e.uint(h.Incarnation)
}

func (d *decoder) home() sessions.Home {
	return sessions.Home{Version: d.shared(), ID: d.shared(), Incarnation: d.uint()}
}

func (e *encoder) record(r *record) {
	e.name(r.name)
	e.home(r.home)
	e.uint(r.epoch)
	e.uint(r.born)
	e.int(int64(r.settings.TTL))
	e.int(int64(r.settings.IdleTimeout))
	e.bool(r.settings.DisableIDReuse)
	e.string(string(r.affinity))
	*e = append(*e, byte(r.origin), byte(r.event.Kind))
	for _, s := range []string{r.event.Reason, r.event.From, r.label, r.call} {
		e.string(s)
	}
	for _, m := range []micros{r.created, r.modified, r.ended, r.lastUsed} {
		e.micros(m)
	}
}

func (d *decoder) record() *record {
	r := &record{name: d.name(), home: d.home(), epoch: d.uint(), born: d.uint()}
	r.settings.TTL = time.Duration(d.int())
	r.settings.IdleTimeout = time.Duration(d.int())
	r.settings.DisableIDReuse = d.bool()
	r.affinity = sessions.Affinity(d.shared())
	r.origin, r.event.Kind = sessions.Origin(d.byte()), sessions.EventKind(d.byte())
	r.event.Reason, r.event.From = d.shared(), d.shared()
	r.label, r.call = d.string(), d.string()
	for _, m := range []*micros{&r.created, &r.modified, &r.ended, &r.lastUsed} {
		*m = d.micros()
	}
	r.reckon()
	return r
}

func (d *decoder) instance() *instance {
	in := &instance{}
	in.home = d.home()
	for _, s := range []*string{&in.url, &in.start, &in.before} {
		*s = d.string()
	}
	for _, m := range []*micros{&in.created, &in.healthy, &in.lost, &in.gone} {
		*m = d.micros()
	}
	return in
}
