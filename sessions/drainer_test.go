package sessions_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// Of a session that nobody asks for: each replica cuts what it has in use, whoever moved it.
func TestEmptyDrainedOnSeveralReplicas(t *testing.T) {
	for name, r := range map[string]sessions.Rules{"rehome": rules(), "fail": failing()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := drainBench(t, r, "a", "b")
				second := b.replica(r, sessions.NewCache(sessions.CacheConfig{Life: time.Hour}))
				homes := b.pool.Candidates(0)
				for i := range 6 {
					b.once(t, fmt.Sprint("idle", i))
				}
				one := b.use(t, "s")
				two, err := second.Use(t.Context(), "s")
				require.NoError(t, err)
				one.Delivered()
				defer func() { one.Release(); two.Release() }()
				was := *one.Session()
				onHome := b.listed(t, was.Home)
				b.drain(t, was.Home)
				total := sessions.Departures{}
				for _, table := range []*sessions.Table{b.Table, second, b.Table} {
					d, err := table.EmptyDrained(t.Context())
					require.NoError(t, err)
					total.Moved += d.Moved
					total.Ended += d.Ended
				}
				require.Equal(t, onHome, total.Moved+total.Ended, "each leaves once")
				require.Equal(t, r.OnLoss == sessions.LossFail, total.Moved == 0)
				require.Zero(t, b.listed(t, was.Home))
				for _, u := range []*sessions.Use{&one, &two} {
					require.ErrorIs(t, context.Cause(u.Ended()), sessions.ErrDrained)
				}
				now := b.use(t, "s")
				defer now.Release()
				require.NotEqual(t, was.Home, now.Session().Home)
				require.Contains(t, homes, now.Session().Home)
				if r.OnLoss == sessions.LossRehome {
					require.Equal(t, was.Epoch+1, now.Session().Epoch)
					require.Equal(t, sessions.ReasonDrained, now.Event().Reason, "no exchange made it so: the first one tells")
				}
			})
		})
	}
}

func TestDrainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := drainBench(t, rules(), "a", "b")
		was := b.once(t, "s")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var moved atomic.Int64
		go func() {
			defer close(done)
			sessions.Drainer{
				Tables: func() []*sessions.Table { return []*sessions.Table{b.Table} },
				Emptied: func(function string, d sessions.Departures, err error) {
					require.Equal(t, "f", function)
					require.NoError(t, err)
					moved.Add(int64(d.Moved))
				},
			}.Run(ctx)
		}()
		time.Sleep(3 * time.Second)
		require.Zero(t, moved.Load())
		b.drain(t, was.Home)
		time.Sleep(time.Second)
		require.EqualValues(t, 1, moved.Load())
		require.Zero(t, b.listed(t, was.Home))
		cancel()
		<-done
	})
}
