package sessions_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// BenchmarkUseHit is the look-up of a session that this replica knows: no store, no allocation.
func BenchmarkUseHit(b *testing.B) { benchmarkUseHit(b, sessions.CacheConfig{Life: time.Hour}) }

// BenchmarkUseHitByNews is the same where the store's news vouch for the session.
func BenchmarkUseHitByNews(b *testing.B) {
	n := &news{}
	n.fresh.Store(&sessions.Freshness{Since: time.Now(), At: time.Now().Add(time.Hour)})
	benchmarkUseHit(b, sessions.CacheConfig{News: n})
}

func benchmarkUseHit(b *testing.B, c sessions.CacheConfig) {
	const known = 1000
	r := rules()
	r.PerInstance = known
	w := newBench(b, r, c)
	ids := make([]string, known)
	for i := range ids {
		ids[i] = fmt.Sprintf("%032x", i)
		w.once(b, ids[i])
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			u, err := w.Use(b.Context(), ids[i%known])
			if err != nil {
				b.Fatal(err)
			}
			u.Release()
		}
	})
}

// BenchmarkCacheEntry reports the memory of one entry of the LRU, its session and ID included.
func BenchmarkCacheEntry(b *testing.B) {
	const entries = 100_000
	r := rules()
	r.PerInstance = entries
	w := newBench(b, r, sessions.CacheConfig{})
	fill := func() *sessions.Cache {
		c := sessions.NewCache(sessions.CacheConfig{Size: 2 * entries, Life: time.Hour})
		table := w.replica(r, c)
		for i := range entries {
			u, err := table.Use(b.Context(), fmt.Sprintf("%032x", i))
			require.NoError(b, err)
			u.Delivered()
			u.Release()
		}
		require.NoError(b, c.Flush(b.Context(), w.store))
		require.NoError(b, c.Flush(b.Context(), w.store)) // lets go of what is written
		return c
	}
	fill() // the store's own records are there before the reading
	for b.Loop() {
		before := heap()
		c := fill()
		b.ReportMetric(float64(int64(heap()-before))/entries, "bytes/entry")
		runtime.KeepAlive(c)
	}
	runtime.KeepAlive(w)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what sync.Pools kept through the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
