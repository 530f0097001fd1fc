package embeddedstore

import (
	"slices"
	"sync"

	"github.com/tidwall/btree"

	"github.com/limpet-proxy/limpet/sessions"
)

// load is what one incarnation of an instance carries.
type load struct {
	sessions int
	used     bool // isolation: it has had its session
	drain    drain
}

// function is the state of one function: its sessions with their indices, and its instances.
type function struct {
	name  string
	clock clock
	log   *wal

	mu        sync.Mutex // guards all below, and the order of this function's entries in the log
	active    map[name]*record
	reserved  map[name]*record   // the Active ones that no listing has
	ended     map[name][]*record // oldest first
	listing   map[sessions.State]*tree
	residents map[sessions.State]*tree // by place
	deadlines *tree                    // of the Active
	leaving   *tree                    // the Ended, by when they are forgotten
	loads     map[sessions.Home]*load
	places    map[place]*instance
	high      uint64 // no epoch and no incarnation is above it, nor was before a restart
	lastEnd   seq    // of the last End: who is told that a session is not there may rely on it
	scratch   encoder
}

// tree is an index of records.
type tree = btree.BTreeG[*record]

func newTree(less func(a, b *record) bool) *tree {
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
}

// newIndex returns an index of the Active and one of the Ended.
func newIndex(less func(a, b *record) bool) map[sessions.State]*tree {
	return map[sessions.State]*tree{sessions.Active: newTree(less), sessions.Ended: newTree(less)}
}

func newFunction(called string, c clock, log *wal) *function {
	return &function{
		name: called, clock: c, log: log,
		active: map[name]*record{}, reserved: map[name]*record{}, ended: map[name][]*record{},
		listing: newIndex(byCreation), residents: newIndex(byPlace),
		deadlines: newTree(byDeadline), leaving: newTree(byForgetting),
		loads: map[sessions.Home]*load{}, places: map[place]*instance{},
	}
}

// next returns a number for an epoch or an incarnation: the clock in µs, but above all before, even if the wall
// clock was set back over a restart.
func (f *function) next(now micros) uint64 {
	f.high = max(uint64(now), f.high+1)
	return f.high
}

// write appends an entry to the log. The caller waits for it when it has left the mutex, so that many wait for one
// sync.
func (f *function) write(e entry) seq {
	if f.log == nil {
		return 0
	}
	f.scratch = f.scratch[:0]
	f.scratch.entry(f.name, e)
	return f.log.append(f.scratch)
}

// link adds an Active record to all indices.
func (f *function) link(r *record) {
	r.reckon()
	f.active[r.name] = r
	if r.reserved() {
		f.reserved[r.name] = r
	} else {
		f.listing[sessions.Active].Set(r)
		f.residents[sessions.Active].Set(r)
	}
	f.deadlines.Set(r)
	f.take(r.home)
}

// unlink removes an Active record from all indices, and gives its slot back.
func (f *function) unlink(r *record) {
	delete(f.active, r.name)
	delete(f.reserved, r.name)
	f.listing[sessions.Active].Delete(r)
	f.residents[sessions.Active].Delete(r)
	f.deadlines.Delete(r)
	f.give(r.home)
}

// linkEnded adds an Ended record to all indices.
func (f *function) linkEnded(r *record) {
	f.ended[r.name] = append(f.ended[r.name], r)
	f.listing[sessions.Ended].Set(r)
	f.residents[sessions.Ended].Set(r)
	f.leaving.Set(r)
}

// forget removes an Ended record.
func (f *function) forget(r *record) {
	rest := slices.DeleteFunc(f.ended[r.name], func(o *record) bool { return o.born == r.born })
	if f.ended[r.name] = rest; len(rest) == 0 {
		delete(f.ended, r.name)
	}
	f.listing[sessions.Ended].Delete(r)
	f.residents[sessions.Ended].Delete(r)
	f.leaving.Delete(r)
}

func (f *function) take(h sessions.Home) { f.load(h).sessions++ }

func (f *function) give(h sessions.Home) {
	f.loads[h].sessions--
	f.tidy(h)
}

// tidy drops the load of an incarnation that is nothing or will never be pinned to again.
func (f *function) tidy(h sessions.Home) {
	l := f.loads[h]
	if l == nil || l.sessions > 0 {
		return
	}
	in := f.places[placeOf(h)]
	if marked := l.used || l.drain.on(); !marked || in != nil && in.home.Incarnation > h.Incarnation {
		delete(f.loads, h)
	}
}

// load returns what the incarnation carries, for a change.
func (f *function) load(h sessions.Home) *load {
	l := f.loads[h]
	if l == nil {
		l = &load{}
		f.loads[h] = l
	}
	return l
}

// markUsed notes that the incarnation has had its session.
func (f *function) markUsed(h sessions.Home) { f.load(h).used = true }

// expire ends up to limit sessions whose deadline has passed. It is the caller's bound on how long the mutex is
// held; every operation looks at the deadlines of the records that it touches in any case.
func (f *function) expire(now micros, limit int) (n int) {
	for ; n < limit; n++ {
		r, ok := f.deadlines.Min()
		if !ok || !r.expired(now) {
			return n
		}
		f.finish(r, r.deadline)
	}
	return n
}

// finish ends an Active session, and keeps its record; but not of a reservation.
func (f *function) finish(r *record, at micros) {
	if r.reserved() {
		f.remove(r, at)
		return
	}
	f.unlink(r)
	r.ended = at
	r.seq = f.write(kept{r})
	f.linkEnded(r)
}

// remove ends an Active session without a trace, but for one in memory while requests of it run.
func (f *function) remove(r *record, now micros) {
	f.unlink(r)
	r.ended = now
	r.seq = f.write(removed{r.name, r.epoch})
	if r.lease > now && !r.reserved() {
		r.deleted = true
		f.linkEnded(r)
	}
}

// live returns the Active record, or nil; one whose deadline has passed ends here.
func (f *function) live(n name, now micros) *record {
	r := f.active[n]
	if r == nil || !r.expired(now) {
		return r
	}
	f.finish(r, r.deadline)
	return nil
}
