package sessions

import (
	"context"
	"time"
)

// NewsMaxAge is how old the news of a function may be at most for its entries to route without the store. It bounds for
// how long a replica that is cut off goes by what it last heard.
const NewsMaxAge = 500 * time.Millisecond

// News is what a store tells of the sessions that changed, whichever replica changed them. A store has it if replicas
// share it and it can tell them.
type News interface {
	// Follow calls changed for every session that was made, moved, updated or ended, or whose event was delivered,
	// until ctx is done. It connects again by itself. Calls may be concurrent; a change that was acknowledged to whoever
	// made it arrives a moment later. It says too much rather than too little. Call it once.
	Follow(ctx context.Context, changed func(Key))
	// Fresh says which of the function's changes have been told. It is asked on every hit: it takes no lock and
	// allocates nothing. It is safe for concurrent use.
	Fresh(function string) Freshness
}

// Freshness says which changes changed was called for: all that a store acknowledged between Since and At. The times are
// of this machine's clock. The zero Freshness means that there are no news to be had.
type Freshness struct {
	Since time.Time // what was read from the store before may have changed unheard
	At    time.Time // before Since if nothing was heard yet
	Lost  bool      // nothing is heard at present; when it is again, Since will be another
}

// Follow brings the store's news into the cache, until ctx is done. Without news it returns at once.
func (c *Cache) Follow(ctx context.Context) {
	if c.cfg.News != nil {
		c.cfg.News.Follow(ctx, c.suspect)
	}
}

// suspect makes the next use of k ask the store, and voids the answers about it that are on their way. Uses and touches
// go on: what changed is not known, and the store refuses the touches of a session that has ended.
func (c *Cache) suspect(k Key) {
	sh, stripe := c.place(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.heard[stripe]++
	sh.told++
	if e := sh.peek(k); e != nil {
		e.doubted = true
	}
}

// fresh says what has been heard of the function.
func (c *Cache) fresh(function string) Freshness {
	if c.cfg.News == nil {
		return Freshness{}
	}
	return c.cfg.News.Fresh(function)
}

// sure says whether e may route without the store. Without news every entry is checked again when its life is over.
func (c *Cache) sure(e *entry, now time.Time, f *Freshness) bool {
	switch {
	case e.doubted:
		return false
	case f.Since.IsZero():
		return c.cfg.Life == 0 || now.Sub(e.checked) < c.cfg.Life
	case f.Lost || e.checked.Before(f.Since) || now.Sub(f.At) >= NewsMaxAge:
		return false
	}
	e.heard = f.At
	return true
}

// known is until when e was right, for all this replica knows: the outage of a store, and the isolation of this replica,
// begin then.
func (e *entry) known(f *Freshness) time.Time {
	last := e.checked
	if e.heard.After(last) {
		last = e.heard
	}
	if !e.doubted && !f.Since.IsZero() && !e.checked.Before(f.Since) && f.At.After(last) {
		last = f.At
	}
	return last
}
