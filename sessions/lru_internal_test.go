package sessions

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func answered(c *Cache, id string, epoch uint64) answer {
	now := time.Now()
	s := Session{
		Key: Key{"f", "LATEST", id}, Epoch: epoch, Settings: Settings{TTL: time.Hour, IdleTimeout: time.Minute},
		Event: Event{Kind: EventCreated}, CreatedAt: now, ModifiedAt: now, ReadAt: now, Deadline: now.Add(time.Minute),
	}
	return answer{s: s, owner: true, asked: now, gen: c.generation(s.Key)}
}

// A flight brings an entry, other sessions push it out of the LRU before its request takes hold of it, and a second
// flight brings the session again: there must not be two entries of one session, for only one would be touched.
func TestAnEntryPushedOutBeforeItIsTakenHasNoTwin(t *testing.T) {
	c := NewCache(CacheConfig{Size: 1})
	first := c.fill(answered(c, "s", 1))
	c.fill(answered(c, "other", 1))
	second := c.fill(answered(c, "s", 1))
	var one, two Use
	c.take(second, second.s.Key, &two)
	c.take(first, first.s.Key, &one)
	require.NotEqual(t, one.Event(), two.Event(), "one of them announces")
	one.Release()
	now := time.Now()
	for _, sh := range c.shards {
		for range 3 { // the first use ends and its touch is written
			now = now.Add(time.Second)
			sh.collect(now, true)
		}
		due, _ := sh.collect(now.Add(time.Second), true)
		require.Len(t, due, 1, "the use that goes on is touched")
	}
}
