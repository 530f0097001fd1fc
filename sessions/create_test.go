package sessions_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func creation(id string) sessions.CreateRequest {
	return sessions.CreateRequest{ID: id, Settings: sessions.Settings{TTL: 2 * time.Hour, IdleTimeout: 5 * time.Minute}}
}

func TestCreatePinsBeforeAnyRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		r := creation("s")
		r.Name = "a name"
		s, created, err := b.Create(t.Context(), r)
		require.NoError(t, err)
		require.True(t, created)
		require.Equal(t, sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"}, s.Key)
		require.Equal(t, r.Settings, s.Settings, "its own, not the function's")
		require.Equal(t, sessions.OriginAPI, s.Origin)
		require.Equal(t, sessions.AffinityHeader, s.Affinity)
		require.Equal(t, "a name", s.Name)

		u := b.use(t, "s")
		defer u.Release()
		require.Equal(t, s.Home, u.Session().Home)
		require.Equal(t, s.Epoch, u.Session().Epoch)
		require.Equal(t, sessions.EventCreated, u.Event().Kind)
		require.EqualValues(t, 1, b.store.pins.Load(), "the cache has it already")
	})
}

func TestCreateOfAnActiveSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		was := b.once(t, "s")
		_, _, err := b.Create(t.Context(), creation("s"))
		require.ErrorIs(t, err, sessions.ErrExists)
		require.Equal(t, was.Epoch, b.once(t, "s").Epoch)
	})
}

// Two calls that shared one flight would both be told that they made the session.
func TestConcurrentCreatesDoNotShareAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.store.beforePin = func() { time.Sleep(time.Millisecond) }
		var wg sync.WaitGroup
		var made, refused atomic.Int64
		for range 20 {
			wg.Go(func() {
				_, created, err := b.Create(t.Context(), creation("s"))
				if err == nil && created {
					made.Add(1)
					return
				}
				require.ErrorIs(t, err, sessions.ErrExists)
				refused.Add(1)
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, made.Load())
		require.EqualValues(t, 19, refused.Load())
	})
}

func TestAnIdempotentCreateGetsItsSessionAlsoAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{Life: time.Hour})
		r := creation("s")
		r.Fingerprint = "one"
		first, created, err := b.Create(t.Context(), r)
		require.NoError(t, err)
		require.True(t, created)
		again, created, err := b.Create(t.Context(), r)
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, first.Epoch, again.Epoch)
		other := r
		other.Fingerprint = "two"
		_, _, err = b.Create(t.Context(), other)
		require.ErrorIs(t, err, sessions.ErrMismatch)

		_, err = b.End(t.Context(), first, true)
		require.NoError(t, err)
		ended, created, err := b.Create(t.Context(), r)
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, sessions.Ended, ended.State)
		require.Greater(t, b.once(t, "s").Epoch, first.Epoch, "what has ended is not routed to")
	})
}

func TestCreateWaitsInOneQueueWithRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := full(t, 10*time.Second)
		request := b.join(t.Context(), "request")
		type result struct {
			s   sessions.Session
			err error
		}
		call := make(chan result, 1)
		go func() {
			s, _, err := b.Create(t.Context(), creation("call"))
			call <- result{s, err}
		}()
		synctest.Wait()
		_, err := b.End(t.Context(), first, false)
		require.NoError(t, err)
		require.NoError(t, <-request, "it came first")
		synctest.Wait()
		require.Empty(t, call)

		// A slot is free while nobody has told the queue yet: a newcomer leaves it to the one who waits.
		_, err = b.store.End(t.Context(), b.once(t, "request"), false)
		require.NoError(t, err)
		got := make(chan error, 1)
		ctx, hangUp := context.WithCancel(t.Context())
		defer hangUp()
		go func() {
			_, _, err := b.Create(ctx, creation("newcomer"))
			got <- err
		}()
		r := <-call
		require.NoError(t, r.err)
		require.Equal(t, "call", r.s.ID)
		require.Empty(t, got)
		hangUp()
		require.ErrorIs(t, <-got, context.Canceled)
	})
}

func TestCreateIsRefused(t *testing.T) {
	t.Run("full", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, _ := full(t, 0)
			start := time.Now()
			_, _, err := b.Create(t.Context(), creation("s"))
			require.ErrorIs(t, err, sessions.ErrFull)
			require.Zero(t, time.Since(start))
		})
	})
	t.Run("full for longer than it may wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, _ := full(t, time.Second)
			start := time.Now()
			_, _, err := b.Create(t.Context(), creation("s"))
			require.ErrorIs(t, err, sessions.ErrFull)
			require.Equal(t, time.Second, time.Since(start))
		})
	})
	t.Run("no instance", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, rules(), sessions.CacheConfig{})
			b.pool.candidates = nil
			_, _, err := b.Create(t.Context(), creation("s"))
			require.ErrorIs(t, err, sessions.ErrNoInstance)
		})
	})
	t.Run("an ID that may not be used again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, rules(), sessions.CacheConfig{})
			r := creation("s")
			r.TTL, r.DisableIDReuse = time.Minute, true
			_, _, err := b.Create(t.Context(), r)
			require.NoError(t, err)
			time.Sleep(2 * time.Minute)
			_, _, err = b.Create(t.Context(), r)
			require.ErrorIs(t, err, sessions.ErrIDReuse)
		})
	})
	t.Run("the store does not answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, rules(), sessions.CacheConfig{StaleMax: time.Hour})
			b.once(t, "s")
			b.store.down.Store(true)
			_, _, err := b.Create(t.Context(), creation("s"))
			require.ErrorIs(t, err, sessions.ErrUnavailable, "never a stale answer")
		})
	})
}

func TestCreateOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{Life: time.Hour})
		b.store.beforePin = func() { time.Sleep(time.Second) }
		ctx, hangUp := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, _, err := b.Create(ctx, creation("s"))
			failed <- err
		}()
		synctest.Wait()
		hangUp()
		require.ErrorIs(t, <-failed, context.Canceled)
		time.Sleep(time.Second)
		synctest.Wait()
		_, err := b.get(t, "s")
		require.NoError(t, err, "not killed half-way")
		b.once(t, "s")
		require.EqualValues(t, 1, b.store.pins.Load(), "and remembered")
	})
}

// No exchange of the replica that made it announces it: there is nobody to wait for.
func TestAnyReplicaAnnouncesACreateAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		s, _, err := b.Create(t.Context(), creation("s"))
		require.NoError(t, err)
		other := &bench{Table: b.replica(rules(), sessions.NewCache(sessions.CacheConfig{Life: time.Second}))}
		require.Equal(t, sessions.EventCreated, other.eventOf(t, "s").Kind)

		_, err = b.store.Rehome(t.Context(), sessions.RehomeRequest{
			Session: s, Reason: sessions.ReasonLost, Certain: true,
			Placement: sessions.Placement{Candidates: b.pool.Candidates(0), PerInstance: 10},
		})
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		require.Equal(t, sessions.NoEvent, other.eventOf(t, "s").Kind, "a re-home is the mover's to tell")
	})
}

// A drop between question and answer voids the answer; it must not make the call a second one, which would be told that
// the session exists.
func TestACreateThatRacesADropIsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{Size: 1, Life: time.Hour})
		other := b.once(t, "other")
		b.store.afterPin = sync.OnceFunc(func() {
			_, err := b.End(t.Context(), other, false)
			require.NoError(t, err)
		})
		s, created, err := b.Create(t.Context(), creation("s"))
		require.NoError(t, err)
		require.True(t, created)
		require.Equal(t, s.Epoch, b.once(t, "s").Epoch)
	})
}

// TestWhatTheAPIMadeIsAnnouncedOnce: any replica may announce it, and the first one to do so tells the store at once, not
// with its next batch, so that the others find nothing left to announce.
func TestWhatTheAPIMadeIsAnnouncedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		made, _, err := b.Create(t.Context(), sessions.CreateRequest{ID: "s", Settings: sessions.Settings{TTL: time.Hour}})
		require.NoError(t, err)
		cache := sessions.NewCache(sessions.CacheConfig{})
		other := b.replica(rules(), cache)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			cache.Run(ctx, b.store, func(int, error) {})
		}()
		defer func() { stop(); <-done }()
		synctest.Wait()
		u, err := other.Use(t.Context(), "s")
		require.NoError(t, err)
		require.Equal(t, sessions.EventCreated, u.Event().Kind)
		u.Delivered()
		u.Release()
		time.Sleep(2 * sessions.MinTouchInterval)
		got, err := b.store.Get(t.Context(), made.Key)
		require.NoError(t, err)
		require.Equal(t, sessions.NoEvent, got.Event.Kind)
	})
}
