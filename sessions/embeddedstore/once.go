package embeddedstore

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/tidwall/btree"
)

// forgetStep is how many names a call of Once forgets in passing: more than it adds, so that names whose time is over
// never pile up.
const forgetStep = 4

// onces are the names that Once was called with and that still count.
type onces struct {
	mu    sync.Mutex // guards all below, and the order of the names' entries in the log
	calls map[string]once
	order *btree.BTreeG[onceName] // by when they are forgotten
}

type onceName struct {
	until micros
	name  string
}

func newOnces() onces {
	return onces{calls: map[string]once{}, order: btree.NewBTreeGOptions(func(a, b onceName) bool {
		return cmp.Or(cmp.Compare(a.until, b.until), cmp.Compare(a.name, b.name)) < 0
	}, btree.Options{NoLocks: true})}
}

// Once implements sessions.Names. The name takes memory, and room in the snapshots, until its time is over: its
// length is the caller's to bound.
func (s *Store) Once(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	if err := s.ready(ctx); err != nil {
		return false, err
	}
	if err := s.log.failed(); err != nil {
		return false, err
	}
	first, need := s.once(name, span(ttl))
	return first, s.log.wait(need)
}

func (s *Store) once(name string, ttl micros) (first bool, need seq) {
	o := &s.onces
	o.mu.Lock()
	defer o.mu.Unlock()
	now := s.clock.now()
	o.drop(now, forgetStep)
	if c, ok := o.calls[name]; ok && c.until > now {
		return false, c.seq
	}
	c := once{until: now + ttl}
	if s.log != nil {
		var e encoder
		e.entry(name, c)
		c.seq = s.log.append(e)
	}
	o.set(name, c)
	return true, c.seq
}

// Forget implements sessions.Names. Nothing is written: after a crash the name is as used as it was.
func (s *Store) Forget(ctx context.Context, name string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	o := &s.onces
	o.mu.Lock()
	defer o.mu.Unlock()
	if c, ok := o.calls[name]; ok {
		o.order.Delete(onceName{c.until, name})
		delete(o.calls, name)
	}
	return nil
}

// set notes a call. The caller holds mu.
func (o *onces) set(name string, c once) {
	if old, ok := o.calls[name]; ok {
		o.order.Delete(onceName{old.until, name})
	}
	o.calls[name] = c
	o.order.Set(onceName{c.until, name})
}

// forget drops up to limit names whose time is over.
func (o *onces) forget(now micros, limit int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(now, limit)
}

// drop is forget for a caller who holds mu.
func (o *onces) drop(now micros, limit int) {
	for range limit {
		oldest, ok := o.order.Min()
		if !ok || oldest.until > now {
			return
		}
		o.order.Delete(oldest)
		delete(o.calls, oldest.name)
	}
}

// apply is for a call that the log or a snapshot knows.
func (o *onces) apply(name string, until, now micros) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if until > now && until > o.calls[name].until {
		o.set(name, once{until: until})
	}
}

// after returns up to limit names that are forgotten later than one, in that order.
func (o *onces) after(one onceName, limit int) (some []onceName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.order.Ascend(one, func(n onceName) bool {
		if n != one {
			some = append(some, n)
		}
		return len(some) < limit
	})
	return some
}
