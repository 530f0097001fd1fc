package sessions

// drop forgets the session of k, and with it every answer that is on its way. Its uses go on.
func (c *Cache) drop(k Key) {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.gen++
	if e := sh.peek(k); e != nil {
		sh.retire(e)
	}
}

// retire makes e an entry that nobody finds. If it is in use it lingers: it is touched until its last use is released,
// for that long the session, should it have ended, is Ending. Call with mu held.
func (sh *shard) retire(e *entry) {
	k := e.s.Key
	if other, ok := sh.lru.Peek(k); ok && other == e {
		sh.lru.Remove(k)
	}
	if sh.tracked[k] == e {
		delete(sh.tracked, k)
	}
	e.dropped, e.tracked = true, e.refs > 0
	if e.tracked {
		sh.lingering[e] = struct{}{}
	}
}

// conclude notes that the session of this key and epoch is no more: nothing finds it, no answer on its way brings it
// back, and its uses are told.
func (c *Cache) conclude(k Key, epoch uint64) {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.conclude(k, epoch)
}

// conclude is Cache.conclude, with mu held.
func (sh *shard) conclude(k Key, epoch uint64) {
	sh.gen++
	if e := sh.peek(k); e != nil && e.s.Epoch == epoch {
		sh.retire(e)
		e.finish()
	}
	for e := range sh.lingering {
		if e.s.Epoch == epoch && e.s.Key == k {
			e.finish()
		}
	}
}

// finish tells the uses that their session is no more. Call with mu held.
func (e *entry) finish() {
	if e.over {
		return
	}
	e.over = true
	if e.ended != nil {
		close(e.ended)
	}
}

// inUse says whether this replica has uses of the session of this key and epoch.
func (c *Cache) inUse(k Key, epoch uint64) bool {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.peek(k); e != nil && e.s.Epoch == epoch && e.refs > 0 {
		return true
	}
	for e := range sh.lingering {
		if e.s.Epoch == epoch && e.s.Key == k {
			return true
		}
	}
	return false
}
