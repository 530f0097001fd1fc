package sessions

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// cacheShards is how many LRUs share the entries, each behind its own lock, so that no lock is common to all
	// requests.
	cacheShards = 32
	// minShardEntries keeps a small cache in one LRU: many tiny ones would evict what one would keep.
	minShardEntries = 64
	// takeoverAfter is how long an event may stay pending before a replica announces another replica's pin.
	takeoverAfter = 3 * time.Second
)

// CacheConfig are the cache's limits. The zero value of a field means its default.
type CacheConfig struct {
	Size int // entries; DefaultCacheSessions
	// Life is how long an entry routes without the store. 0 is without limit, for a store in this process, whose
	// every change passes through here.
	Life time.Duration
	// StaleMax is how long after its last check an entry still routes while the store does not answer; negative:
	// until the session's own deadline; 0: not at all.
	StaleMax time.Duration
}

// Cache is what this replica remembers of sessions: an LRU in front of the store, and beside it the sessions that
// are in use or have touches to write, so that an eviction stops no touch. One Cache serves all functions and
// survives a reload. It is safe for concurrent use.
type Cache struct {
	cfg    CacheConfig
	seed   maphash.Seed
	shards []*shard
	wake   chan struct{} // a session wants its touches written sooner than the flusher last thought
}

// shard is one part of the cache. mu guards everything in it and in its entries.
type shard struct {
	mu      sync.Mutex
	lru     *simplelru.LRU[Key, *entry]
	tracked map[Key]*entry // in use, or with unwritten touches
	// gen counts the drops. A fill that began before a drop may carry the very session that was dropped:
	// 1: Pin answers S; 2: End(S) and drop; 3: the fill of 1 would bring S back. So a fill is void when gen moved.
	gen     uint64
	evicted uint64
}

// entry is one session as this replica knows it. Its shard's mutex guards it.
type entry struct {
	s       *Session
	checked time.Time // when the store was last asked, before the question was sent
	arrived time.Time // when its answer came
	until   time.Time // alive till then, for all this replica knows
	ttlEnd  time.Time // the TTL's end in this machine's clock

	refs     int       // Uses that are not released
	lastUsed time.Time // of a Use
	flushAt  time.Time // when its next touch is due
	dirty    bool      // used since the last touch was taken
	tracked  bool
	dropped  bool // ended here, or replaced: touches of it are void

	announceFrom time.Time // when this replica may announce s.Event
	announcing   bool      // an exchange is announcing it
	delivered    bool      // an exchange got a response
	told         bool      // the store knows that it was delivered
}

// NewCache returns an empty cache.
func NewCache(cfg CacheConfig) *Cache {
	if cfg.Size <= 0 {
		cfg.Size = DefaultCacheSessions
	}
	n := cacheShards
	if cfg.Size < cacheShards*minShardEntries {
		n = 1
	}
	c := &Cache{cfg: cfg, seed: maphash.MakeSeed(), wake: make(chan struct{}, 1)}
	for range n {
		sh := &shard{tracked: map[Key]*entry{}}
		sh.lru, _ = simplelru.NewLRU[Key, *entry]((cfg.Size+n-1)/n, nil) // its only error is a size below 1
		c.shards = append(c.shards, sh)
	}
	return c
}

func (c *Cache) shard(k Key) *shard {
	return c.shards[maphash.String(c.seed, k.ID)%uint64(len(c.shards))]
}

// find returns the entry of k, from the LRU or from the sessions in use. Call with mu held.
func (sh *shard) find(k Key) *entry {
	if e, ok := sh.lru.Get(k); ok {
		return e
	}
	e := sh.tracked[k]
	if e != nil {
		sh.remember(k, e)
	}
	return e
}

func (sh *shard) remember(k Key, e *entry) {
	if sh.lru.Add(k, e) {
		sh.evicted++
	}
}

// hit takes hold of the entry of k if it may route without the store.
func (c *Cache) hit(k Key, now time.Time, u *Use) bool {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.find(k)
	if e == nil || !now.Before(e.until) || c.cfg.Life > 0 && now.Sub(e.checked) >= c.cfg.Life {
		return false
	}
	c.hold(sh, e, now, u)
	return true
}

// stale takes hold of the entry of k if it may route while the store does not answer.
func (c *Cache) stale(k Key, now time.Time, u *Use) bool {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.find(k)
	if e == nil || !now.Before(e.until) || c.cfg.StaleMax >= 0 && now.Sub(e.checked) >= c.cfg.StaleMax {
		return false
	}
	c.hold(sh, e, now, u)
	return true
}

// take takes hold of e, which a flight returned, or of the entry that has come in its place: pushed out of the LRU
// before anybody held it, it was not found, and another flight made a second one. Only one of a session's entries may
// be in use, for only one is touched.
func (c *Cache) take(e *entry, k Key, u *Use) {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if other := sh.find(k); other != nil && !e.dropped && other.s.Epoch >= e.s.Epoch {
		e = other
	}
	c.hold(sh, e, time.Now(), u)
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

// used notes that e was in use now. Call with mu held.
func (c *Cache) used(sh *shard, e *entry, now time.Time) {
	e.lastUsed, e.dirty = now, true
	e.prolong(now)
	c.track(sh, e, now)
}

// track makes sure that the flusher sees e. Call with mu held.
func (c *Cache) track(sh *shard, e *entry, now time.Time) {
	if e.tracked || e.dropped {
		return
	}
	e.tracked = true
	sh.tracked[e.s.Key] = e
	every := e.s.TouchInterval()
	e.flushAt = now.Add(every)
	if every < MaxTouchInterval {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
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

// drop forgets the session of k, and with it every answer that is on its way.
func (c *Cache) drop(k Key) {
	sh := c.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.gen++
	if e := sh.find(k); e != nil {
		e.dropped = true
		e.tracked = false
	}
	sh.lru.Remove(k)
	delete(sh.tracked, k)
}

// CacheStats counts what the cache holds and has evicted.
type CacheStats struct {
	Entries int    // in the LRU
	Tracked int    // in use, or with unwritten touches
	Evicted uint64 // since the start, for want of room
}

// Stats returns the cache's counts, shard by shard, so they are not of one moment.
func (c *Cache) Stats() CacheStats {
	var st CacheStats
	for _, sh := range c.shards {
		sh.mu.Lock()
		st.Entries += sh.lru.Len()
		st.Tracked += len(sh.tracked)
		st.Evicted += sh.evicted
		sh.mu.Unlock()
	}
	return st
}
