package sessions

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The session ends between a flight's answer and the moment its caller takes hold of it.
func TestAnEntryThatEndsBeforeItIsTaken(t *testing.T) {
	c := NewCache(CacheConfig{})
	a := answered(c, "s", 1)
	e := c.fill(a)
	c.conclude(a.s.Key, 1, ErrEnded)
	u := Use{table: &Table{rules: Rules{Config: Config{Isolation: true}}}}
	c.take(e, a.s.Key, &u)
	select {
	case <-u.Ended().Done():
	default:
		t.Fatal("not told")
	}
	require.Nil(t, c.shard(a.s.Key).peek(a.s.Key), "nobody else finds it")
	due, _ := c.shard(a.s.Key).collect(time.Now(), true)
	require.Len(t, due, 1, "the session is Ending")
	require.True(t, due[0].touch.InFlight)
	u.Release()
	require.Zero(t, c.Stats().Tracked)
	due, _ = c.shard(a.s.Key).collect(time.Now(), true)
	require.Empty(t, due)
}

// A newer copy is known already: the answer only raises doubt.
func TestAnOldAnswerToAnUpdate(t *testing.T) {
	c := NewCache(CacheConfig{})
	a := answered(c, "s", 1)
	e := c.fill(a)
	old := a
	old.s.TTL = time.Minute
	old.s.ReadAt = a.s.ReadAt.Add(-time.Microsecond)
	c.revise(old)
	require.Equal(t, a.s.TTL, e.s.TTL)
	require.False(t, c.hit(a.s.Key, time.Now(), &Use{}))
}
