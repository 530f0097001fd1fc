package sessions

import "time"

// hit takes hold of the entry of k if it may route without the store.
func (c *Cache) hit(k Key, now time.Time, u *Use) bool {
	news := c.fresh(k.Function)
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.find(k)
	if e == nil || !now.Before(e.until) || !c.sure(e, now, &news) {
		return false
	}
	c.hold(sh, e, now, u)
	return true
}

// stale takes hold of the entry of k if it may route while the store does not answer.
func (c *Cache) stale(k Key, now time.Time, u *Use) bool {
	news := c.fresh(k.Function)
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.find(k)
	if e == nil || !now.Before(e.until) || c.cfg.StaleMax >= 0 && now.Sub(e.known(&news)) >= c.cfg.StaleMax {
		return false
	}
	c.hold(sh, e, now, u)
	return true
}

// take takes hold of e, which a flight returned, or of the entry that has come in its place: pushed out of the LRU
// before anybody held it, it was not found, and another flight made a second one. Only one of a session's entries may
// be in use, for only one is touched.
func (c *Cache) take(e *entry, k Key, u *Use) { c.takeIf(e, k, u, true) }

// takeSure is take for who did not start the flight, and may have come after the change that an entry is in doubt about:
// such an entry it leaves.
func (c *Cache) takeSure(e *entry, k Key, u *Use) bool { return c.takeIf(e, k, u, false) }

func (c *Cache) takeIf(e *entry, k Key, u *Use, doubted bool) bool {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if other := sh.find(k); other != nil && !e.dropped && other.s.Epoch >= e.s.Epoch {
		e = other
	}
	if e.doubted && !doubted {
		return false
	}
	c.hold(sh, e, time.Now(), u)
	return true
}

// hold makes u a use of e. Call with mu held.
func (c *Cache) hold(sh *shard, e *entry, now time.Time, u *Use) {
	e.refs++
	c.track(sh, e, now) // while it is held it is touched; when it is released it was used
	u.cache, u.entry, u.s, u.announce = c, e, e.s, false
	if e.s.Event.Kind != NoEvent && !e.delivered && !e.announcing && !now.Before(e.announceFrom) {
		e.announcing, u.announce = true, true
	}
}

// release lets go of e. Call with mu held.
func (c *Cache) release(sh *shard, e *entry, now time.Time, used bool) {
	e.refs--
	switch {
	case e.dropped && e.refs == 0:
		delete(sh.lingering, e)
		e.tracked = false
	case used && !e.dropped:
		e.lastUsed, e.dirty = now, true
		e.prolong(now)
		c.track(sh, e, now)
	}
}

// track makes sure that the flusher sees e. Call with mu held.
func (c *Cache) track(sh *shard, e *entry, now time.Time) {
	if e.tracked || e.dropped && e.refs == 0 {
		return
	}
	e.tracked = true
	if e.dropped {
		sh.lingering[e] = struct{}{}
	} else {
		sh.tracked[e.s.Key] = e
	}
	e.flushAt = now.Add(e.every())
	c.hurry(e)
}

// hurry wakes the flusher if it could sleep past e's next touch.
func (c *Cache) hurry(e *entry) {
	if e.every() < MaxTouchInterval {
		c.wakeFlusher()
	}
}

func (c *Cache) wakeFlusher() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// tellSoon has e touched at once: any replica may announce that a call of the API made the session, and after the first
// one none should. Call with mu held.
func (c *Cache) tellSoon(e *entry, now time.Time) {
	e.flushAt = now
	c.wakeFlusher()
}

// every is how often e is touched while it is in use. A session that has ended has no deadline to keep, only the
// lease of its requests.
func (e *entry) every() time.Duration {
	if e.over {
		return MaxTouchInterval
	}
	return e.s.TouchInterval()
}

// prolong moves the local idle deadline, as the touch will move the store's.
func (e *entry) prolong(now time.Time) {
	if e.s.IdleTimeout <= 0 {
		return
	}
	if idle := now.Add(e.s.IdleTimeout); idle.After(e.until) {
		e.until = idle
	}
	if e.ttlEnd.Before(e.until) {
		e.until = e.ttlEnd
	}
}
