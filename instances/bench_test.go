package instances_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// readyPool returns a pool of n instances that are all candidates.
func readyPool(b *testing.B, n int) *instances.Pool {
	b.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("i", i)
	}
	pool, err := instances.NewPool(instances.PoolConfig{
		Function: "f", Version: "v", Config: config(ids...), Registry: newRegistry(),
	})
	require.NoError(b, err)
	pool.WithProbe(func(context.Context, *url.URL, string) (string, error) { return "", nil })
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pool.Run(ctx)
	}()
	require.Eventually(b, func() bool { return len(pool.Candidates(0)) == n }, 10*time.Second, time.Millisecond)
	cancel()
	<-done
	return pool
}

func BenchmarkState(b *testing.B) {
	pool := readyPool(b, 100)
	home := pool.Candidates(1)[0]
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if s, _ := pool.State(home); s != sessions.HomeUp {
				b.Error(s)
			}
		}
	})
}

func BenchmarkCandidates(b *testing.B) {
	for _, n := range []int{4, 64, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			pool := readyPool(b, n)
			b.ReportAllocs()
			for b.Loop() {
				pool.Candidates(16)
			}
		})
	}
}

func BenchmarkPick(b *testing.B) {
	pool := readyPool(b, 100)
	b.ReportAllocs()
	for b.Loop() {
		pool.Pick(nil)
	}
}

func BenchmarkAcquire(b *testing.B) {
	pool := readyPool(b, 1)
	i, _ := pool.Pick(nil)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if i.Acquire() {
				i.Release()
			}
		}
	})
}
