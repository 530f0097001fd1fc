package sessions

import "time"

// generation is to be read before the store is asked, and given to fill with what it answered.
func (c *Cache) generation(k Key) generation {
	sh, stripe := c.place(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return generation{sh.gen, sh.heard[stripe]}
}

// answer is what the store said about a key.
type answer struct {
	s     Session
	owner bool       // this replica's call made the pin or moved it: it announces the event
	asked time.Time  // before the question was sent
	gen   generation // before the question was sent
}

// fill remembers an answer and returns its entry, or nil when something of the shard was dropped or updated meanwhile, or
// the news told of a change: ask again. The news of what this replica's own call changed come before its answer: so that
// not every new session is asked for twice, its answer is kept, in doubt, for the use that asked. Of two answers whose questions overlapped the higher epoch wins, whatever the order of arrival. A lower
// epoch in answer to a later question means that the store has lost what it knew, in a failover: then it is followed,
// for so will every other replica.
func (c *Cache) fill(a answer) *entry {
	sh, stripe := c.place(a.s.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	late := a.gen.heard != sh.heard[stripe]
	if a.gen.dropped != sh.gen || late && !a.owner {
		return nil
	}
	e := sh.keep(a)
	e.doubted = e.doubted || late
	return e
}

// keep remembers an answer and returns the entry of its key. Call with mu held.
func (sh *shard) keep(a answer) *entry {
	e := sh.find(a.s.Key)
	switch {
	case e == nil:
		return sh.enter(a)
	case a.s.Epoch < e.s.Epoch && !a.asked.After(e.arrived):
		return e
	case a.s.Epoch != e.s.Epoch && e.refs > 0:
		sh.retire(e) // its uses are of another home, or of an ended session: they postpone no deadline of this one
		return sh.enter(a)
	}
	e.set(a)
	return e
}

// enter remembers an answer about a key that has no entry. Call with mu held.
func (sh *shard) enter(a answer) *entry {
	e := &entry{}
	e.set(a)
	sh.remember(a.s.Key, e)
	return e
}

// revise brings the answer to an update into the entry that its session has, so that uses in flight go on, at the new
// pace. Where the order of this answer and of what is known already cannot be told, the next use asks the store.
func (c *Cache) revise(a answer) {
	sh := c.shard(a.s.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.gen++
	e := sh.peek(a.s.Key)
	if e == nil {
		return
	}
	sure := e.s.Epoch == a.s.Epoch && a.s.ReadAt.After(e.s.ReadAt)
	if e.s.Epoch == a.s.Epoch && !a.s.ReadAt.Before(e.s.ReadAt) {
		e.set(a)
		if next := time.Now().Add(e.every()); e.tracked && next.Before(e.flushAt) {
			e.flushAt = next
			c.hurry(e)
		}
	}
	e.doubted = !sure
}

// doubt makes the next use of k ask the store.
func (c *Cache) doubt(k Key) {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.gen++
	if e := sh.peek(k); e != nil {
		e.doubted = true
	}
}

// detached returns an entry that nobody else finds, for an answer that lost its race against drops: the caller may
// use it, for its use began before the drop, but nothing may remember it.
func detached(a answer) *entry {
	e := &entry{dropped: true}
	e.set(a)
	return e
}

// set makes e what a says.
func (e *entry) set(a answer) {
	s := a.s
	if e.s == nil || e.s.Epoch != s.Epoch {
		e.announcing, e.delivered, e.told, e.ended = false, false, false, nil
		e.drained = false
		e.announceFrom = a.asked
		if !a.owner && !s.unannounced() {
			e.announceFrom = a.asked.Add(takeoverAfter - s.ReadAt.Sub(s.ModifiedAt))
		}
	} else if a.owner {
		e.announceFrom = a.asked // another flight read, and brought, what this one's call made
	}
	e.s, e.doubted = &s, false
	e.checked, e.arrived = a.asked, time.Now()
	e.until = a.asked.Add(s.Deadline.Sub(s.ReadAt))
	e.ttlEnd = a.asked.Add(s.CreatedAt.Add(s.TTL).Sub(s.ReadAt))
	if e.refs > 0 || e.dirty {
		e.prolong(e.lastUsed)
	}
}

// unannounced says that perhaps no exchange made the session what it is: nobody is to be waited for who would announce it.
// It was made by the API, or moved when its home's drain was over.
func (s *Session) unannounced() bool {
	switch s.Event.Kind {
	case EventCreated:
		return s.Origin == OriginAPI
	case EventRehomed:
		return s.Event.Reason == ReasonDrained
	default:
		return false
	}
}
