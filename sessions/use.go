package sessions

import "time"

// Use is one exchange's hold on a session: from the look-up until Release the session counts as in use. It belongs
// to one goroutine. The zero Use holds nothing, and releasing it does nothing.
type Use struct {
	table    *Table
	cache    *Cache
	entry    *entry
	s        *Session
	announce bool
}

// Session returns the session in use. It must not be modified.
func (u *Use) Session() *Session { return u.s }

// Event returns what this exchange is to announce to client and instance: NoEvent unless the session was created
// or re-homed and no other exchange is announcing it.
func (u *Use) Event() Event {
	if !u.announce {
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
	if u.entry.s.Epoch == u.s.Epoch {
		u.entry.delivered = true
		u.cache.track(sh, u.entry, time.Now())
	}
}

// Release ends the use. An event that was not delivered is another exchange's to announce.
func (u *Use) Release() { u.end(true) }

// abandon ends the use of a session that no request reached: a client that knocks again and again at a home that does
// not come back must not keep its session alive by it.
func (u *Use) abandon() { u.end(false) }

func (u *Use) end(used bool) {
	if u.entry == nil {
		return
	}
	sh := u.cache.shard(u.s.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	u.entry.refs--
	if u.entry.s.Epoch == u.s.Epoch {
		if u.announce {
			u.entry.announcing = false
		}
		if used {
			u.cache.used(sh, u.entry, time.Now())
		}
	}
	*u = Use{}
}
