package sessions_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// full is a bench whose only slot is taken by the session "first".
func full(t *testing.T, wait time.Duration) (*bench, sessions.Session) {
	r := rules()
	r.PerInstance, r.Wait, r.IdleTimeout = 1, wait, 0
	b := newBench(t, r, sessions.CacheConfig{})
	b.pool.candidates = b.pool.candidates[:1]
	return b, b.once(t, "first")
}

// join makes id wait in the queue; what becomes of it comes on the channel.
func (b *bench) join(ctx context.Context, id string) <-chan error {
	done := make(chan error, 1)
	go func() {
		u, err := b.Use(ctx, id)
		u.Release()
		done <- err
	}()
	synctest.Wait()
	return done
}

func TestFullIsRefusedAtOnceWithoutWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := full(t, 0)
		start := time.Now()
		_, err := b.Use(t.Context(), "second")
		require.ErrorIs(t, err, sessions.ErrFull)
		require.Zero(t, time.Since(start))
	})
}

func TestWaitEndsWithASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := full(t, 10*time.Second)
		start := time.Now()
		second := b.join(t.Context(), "second")
		_, err := b.End(t.Context(), first, false)
		require.NoError(t, err)
		require.NoError(t, <-second)
		require.Zero(t, time.Since(start), "woken, not polled")
	})
}

func TestWaitEndsWithACandidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := full(t, 10*time.Second)
		second := b.join(t.Context(), "second")
		b.pool.set(home("z"), sessions.HomeUp)
		require.NoError(t, <-second)
	})
}

// Another replica's End wakes nobody here: the head asks again by itself.
func TestWaitNoticesASlotThatAnotherReplicaFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := full(t, 10*time.Second)
		second := b.join(t.Context(), "second")
		_, err := b.store.End(t.Context(), first, false)
		require.NoError(t, err)
		start := time.Now()
		require.NoError(t, <-second)
		require.LessOrEqual(t, time.Since(start), 100*time.Millisecond)
	})
}

func TestWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := full(t, 3*time.Second)
		start := time.Now()
		_, err := b.Use(t.Context(), "second")
		require.ErrorIs(t, err, sessions.ErrFull)
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, holder := full(t, time.Hour)
		var waiting []<-chan error
		for i := range 5 {
			waiting = append(waiting, b.join(t.Context(), fmt.Sprint("w", i)))
		}
		for i, turn := range waiting {
			for _, later := range waiting[i+1:] {
				require.Empty(t, later, "nobody overtakes w%d", i)
			}
			_, err := b.End(t.Context(), holder, false)
			require.NoError(t, err)
			require.NoError(t, <-turn)
			synctest.Wait()
			holder, err = b.get(t, fmt.Sprint("w", i))
			require.NoError(t, err)
		}
	})
}

func TestANewcomerDoesNotOvertakeButFindsItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := full(t, time.Hour)
		gone, leave := context.WithCancel(t.Context())
		second := b.join(gone, "second")
		_, err := b.store.End(t.Context(), first, false) // the slot is free, and the head has not noticed yet
		require.NoError(t, err)
		third := b.join(t.Context(), "third")
		require.NoError(t, <-second)
		require.Empty(t, third)
		time.Sleep(2 * sessions.DefaultCacheLife)
		b.once(t, "second") // asked anew, past the queue
		leave()
		got, err := b.get(t, "second")
		require.NoError(t, err)
		_, err = b.End(t.Context(), got, false)
		require.NoError(t, err)
		require.NoError(t, <-third)
	})
}

func TestAWaiterWhoHangsUpLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := full(t, time.Hour)
		ctx, hangUp := context.WithCancel(t.Context())
		second := b.join(ctx, "second")
		third := b.join(t.Context(), "third")
		hangUp()
		require.ErrorIs(t, <-second, context.Canceled)
		_, err := b.End(t.Context(), first, false)
		require.NoError(t, err)
		require.NoError(t, <-third)
	})
}
