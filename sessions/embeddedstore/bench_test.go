package embeddedstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

func BenchmarkPin(b *testing.B) {
	for _, c := range []struct {
		name string
		dir  func() string
	}{
		{"memory", func() string { return "" }},
		{"durable", b.TempDir},
	} {
		b.Run(c.name+"/new", func(b *testing.B) {
			s := open(b, c.dir())
			var n atomic.Int64
			b.SetParallelism(32) // 64 goroutines on two cores
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, _, err := s.Pin(b.Context(), request(fmt.Sprintf("x%d", n.Add(1))))
					require.NoError(b, err)
				}
			})
		})
		b.Run(c.name+"/hit", func(b *testing.B) {
			s := open(b, c.dir())
			r := request("x")
			pin(b, s, r)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, _, err := s.Pin(b.Context(), r)
					require.NoError(b, err)
				}
			})
		})
	}
}

func BenchmarkTouch(b *testing.B) {
	for _, name := range []string{"memory", "durable"} {
		b.Run(name, func(b *testing.B) {
			dir := ""
			if name == "durable" {
				dir = b.TempDir()
			}
			s := open(b, dir)
			r := request("x")
			r.IdleTimeout = time.Minute
			got := pin(b, s, r)
			touches := make([]sessions.Touch, 100)
			for i := range touches {
				touches[i] = sessions.Touch{Key: got.Key, Epoch: got.Epoch}
			}
			for b.Loop() {
				touch(b, s, touches...)
			}
			b.ReportMetric(float64(len(touches)*b.N)/b.Elapsed().Seconds(), "touches/s")
		})
	}
}

// million returns a store in memory with a million sessions.
func million(b *testing.B) *embeddedstore.Store {
	s := open(b, "")
	for i := range 1_000_000 {
		_, _, err := s.Pin(b.Context(), request(fmt.Sprintf("x%07d", i)))
		require.NoError(b, err)
	}
	return s
}

// BenchmarkList reads pages of 100 of a million sessions, from the start, and one after the other.
func BenchmarkList(b *testing.B) {
	s := million(b)
	q := sessions.Query{Function: fn, Qualifier: "LATEST", Limit: 100}
	b.Run("first page", func(b *testing.B) {
		for b.Loop() {
			_, err := s.List(b.Context(), q)
			require.NoError(b, err)
		}
	})
	b.Run("first page of an instance", func(b *testing.B) {
		for b.Loop() {
			_, err := s.List(b.Context(), sessions.Query{Function: fn, Version: "LATEST", Instance: "b", Limit: 100})
			require.NoError(b, err)
		}
	})
	b.Run("next page", func(b *testing.B) {
		for b.Loop() {
			page, err := s.List(b.Context(), q)
			require.NoError(b, err)
			q.After = page.Cursor
		}
	})
}
