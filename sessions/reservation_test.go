package sessions_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// reserve takes a slot.
func (b *bench) reserve(t testing.TB) sessions.Use {
	t.Helper()
	u, err := b.Reserve(t.Context())
	require.NoError(t, err)
	require.True(t, u.Reserved())
	return u
}

// oneSlot are rules under which an instance has one session, and a bench of one instance.
func oneSlot(t testing.TB, change func(*sessions.Rules)) *bench {
	r := rules()
	r.PerInstance, r.IdleTimeout = 1, 0
	if change != nil {
		change(&r)
	}
	b := newBench(t, r, sessions.CacheConfig{})
	b.pool.candidates = b.pool.candidates[:1]
	return b
}

func TestAReservationBecomesASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		u := b.reserve(t)
		reserved := *u.Session()
		require.Empty(t, reserved.ID, "nothing may show the key to anybody")
		require.Equal(t, sessions.EventCreated, u.Event().Kind)
		require.NoError(t, u.Ended().Err())

		id := `a:b/{c}%"\<~` + strings.Repeat("x", 1000)
		require.NoError(t, u.Bind(t.Context(), id))
		require.False(t, u.Reserved())
		s := *u.Session()
		require.Equal(t, id, s.ID)
		require.Equal(t, reserved.Home, s.Home)
		require.Greater(t, s.Epoch, reserved.Epoch)
		require.Equal(t, time.Hour, s.TTL)
		require.Equal(t, time.Minute, s.IdleTimeout)
		require.Equal(t, sessions.Event{}, s.Event)
		require.Equal(t, sessions.EventCreated, u.Event().Kind, "its exchange tells the client")
		require.ErrorIs(t, u.Bind(t.Context(), "again"), sessions.ErrNotFound)

		other, err := b.replica(rules(), sessions.NewCache(sessions.CacheConfig{Life: time.Second})).UseExisting(t.Context(), id)
		require.NoError(t, err, "any replica finds it")
		require.Equal(t, s.Home, other.Session().Home)
		require.Equal(t, sessions.NoEvent, other.Event().Kind, "nobody else announces it")
		other.Release()
		pins := b.store.pins.Load()
		here, err := b.UseExisting(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, pins, b.store.pins.Load(), "this replica knows it")
		require.Equal(t, sessions.NoEvent, here.Event().Kind)
		here.Release()
		u.Release()
	})
}

func TestAReleasedReservationGivesItsSlotBack(t *testing.T) {
	for name, release := range map[string]func(*sessions.Use){"released": (*sessions.Use).Release, "abandoned": (*sessions.Use).Abandon} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := oneSlot(t, nil)
				for range 3 {
					u := b.reserve(t)
					_, err := b.Reserve(t.Context())
					require.ErrorIs(t, err, sessions.ErrFull, "it counts")
					_, err = b.Use(t.Context(), "s")
					require.ErrorIs(t, err, sessions.ErrFull)
					release(&u)
					require.False(t, u.Reserved())
				}
			})
		})
	}
}

func TestAReservationEndsByItself(t *testing.T) {
	for life, want := range map[time.Duration]time.Duration{0: sessions.DefaultReservationLife, 5 * time.Second: 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := oneSlot(t, func(r *sessions.Rules) { r.ReservationLife = life })
			u := b.reserve(t)
			time.Sleep(want - time.Millisecond)
			_, err := b.Reserve(t.Context())
			require.ErrorIs(t, err, sessions.ErrFull, "never early")
			time.Sleep(time.Millisecond)
			next := b.reserve(t)
			require.ErrorIs(t, u.Bind(t.Context(), "late"), sessions.ErrNotFound)
			require.True(t, u.Reserved(), "after an error it is what it was")
			u.Release()
			require.NoError(t, next.Bind(t.Context(), "s"))
			next.Release()
		})
	}
}

func TestReserveWaitsInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneSlot(t, func(r *sessions.Rules) { r.Wait = 10 * time.Second })
		first := b.reserve(t)
		got := make(chan error, 1)
		begun := time.Now()
		go func() {
			u, err := b.Reserve(t.Context())
			u.Release()
			got <- err
		}()
		synctest.Wait()
		first.Release()
		require.NoError(t, <-got)
		require.Zero(t, time.Since(begun), "woken, not polled")

		b.reserve(t)
		_, err := b.Reserve(t.Context())
		require.ErrorIs(t, err, sessions.ErrFull)
		require.Equal(t, 10*time.Second, time.Since(begun))
	})
}

func TestReserveAsksForMoreInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.pool.candidates = nil
		wanted := 0
		table := sessions.NewTable(sessions.TableConfig{
			Rules: rules(), Cache: b.cache, Store: b.store, Pool: b.pool, Want: func(string, int) { wanted++ },
		})
		_, err := table.Reserve(t.Context())
		require.ErrorIs(t, err, sessions.ErrNoInstance)
		require.Equal(t, 1, wanted)
	})
}

func TestNobodyUsesAReservationByItsKey(t *testing.T) {
	b := newBench(t, rules(), sessions.CacheConfig{})
	key := sessions.ReservedKey("f", "LATEST")
	require.NotEqual(t, key, sessions.ReservedKey("f", "LATEST"))
	require.True(t, key.Reserved())
	require.False(t, sessions.Key{ID: "s"}.Reserved())
	_, err := b.Use(t.Context(), key.ID)
	require.ErrorIs(t, err, sessions.ErrNotFound)
	_, err = b.UseExisting(t.Context(), key.ID)
	require.ErrorIs(t, err, sessions.ErrNotFound)
	u := b.reserve(t)
	require.ErrorIs(t, u.Bind(t.Context(), key.ID), sessions.ErrNotFound)
	u.Release()
}

// A bind is not the caller's to cancel: the instance has the session.
func TestABindOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		u := b.reserve(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, u.Bind(ctx, "s"))
		u.Release()
	})
}

func TestAnInstanceMayNameItsSessionAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.pool.candidates = []sessions.Home{home("a")}
		first := b.reserve(t)
		require.NoError(t, first.Bind(t.Context(), "s"))
		again := b.reserve(t)
		require.NoError(t, again.Bind(t.Context(), "s"))
		require.Equal(t, first.Session().Epoch, again.Session().Epoch)
		require.Equal(t, sessions.NoEvent, again.Event().Kind, "it was not created now")

		b.pool.candidates = []sessions.Home{home("b")}
		elsewhere := b.reserve(t)
		require.ErrorIs(t, elsewhere.Bind(t.Context(), "s"), sessions.ErrExists)
		require.True(t, elsewhere.Reserved())
		for _, u := range []*sessions.Use{&first, &again, &elsewhere} {
			u.Release()
		}
	})
}

// A look-up of the ID that the store answered before the bind must not be the answer to one that began after it.
func TestABoundSessionIsFoundAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.store.afterPin = func() { time.Sleep(time.Second) } // its answer is on its way for so long
		other := b.replica(rules(), sessions.NewCache(sessions.CacheConfig{Life: time.Second}))
		u := b.reserve(t)
		missed := make(chan error, 2)
		for _, table := range []*sessions.Table{b.Table, other} {
			go func() {
				_, err := table.UseExisting(t.Context(), "s")
				missed <- err
			}()
		}
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, u.Bind(t.Context(), "s"))
		for _, table := range []*sessions.Table{b.Table, other} {
			found, err := table.UseExisting(t.Context(), "s")
			require.NoError(t, err)
			found.Release()
		}
		require.ErrorIs(t, <-missed, sessions.ErrNotFound)
		require.ErrorIs(t, <-missed, sessions.ErrNotFound)
		u.Release()
	})
}

func TestARefusedDialMovesAReservation(t *testing.T) {
	for _, policy := range []sessions.LossPolicy{sessions.LossRehome, sessions.LossFail} {
		synctest.Test(t, func(t *testing.T) {
			r := rules()
			r.OnLoss, r.Immovable = policy, true
			b := newBench(t, r, sessions.CacheConfig{})
			u := b.reserve(t)
			was := u.Session().Home
			require.NoError(t, u.Rehome(t.Context()))
			require.True(t, u.Reserved())
			require.NotEqual(t, was, u.Session().Home)
			require.NoError(t, u.Bind(t.Context(), "s"))
			require.NotEqual(t, was, u.Session().Home)
			require.Equal(t, sessions.Event{Kind: sessions.EventCreated}, u.Event())
			u.Release()
		})
	}
}
