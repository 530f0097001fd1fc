package sessions

import (
	"cmp"
	"context"
	"time"
)

const (
	// touchBatch is how many touches go to the store in one call.
	touchBatch = 500
	// touchTimeout bounds one call, so that a store that hangs delays no other batch for longer.
	touchTimeout = 2 * time.Second
)

// Run writes touches until ctx is done: once a second, or sooner for sessions with a short idle timeout. A session
// with a Use that is not released is touched each time, so that long work is never reaped. What the store does not
// take is kept and tried again. written is told of each batch: how many touches, and why they were not taken. Call
// Flush afterwards, when the last request is done.
func (c *Cache) Run(ctx context.Context, store Life, written func(touches int, err error)) {
	for {
		next, _ := c.flush(ctx, flusher{store, written}, time.Now(), false) // written was told
		if !c.pause(ctx, next) {
			return
		}
	}
}

// pause waits for d, or, when a session with a short idle timeout came into use, for the shortest interval: many of
// them make one flush, not one each. It says whether to go on.
func (c *Cache) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.wake:
		timer.Reset(min(d, MinTouchInterval))
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Flush writes every touch that is not written yet, due or not.
func (c *Cache) Flush(ctx context.Context, store Life) error {
	_, err := c.flush(ctx, flusher{store, func(int, error) {}}, time.Now(), true)
	return err
}

// flusher is where touches go.
type flusher struct {
	store   Life
	written func(touches int, err error)
}

// pendingTouch is a touch and the entry it was taken from.
type pendingTouch struct {
	touch Touch
	entry *entry
	shard *shard
}

// flush writes the touches that are due, or all, and returns how long until the next are.
func (c *Cache) flush(ctx context.Context, to flusher, now time.Time, all bool) (time.Duration, error) {
	next := MaxTouchInterval
	var failure error
	for _, sh := range c.shards {
		due, wait := sh.collect(now, all)
		next = min(next, wait)
		for len(due) > 0 {
			n := min(touchBatch, len(due))
			err := write(ctx, to.store, due[:n])
			to.written(n, err)
			failure = cmp.Or(err, failure)
			due = due[n:]
		}
	}
	return max(next, MinTouchInterval/2), failure
}

// collect takes the touches of the shard that are due and says how long until the next are.
func (sh *shard) collect(now time.Time, all bool) (due []pendingTouch, next time.Duration) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	next = MaxTouchInterval
	ready := func(e *entry) bool {
		if !all && now.Before(e.flushAt) {
			next = min(next, e.flushAt.Sub(now))
			return false
		}
		return true
	}
	take := func(e *entry) {
		due = append(due, pendingTouch{entry: e, shard: sh, touch: e.touch(now)})
		next = min(next, e.every())
	}
	for k, e := range sh.tracked {
		switch {
		case !ready(e):
		case e.refs > 0 || e.dirty || e.delivered && !e.told:
			take(e)
		default:
			delete(sh.tracked, k)
			e.tracked = false
		}
	}
	for e := range sh.lingering { // all are in use
		if ready(e) {
			take(e)
		}
	}
	return due, next
}

// touch takes e's touch. Call with mu held.
func (e *entry) touch(now time.Time) Touch {
	if e.refs > 0 { // in use this very moment
		e.lastUsed = now
		e.prolong(now)
	}
	e.flushAt, e.dirty, e.told = now.Add(e.every()), false, e.delivered
	return Touch{
		Key: e.s.Key, Epoch: e.s.Epoch, Age: max(0, now.Sub(e.lastUsed)), Delivered: e.delivered, InFlight: e.refs > 0,
	}
}

// write hands touches to the store; when it does not take them they are due again.
func write(ctx context.Context, store Life, due []pendingTouch) error {
	touches := make([]Touch, len(due))
	for i := range due {
		touches[i] = due[i].touch
	}
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	stale, err := store.Touch(ctx, touches)
	for _, i := range stale {
		due[i].stale()
	}
	if err == nil {
		return nil
	}
	for _, p := range due {
		p.again()
	}
	return err
}

// stale forgets the session that the touch was of. That of an ended session which has uses comes back stale each time.
func (p pendingTouch) stale() {
	p.shard.mu.Lock()
	defer p.shard.mu.Unlock()
	if !p.entry.over {
		p.shard.conclude(p.touch.Key, p.touch.Epoch, ErrEnded)
	}
}

// again makes the touch due once more.
func (p pendingTouch) again() {
	p.shard.mu.Lock()
	defer p.shard.mu.Unlock()
	if p.entry.s.Epoch == p.touch.Epoch {
		p.entry.dirty = true
		p.entry.told = p.entry.told && !p.touch.Delivered
	}
}
