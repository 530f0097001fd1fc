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
	if r == nil || r.expired(now) {
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
	tree := f.listing[q.State]
	if tree == nil {
		return page, 0
	}
	limit := max(q.Limit, 1)
	page.Sessions = make([]sessions.Session, 0, min(limit, tree.Len(), pageStep))
	after, found := parseCursor(q.After)
	after.qualifier = q.Qualifier
	var last *record
	tree.Ascend(after, func(r *record) bool {
		if r.qualifier != q.Qualifier {
			return false
		}
		if found && !byCreation(after, r) {
			return true // the cursor's own record
		}
		if len(page.Sessions) == limit {
			page.Cursor = cursorAt(last)
			return false
		}
		page.Sessions = append(page.Sessions, r.view(f.name, now))
		need, last = max(need, r.seq), r
		return true
	})
	return page, max(need, f.lastEnd)
}

// pageStep is how many sessions a page makes room for before it knows how many there are.
const pageStep = 1024

// cursorFormat is the first byte of a cursor.
const cursorFormat = 1

// cursorAt names a place in a listing, whether or not its record stays.
func cursorAt(r *record) string {
	e := encoder{cursorFormat}
	e.int(int64(r.created))
	e.uint(r.born)
	e.string(r.id)
	return base64.RawURLEncoding.EncodeToString(e)
}

// parseCursor returns the start of the listing for anything that cursorAt did not make.
func parseCursor(s string) (at *record, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 || b[0] != cursorFormat {
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
