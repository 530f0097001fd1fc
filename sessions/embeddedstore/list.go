package embeddedstore

import (
	"context"
	"encoding/base64"

	"github.com/limpet-proxy/limpet/sessions"
)

// Get implements sessions.Records.
func (s *Store) Get(ctx context.Context, k sessions.Key) (sessions.Session, error) {
	f, err := s.enter(ctx, k.Function)
	if err != nil {
		return sessions.Session{}, err
	}
	got, _, err := s.answer(f.get(name{k.Qualifier, k.ID}))
	return got, err
}

func (f *function) get(n name) result {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	r := f.active[n]
	if r == nil || r.expired(now) || n.reserved() {
		return result{need: f.lastEnd, err: sessions.ErrNotFound}
	}
	return result{s: r.view(f.name, now), need: r.seq}
}

// List implements sessions.Records.
func (s *Store) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	f, err := s.enter(ctx, q.Function)
	if err != nil {
		return sessions.Page{}, err
	}
	page, need := f.list(q)
	if err := s.log.wait(need); err != nil {
		return sessions.Page{}, err
	}
	return page, nil
}

func (f *function) list(q sessions.Query) (page sessions.Page, need seq) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	f.expire(now, expireStep)
	f.leave(now, expireStep)
	l, ok := f.listingOf(q)
	if !ok {
		return page, 0
	}
	limit := max(q.Limit, 1)
	page.Sessions = make([]sessions.Session, 0, min(limit, l.index.Len(), pageStep))
	var last *record
	l.index.Ascend(l.after, func(r *record) bool {
		if !l.has(r) {
			return false
		}
		if l.found && !l.less(l.after, r) || r.ended != 0 && r.forgotten(now) {
			return true // the cursor's own record, or one that is as good as gone
		}
		if len(page.Sessions) == limit {
			page.Cursor = cursorAt(l.kind, last)
			return false
		}
		page.Sessions = append(page.Sessions, r.view(f.name, now))
		need, last = max(need, r.seq), r
		return true
	})
	return page, max(need, f.lastEnd)
}

// listing is a stretch of an index, from after on.
type listing struct {
	kind  byte
	index *tree
	less  func(a, b *record) bool
	has   func(*record) bool
	after *record
	found bool // after is a record of the page before
}

// listingOf returns what a query selects, if it selects anything.
func (f *function) listingOf(q sessions.Query) (l listing, ok bool) {
	if q.Instance != "" {
		at := place{q.Version, q.Instance}
		l = listing{kind: cursorOfPlace, index: f.residents[q.State], less: byPlace}
		l.has = func(r *record) bool { return placeOf(r.home) == at }
	} else {
		l = listing{kind: cursorOfQualifier, index: f.listing[q.State], less: byCreation}
		l.has = func(r *record) bool { return r.qualifier == q.Qualifier }
	}
	l.after, l.found = parseCursor(l.kind, q.After)
	l.after.qualifier = q.Qualifier
	l.after.home = sessions.Home{Version: q.Version, ID: q.Instance}
	return l, l.index != nil
}

// pageStep is how many sessions a page makes room for before it knows how many there are.
const pageStep = 1024

// The first byte of a cursor tells its format, and which kind of listing it is of.
const (
	cursorOfQualifier = iota + 1
	cursorOfPlace
)

// cursorAt names a place in a listing, whether or not its record stays.
func cursorAt(kind byte, r *record) string {
	e := encoder{kind}
	e.int(int64(r.created))
	e.uint(r.born)
	e.string(r.id)
	return base64.RawURLEncoding.EncodeToString(e)
}

// parseCursor returns the start of the listing for anything that cursorAt did not make for this kind.
func parseCursor(kind byte, s string) (at *record, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 || b[0] != kind {
		return &record{}, false
	}
	d := decoder{b: b[1:]}
	at = &record{created: micros(d.int()), born: d.uint()}
	at.id = d.string()
	if d.bad || len(d.b) > 0 || at.created <= 0 {
		return &record{}, false
	}
	return at, true
}
