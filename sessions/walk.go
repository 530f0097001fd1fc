package sessions

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// spareCalls is how many store calls a page of Walk may take beyond one for each listing that is left.
const spareCalls = 4

// WalkQuery selects sessions for a listing that may span qualifiers and states.
type WalkQuery struct {
	Function  string
	Qualifier string // "" means all
	// Version and Instance, if set, name an instance: the listing has the sessions whose home it is, or was when they
	// ended.
	Version, Instance string
	// States are Active or Ended or both, in the order in which each qualifier's are listed; Ended has the Ending too.
	States  []State
	ID      string // if set, only the records of this ID; Instance does not count then
	Deleted bool   // the Deleted ones too, which are Ending
	After   string // Cursor of the last page, or "" for the first
	Limit   int    // page size, at least 1
}

// Walk returns a page of a listing that is put together from the store's: qualifier by qualifier, and in each state by
// state. A page may have fewer sessions than the limit, or none, and not be the last, for the store is asked a bounded
// number of times: 4, and once for each listing that is left. The last page has no cursor, unless only as many reads
// again could have told that it is the last.
//
// However sessions come, end and expire between and during the pages, no session, told by key and epoch, is listed
// twice, and none that was Active from the first page to the last is missing. One that ends meanwhile may be.
//
// Errors: ErrCursor, and those of Records.
func Walk(ctx context.Context, r Records, q WalkQuery) (Page, error) {
	w := walk{records: r, query: q}
	if err := w.open(ctx); err != nil {
		return Page{}, err
	}
	limit := max(q.Limit, 1)
	var page Page
	for w.more() && len(page.Sessions) < limit {
		some, err := w.read(ctx, limit-len(page.Sessions))
		if err != nil {
			return Page{}, err
		}
		page.Sessions = append(page.Sessions, some...)
	}
	if len(w.left) > 0 {
		page.Cursor = w.cursor().String()
	}
	if len(page.Sessions) == limit && w.nothingLeft(ctx, limit) {
		page.Cursor = ""
	}
	return page, nil
}

// listing is one of those that a walk goes through.
type listing struct {
	qualifier string
	state     State
}

// walk is the making of one page.
type walk struct {
	records Records
	query   WalkQuery
	left    []listing // the first of them from inner on
	inner   string    // cursor of the first listing
	since   int64     // µs of the store's clock: no Active session was listed before; 0: none was
	calls   int       // that may still be made

	all   []Session // what History said of the ID
	allOf string    // and in which qualifier
}

// open finds out which listings there are, and goes to where the last page ended.
func (w *walk) open(ctx context.Context) error {
	at := walkCursor{}
	if w.query.After != "" {
		var err error
		if at, err = w.parseCursor(); err != nil {
			return err
		}
	}
	qualifiers, err := w.qualifiers(ctx)
	if err != nil {
		return err
	}
	for _, qualifier := range qualifiers {
		for _, state := range w.query.States {
			w.left = append(w.left, listing{qualifier, state})
		}
	}
	if w.query.After != "" {
		w.resume(at)
	}
	w.calls = spareCalls + len(w.left)
	return nil
}

// byInstance says whether the store lists by instance, across qualifiers.
func (w *walk) byInstance() bool { return w.query.Instance != "" && w.query.ID == "" }

func (w *walk) qualifiers(ctx context.Context) ([]string, error) {
	switch {
	case w.byInstance():
		return []string{""}, nil
	case w.query.Qualifier != "":
		return []string{w.query.Qualifier}, nil
	default:
		return w.records.Qualifiers(ctx, w.query.Function)
	}
}

// resume skips what earlier pages had. A qualifier that has vanished since has nothing left.
func (w *walk) resume(at walkCursor) {
	w.since = at.since
	for len(w.left) > 0 && w.left[0].qualifier < at.qualifier {
		w.left = w.left[1:]
	}
	if len(w.left) == 0 || w.left[0].qualifier != at.qualifier {
		return
	}
	w.left = w.left[slices.Index(w.query.States, at.state):]
	w.inner = at.inner
}

func (w *walk) more() bool { return len(w.left) > 0 && w.calls > 0 }

// cursor is where the walk is.
func (w *walk) cursor() walkCursor {
	return walkCursor{since: w.since, qualifier: w.left[0].qualifier, state: w.left[0].state, inner: w.inner}
}

// nothingLeft looks, in ever longer strides, whether the walk that filled its page has another session. When it cannot
// tell, also because the store fails, there may be one.
func (w *walk) nothingLeft(ctx context.Context, limit int) bool {
	for stride := 1; w.more(); stride = min(2*stride, limit) {
		if some, err := w.read(ctx, stride); err != nil || len(some) > 0 {
			return false
		}
	}
	return len(w.left) == 0
}

// read returns the next sessions, at most n of them.
func (w *walk) read(ctx context.Context, n int) ([]Session, error) {
	w.calls--
	l := w.left[0]
	page, err := w.list(ctx, l, n)
	if err != nil {
		return nil, err
	}
	if w.inner = page.Cursor; page.Cursor == "" || w.past(l, page.Sessions) {
		w.left, w.inner = w.left[1:], ""
	}
	if w.since == 0 && l.state == Active && len(page.Sessions) > 0 {
		w.since = slices.MinFunc(page.Sessions, func(a, b Session) int { return a.ReadAt.Compare(b.ReadAt) }).ReadAt.UnixMicro()
	}
	return slices.DeleteFunc(page.Sessions, func(s Session) bool { return !w.wanted(l, s) }), nil
}

func (w *walk) list(ctx context.Context, l listing, n int) (Page, error) {
	if w.query.ID != "" {
		return w.history(ctx, l, n)
	}
	q := Query{Function: w.query.Function, Qualifier: l.qualifier, State: l.state, After: w.inner, Limit: n}
	if w.byInstance() {
		q.Version, q.Instance = w.query.Version, w.query.Instance
	}
	return w.records.List(ctx, q)
}

// wanted says whether a session that the store listed belongs into the walk. Two interleavings would list one twice:
//
//  1. the walk lists S as Active; 2. S ends; 3. the walk comes to the Ended. So what ended after the first Active
//     session was read is left out of the Ended that follow. That is also what was changed later, whatever its EndedAt,
//     for only Active sessions are changed.
//  1. S expires; 2. the walk begins and lists S as Active, for nobody has swept; 3. a sweep files S under Ended, with
//     its deadline, before 2, as EndedAt. So an Active session whose deadline has passed is left out.
func (w *walk) wanted(l listing, s Session) bool {
	switch {
	case s.Deleted && !w.query.Deleted:
		return false
	case w.query.Qualifier != "" && s.Qualifier != w.query.Qualifier: // of an instance
		return false
	case l.state == Active:
		return s.Deadline.After(s.ReadAt)
	}
	last := slices.MaxFunc([]time.Time{s.EndedAt, s.ModifiedAt}, time.Time.Compare)
	return w.since == 0 || last.UnixMicro() < w.since
}

// past says that a listing of Ended, which is by creation time, has come to those that were made, and so ended, after the
// walk began: none of the rest is wanted, and with many that come and go there would be no end of them.
func (w *walk) past(l listing, page []Session) bool {
	return l.state != Active && w.since != 0 && len(page) > 0 && page[len(page)-1].CreatedAt.UnixMicro() >= w.since
}

// history makes a listing out of all records of an ID, by epoch, which is its cursor.
func (w *walk) history(ctx context.Context, l listing, n int) (page Page, err error) {
	var after uint64
	if w.inner != "" {
		if after, err = strconv.ParseUint(w.inner, 10, 64); err != nil {
			return Page{}, fmt.Errorf("%w: epoch %q", ErrCursor, w.inner)
		}
	}
	if w.all == nil || w.allOf != l.qualifier {
		k := Key{Function: w.query.Function, Qualifier: l.qualifier, ID: w.query.ID}
		if w.all, err = w.records.History(ctx, k); err != nil {
			return Page{}, err
		}
		w.allOf = l.qualifier
	}
	for _, s := range w.all {
		switch {
		case (s.State == Active) != (l.state == Active) || s.Epoch <= after:
		case len(page.Sessions) < n:
			page.Sessions = append(page.Sessions, s)
		default:
			page.Cursor = strconv.FormatUint(page.Sessions[n-1].Epoch, 10)
			return page, nil
		}
	}
	return page, nil
}
