package sessions

import (
	"context"
	"errors"
)

// Why a use ends before its request: the causes of Use.Ended.
var (
	// ErrEnded means that the session is no more, in a function with isolation.
	ErrEnded = errors.New("session has ended")
	// ErrDrained means that the session's home has drained, and that the session was moved or ended for it.
	ErrDrained = errors.New("session's home has drained")
)

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

// conclude notes that the session of this key and epoch is no more, or no more here: nothing finds it, no answer on its
// way brings it back, and its uses are told why: ErrEnded or ErrDrained.
func (c *Cache) conclude(k Key, epoch uint64, why error) {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.conclude(k, epoch, why)
}

// conclude is Cache.conclude, with mu held.
func (sh *shard) conclude(k Key, epoch uint64, why error) {
	sh.gen++
	if e := sh.peek(k); e != nil && e.s.Epoch == epoch {
		sh.retire(e)
		e.finish(why)
	}
	for e := range sh.lingering {
		if e.s.Epoch == epoch && e.s.Key == k {
			e.finish(why)
		}
	}
}

// finish tells the uses that their session is no more. That the home has drained is also told to those of a session that
// had ended before: they hold the instance. Call with mu held.
func (e *entry) finish(why error) {
	e.over = true
	e.drained = e.drained || errors.Is(why, ErrDrained)
	if e.ended != nil && (e.ended.all || e.drained) {
		e.ended.cancel(why) // the first cause stays
	}
}

// ending returns what tells the uses of e, of all ends or only of the drain's. Call with mu held.
func (e *entry) ending(all bool) context.Context {
	if e.ended == nil {
		ctx, cancel := context.WithCancelCause(context.Background())
		e.ended = &ending{ctx: ctx, cancel: cancel}
	}
	e.ended.all = e.ended.all || all
	switch {
	case e.drained:
		e.ended.cancel(ErrDrained)
	case e.over && all:
		e.ended.cancel(ErrEnded)
	}
	return e.ended.ctx
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
