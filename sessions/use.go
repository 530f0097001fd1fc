package sessions

import (
	"context"
	"time"
)

// Use is one exchange's hold on a session: from the look-up until Release the session counts as in use. It belongs
// to one goroutine. The zero Use holds nothing, and releasing it does nothing.
type Use struct {
	table    *Table
	mode     Mode // of the look-up
	cache    *Cache
	entry    *entry
	s        *Session
	announce bool
	reserved *reservation // nil once there is a session, or none
	created  bool         // by this use's Bind
}

// Session returns the session in use. It must not be modified. That of a Reserved use has no ID.
func (u *Use) Session() *Session { return u.s }

// Event returns what this exchange is to announce to client and instance: NoEvent unless the session was created
// or re-homed and no other exchange is announcing it. A use that is Reserved, or whose Bind made the session, announces
// that it was created.
func (u *Use) Event() Event {
	switch {
	case u.created || u.reserved != nil:
		return Event{Kind: EventCreated}
	case !u.announce:
		return Event{}
	}
	return u.s.Event
}

// Delivered says that the exchange got a response from the instance: the event needs no further announcement.
func (u *Use) Delivered() {
	if !u.announce {
		return
	}
	sh := u.cache.shard(u.s.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u.entry.delivered = true
	u.cache.track(sh, u.entry, time.Now())
	if u.s.unannounced() {
		u.cache.tellSoon(u.entry, time.Now())
	}
}

// Ended returns a context that is done when the use must end, its request cut. Its cause says why. ErrDrained: the home
// has drained, and the session was moved or ended. In a function with isolation, or CutEnded, also ErrEnded: the session is no more,
// ended through this replica, or elsewhere, or expired, which a touch learns within a second or two; or it was moved away
// from a lost home. In other functions the requests of an ended session finish. After Rehome and after Bind u is another
// session's use: ask again, and forget the context from before, which that very move may end. A Reserved use never has to
// end. The zero Use has none: nil.
func (u *Use) Ended() context.Context {
	switch {
	case u.reserved != nil:
		return context.Background()
	case u.entry == nil:
		return nil
	}
	sh := u.cache.shard(u.s.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return u.entry.ending(u.table.rules.Isolation || u.table.rules.CutEnded)
}

// HomeDrained says whether the home has drained, as far as this replica was told: a session that ends now may have been
// moved by another replica that was told the same.
func (u *Use) HomeDrained() bool {
	if u.s == nil {
		return false
	}
	state, _ := u.table.pool.State(u.s.Home)
	return state == HomeDrained
}

// Release ends the use. An event that was not delivered is another exchange's to announce. A reservation ends, and its slot
// is free: see Table.Reserve.
func (u *Use) Release() { u.end(true) }

// Abandon ends the use of a session that no request reached, and does not count as a use: a client that knocks again
// and again at a home that does not come back must not keep its session alive by it.
func (u *Use) Abandon() { u.end(false) }

func (u *Use) end(used bool) {
	if u.reserved != nil {
		u.release()
		return
	}
	if u.entry == nil {
		return
	}
	sh := u.cache.shard(u.s.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if u.announce {
		u.entry.announcing = false
	}
	u.cache.release(sh, u.entry, time.Now(), used)
	*u = Use{}
}
