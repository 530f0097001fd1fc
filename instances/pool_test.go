package instances_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestNewPoolRefusesWhatItCannotRun(t *testing.T) {
	good := instances.PoolConfig{Function: "f", Version: "v", Registry: newRegistry(), Config: config("a")}
	bad := map[string]func(*instances.PoolConfig){
		"no registry":  func(c *instances.PoolConfig) { c.Registry = nil },
		"no instance":  func(c *instances.PoolConfig) { c.Config.Static = nil },
		"bad URL":      func(c *instances.PoolConfig) { c.Config.Static[0].URL = "ftp://a" },
		"bad interval": func(c *instances.PoolConfig) { c.Config.Health.Interval = -1 },
	}
	for name, spoil := range bad {
		cfg := good
		cfg.Config = config("a")
		spoil(&cfg)
		_, err := instances.NewPool(cfg)
		require.ErrorIs(t, err, instances.ErrConfig, name)
	}
	zeros := good
	zeros.Config = instances.Config{Static: good.Config.Static, Health: &instances.HealthConfig{}}
	_, err := instances.NewPool(zeros)
	require.NoError(t, err, "zeros mean defaults")

	pool, err := instances.NewPool(good)
	require.NoError(t, err)
	other := good
	other.Function = "g"
	require.ErrorIs(t, pool.Apply(other), instances.ErrConfig)
}

func TestPickPrefersFewerInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c")
		w.registry.outage(true) // sessions need a registry, these requests do not
		w.run()
		require.True(t, w.instance("a").Acquire())
		count := map[string]int{}
		for range 3000 {
			i, ok := w.pool.Pick(nil)
			require.True(t, ok)
			count[i.ID()]++
		}
		// a wins only where both draws are a: one in nine.
		require.InDelta(t, 333, count["a"], 120)
		require.InDelta(t, 1333, count["b"], 200)

		i, ok := w.pool.Pick(func(i *instances.Instance) bool { return i.ID() != "a" })
		require.True(t, ok)
		require.Equal(t, "a", i.ID())
		_, ok = w.pool.Pick(func(*instances.Instance) bool { return true })
		require.False(t, ok)

		for _, id := range []string{"a", "b", "b"} {
			require.True(t, w.instance(id).Acquire())
		}
		for range 100 { // a and b are full
			i, ok := w.pool.Pick(nil)
			require.True(t, ok)
			require.Equal(t, "c", i.ID())
		}
		w.stop()
	})
}

func TestReadersTakeNoMemory(t *testing.T) {
	w := newWorld(t, "a", "b")
	home := sessions.Home{ID: "a", Incarnation: 1}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if s, _ := w.pool.State(home); s != sessions.HomeUp {
			t.Error(s)
		}
		if i, ok := w.pool.Lookup(home); !ok || i.ID() != "a" {
			t.Error("no instance")
		}
	}))
}

// A writer that never ends: a log handler that blocks while the pool's mutex is held.
func TestReadersDoNotWaitForWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		w.stop()
		home, a := w.home("a"), w.instance("a")
		stuck := make(stuckHandler)
		w.cfg.Logger = slog.New(stuck)
		require.NoError(t, w.pool.Apply(w.cfg))
		go a.Unreachable(errTimeout)
		synctest.Wait()
		require.Equal(t, sessions.HomeUp, w.state(home))
		require.Same(t, a, w.instance("a"))
		require.Len(t, w.candidates(), 2)
		require.False(t, closed(w.pool.Changed()))
		require.True(t, a.Acquire())
		_, ok := w.pool.Pick(nil)
		require.True(t, ok)
		require.Equal(t, home, a.Home())
		close(stuck)
		synctest.Wait()
		require.Equal(t, sessions.HomeSuspect, w.state(home))
	})
}

type stuckHandler chan struct{}

func (h stuckHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h stuckHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h stuckHandler) WithGroup(string) slog.Handler            { return h }
func (h stuckHandler) Handle(context.Context, slog.Record) error {
	<-h
	return nil
}

func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() { w.pool.Run(ctx) })
	for range 4 {
		wg.Go(func() {
			for range 500 {
				w.pool.Candidates(2)
				w.state(sessions.Home{ID: "a"})
				if i, ok := w.pool.Pick(nil); ok && i.Acquire() {
					i.Refused()
					i.Release()
				}
				w.pool.Snapshot()
			}
		})
	}
	for n := range 50 {
		cfg := w.cfg
		cfg.Config = config("a", fmt.Sprint("n", n))
		require.NoError(t, w.pool.Apply(cfg))
	}
	cancel()
	wg.Wait()
}

func TestSnapshotIsWhatOperatorsSee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b").run()
		ready := time.Now()
		w.registry.edit("a", func(r *sessions.InstanceRecord) { r.Used, r.Sessions = true, 3 })
		w.set("b", host{err: errStatus})
		require.True(t, w.instance("a").Acquire())
		w.rounds(2)
		views := w.pool.Snapshot()
		require.Equal(t, instances.View{
			ID: "a", URL: "http://a.test:80", State: instances.StateReady, Since: ready,
			InFlight: 1, Sessions: 3, Used: true, Incarnation: w.registry.record("a").Incarnation,
		}, views[0])
		require.Equal(t, "b", views[1].ID)
		require.Equal(t, errStatus.Error(), views[1].Error)
		require.ElementsMatch(t, []string{"a", "b"}, w.candidates(), "that a is used up is the store's to say: full, not unavailable")
		w.stop()
	})
}

func TestLogsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := newWorld(t, "a")
		w.cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
		require.NoError(t, w.pool.Apply(w.cfg))
		w.run()
		w.rounds(20)
		require.Equal(t, 1, strings.Count(out.String(), "\n"), out.String())
		require.Contains(t, out.String(), "instance ready")
		w.registry.outage(true)
		w.rounds(20)
		require.Equal(t, 1, strings.Count(out.String(), "cannot be reported"), out.String())
		w.registry.outage(false)
		w.rounds(2)
		require.Equal(t, 3, strings.Count(out.String(), "\n"), out.String())
		w.stop()
	})
}
