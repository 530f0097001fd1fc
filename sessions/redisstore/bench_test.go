package redisstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// maxBytes is what one session may cost in Redis, with all its indices.
const maxBytes = 700

// bytesPerSession pins n sessions with IDs as Limpet makes them, and says what one costs.
func bytesPerSession(tb testing.TB, n int) float64 {
	tb.Helper()
	server := redistest.Standalone(tb, redistest.Options{})
	s := open(tb, topology{config: configOf(server.Addr), options: redisstore.Options{Timeout: 5 * time.Second}})
	c := shell(tb, server.Addr)
	pin(tb, s, "warm")
	before := usedMemory(tb, c)
	pinMany(tb, s, n)
	return float64(usedMemory(tb, c)-before) / float64(n)
}

func pinMany(tb testing.TB, s *redisstore.Store, n int) {
	tb.Helper()
	const workers = 32
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			r := request(tb, "")
			r.Function = "counter"
			for i := w; i < n && errs[w] == nil; i += workers {
				r.ID = fmt.Sprintf("%016x%016x", uint64(i)*0x9e3779b97f4a7c15, i)
				_, _, errs[w] = s.Pin(tb.Context(), r)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(tb, err)
	}
}

// usedMemory is what the server has allocated, but for the buffers of clients, which come and go.
func usedMemory(tb testing.TB, c *redis.Client) int64 {
	tb.Helper()
	info, err := c.Info(tb.Context(), "memory").Result()
	require.NoError(tb, err)
	value := func(name string) int64 {
		_, rest, _ := strings.Cut(info, "\n"+name+":")
		n, err := strconv.ParseInt(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), 10, 64)
		require.NoError(tb, err)
		return n
	}
	return value("used_memory") - value("mem_clients_normal")
}

func TestBytesPerSession(t *testing.T) {
	t.Parallel()
	perSession := bytesPerSession(t, 20_000)
	t.Logf("%.0f bytes per session", perSession)
	require.LessOrEqual(t, perSession, float64(maxBytes))
	require.Greater(t, perSession, 300.0, "the measure is wrong: keys and indices alone take more")
}

func BenchmarkBytesPerSession(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(bytesPerSession(b, 100_000), "bytes/session")
	}
}

func benchmarkStore(b *testing.B) *redisstore.Store {
	server := redistest.Standalone(b, redistest.Options{})
	s := open(b, topology{config: configOf(server.Addr)})
	pin(b, s, "warm")
	b.ResetTimer()
	return s
}

func BenchmarkPinNew(b *testing.B) {
	s := benchmarkStore(b)
	for i := 0; b.Loop(); i++ {
		pin(b, s, strconv.Itoa(i))
	}
}

func BenchmarkPinHit(b *testing.B) {
	s := benchmarkStore(b)
	for b.Loop() {
		_, _, err := s.Pin(b.Context(), request(b, "warm"))
		require.NoError(b, err)
	}
}

func BenchmarkPinNewParallel(b *testing.B) {
	s := benchmarkStore(b)
	var next atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			_, _, err := s.Pin(b.Context(), request(b, strconv.FormatInt(next.Add(1), 10)))
			require.NoError(b, err)
		}
	})
}

func BenchmarkPinHitParallel(b *testing.B) {
	s := benchmarkStore(b)
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			_, _, err := s.Pin(b.Context(), request(b, "warm"))
			require.NoError(b, err)
		}
	})
}

func BenchmarkTouch(b *testing.B) {
	s := benchmarkStore(b)
	pinMany(b, s, redisstore.TouchBatch)
	page, err := s.List(b.Context(), sessions.Query{Function: "counter", Qualifier: sessions.LatestQualifier, Limit: redisstore.TouchBatch})
	require.NoError(b, err)
	var batch []sessions.Touch
	for _, p := range page.Sessions {
		batch = append(batch, sessions.Touch{Key: p.Key, Epoch: p.Epoch})
	}
	b.ResetTimer()
	for b.Loop() {
		_, err := s.Touch(b.Context(), batch)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(len(batch)), "touches/op")
}
