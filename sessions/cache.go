package sessions

import (
	"context"
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
	// stripes are how many counters of news each shard has. A fill is void when its counter moved, so they are many:
	// few of the changes that come in while the store answers are of a key of the same stripe.
	stripes = 256
	// takeoverAfter is how long an event may stay pending before a replica announces another replica's pin.
	takeoverAfter = 3 * time.Second
)

// CacheConfig are the cache's limits. The zero value of a field means its default.
type CacheConfig struct {
	Size int // entries; DefaultCacheSessions
	// Life is how long an entry routes without the store where there are no news. 0 is without limit, for a store in
	// this process, whose every change passes through here.
	Life time.Duration
	// StaleMax is how long an entry still routes while the store does not answer, after it was checked last or, with
	// news, after the last that were heard; negative: until the session's own deadline; 0: not at all.
	StaleMax time.Duration
	// News are the store's, if it has any; else nil. With them an entry routes without the store until they say that it
	// changed, for as long as they are heard: see NewsMaxAge.
	News News
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
	// lingering are the entries that nobody finds any more and whose Uses are not all released.
	lingering map[*entry]struct{}
	// gen counts the drops. A fill that began before a drop may carry the very session that was dropped:
	// 1: Pin answers S; 2: End(S) and drop; 3: the fill of 1 would bring S back. So a fill is void when gen moved.
	// An update raises it too, or the fill would bring the old settings back.
	gen     uint64
	heard   [stripes]uint64 // count the news, by key: what an answer on its way says may be older
	told    uint64          // the news in all
	evicted uint64
}

// generation is what a shard had counted for a key when the store was asked.
type generation struct{ dropped, heard uint64 }

// entry is one session as this replica knows it. Its shard's mutex guards it. While it is in use it keeps its epoch.
type entry struct {
	s       *Session
	checked time.Time // when the store was last asked, before the question was sent
	heard   time.Time // at its last hit by news: up to when these were complete
	arrived time.Time // when its answer came
	until   time.Time // alive till then, for all this replica knows
	ttlEnd  time.Time // the TTL's end in this machine's clock

	refs     int       // Uses that are not released
	lastUsed time.Time // of a Use
	flushAt  time.Time // when its next touch is due
	dirty    bool      // used since the last touch was taken
	tracked  bool      // by its shard: as tracked, or as lingering

	doubted bool    // the store is to be asked before it routes again
	dropped bool    // nobody finds it: ended, replaced, or brought by an answer that lost a race
	over    bool    // the store said that the session of this epoch is no more; dropped, too
	drained bool    // over, because its home has drained
	ended   *ending // of Use.Ended; nil until somebody asks

	announceFrom time.Time // when this replica may announce s.Event
	announcing   bool      // an exchange is announcing it
	delivered    bool      // an exchange got a response
	told         bool      // the store knows that it was delivered
}

// ending is how the uses of one entry are told of its end.
type ending struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	all    bool // whatever ends the session; else only that its home has drained
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
		sh := &shard{tracked: map[Key]*entry{}, lingering: map[*entry]struct{}{}}
		sh.lru, _ = simplelru.NewLRU[Key, *entry]((cfg.Size+n-1)/n, nil) // its only error is a size below 1
		c.shards = append(c.shards, sh)
	}
	return c
}

func (c *Cache) shard(k Key) *shard {
	sh, _ := c.place(k)
	return sh
}

// place returns the shard of k, and which of its counters of news is k's.
func (c *Cache) place(k Key) (sh *shard, stripe int) {
	h := maphash.String(c.seed, k.ID)
	return c.shards[h%uint64(len(c.shards))], int((h >> 32) % stripes)
}

// find returns the entry of k, from the LRU or from the sessions in use, and makes it the youngest. Call with mu held.
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

// peek is find without a trace in the LRU.
func (sh *shard) peek(k Key) *entry {
	if e, ok := sh.lru.Peek(k); ok {
		return e
	}
	return sh.tracked[k]
}

func (sh *shard) remember(k Key, e *entry) {
	if sh.lru.Add(k, e) {
		sh.evicted++
	}
}

// CacheStats counts what the cache holds and has evicted.
type CacheStats struct {
	Entries int    // in the LRU
	Tracked int    // in use, or with unwritten touches
	Evicted uint64 // since the start, for want of room
	News    uint64 // since the start, of changed sessions, in this cache or not
}

// Stats returns the cache's counts, shard by shard, so they are not of one moment.
func (c *Cache) Stats() CacheStats {
	var st CacheStats
	for _, sh := range c.shards {
		sh.mu.Lock()
		st.Entries += sh.lru.Len()
		st.Tracked += len(sh.tracked) + len(sh.lingering)
		st.Evicted += sh.evicted
		st.News += sh.told
		sh.mu.Unlock()
	}
	return st
}
