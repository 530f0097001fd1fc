package sessions_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// updating is a store whose Update a test gets hold of.
type updating struct {
	*store
	after func(sessions.Session, error) error // between the store's answer and the table's memory of it
}

func (s *updating) Update(ctx context.Context, r sessions.UpdateRequest) (sessions.Session, error) {
	got, err := s.Store.Update(ctx, r)
	if s.after != nil {
		err = s.after(got, err)
	}
	return got, err
}

// updated is a bench with a session "s", whose answers are remembered for an hour.
func updated(t *testing.T) (*bench, *updating) {
	b := newBench(t, rules(), sessions.CacheConfig{Life: time.Hour})
	up := &updating{store: b.store}
	b.Table = sessions.NewTable(sessions.TableConfig{Rules: rules(), Cache: b.cache, Store: up, Pool: b.pool})
	b.once(t, "s")
	time.Sleep(time.Millisecond)
	return b, up
}

func ttl(id string, d time.Duration) sessions.UpdateRequest {
	return sessions.UpdateRequest{Key: sessions.Key{ID: id}, TTL: &d}
}

func idle(id string, d time.Duration) sessions.UpdateRequest {
	return sessions.UpdateRequest{Key: sessions.Key{ID: id}, IdleTimeout: &d}
}

func (b *bench) update(t testing.TB, r sessions.UpdateRequest) sessions.Session {
	t.Helper()
	s, err := b.Update(t.Context(), r)
	require.NoError(t, err)
	return s
}

func TestUpdateGovernsAtOnce(t *testing.T) {
	t.Run("extended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, _ := updated(t)
			was := b.once(t, "s")
			b.update(t, idle("s", 20*time.Minute))
			asked := b.store.pins.Load()
			time.Sleep(19 * time.Minute)
			require.Equal(t, was.Epoch, b.once(t, "s").Epoch)
			require.Equal(t, asked, b.store.pins.Load(), "this replica knows it without asking")
		})
	})
	t.Run("shortened", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, _ := updated(t)
			was := b.once(t, "s")
			s := b.update(t, ttl("s", 10*time.Second))
			require.Equal(t, 10*time.Second, s.TTL)
			require.Equal(t, was.Home, s.Home)
			require.Equal(t, was.Epoch, s.Epoch)
			require.True(t, s.ModifiedAt.After(was.ModifiedAt))
			time.Sleep(5 * time.Second)
			require.Equal(t, was.Epoch, b.once(t, "s").Epoch)
			time.Sleep(5 * time.Second)
			require.Greater(t, b.once(t, "s").Epoch, was.Epoch)
		})
	})
}

func TestUpdateOfAnotherQualifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := updated(t)
		r := ttl("s", time.Minute)
		r.Qualifier = "blue"
		_, err := b.Update(t.Context(), r)
		require.ErrorIs(t, err, sessions.ErrNotFound, "the table's own qualifier is not meant")
		r.Function, r.Qualifier = "other", ""
		_, err = b.Update(t.Context(), r)
		require.ErrorIs(t, err, sessions.ErrNotFound)
	})
}

// A stream runs while the idle timeout becomes so short that the old pace of touches would let the session die.
func TestAUseInFlightIsTouchedAtTheNewPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := updated(t)
		b.flushing(t)
		u := b.use(t, "s")
		time.Sleep(time.Second + 500*time.Millisecond)
		b.update(t, idle("s", 200*time.Millisecond))
		require.Equal(t, 1, b.cache.Stats().Tracked)
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			got, err := b.get(t, "s")
			require.NoError(t, err)
			require.Equal(t, u.Session().Epoch, got.Epoch)
		}
		u.Release()
		time.Sleep(500 * time.Millisecond)
		_, err := b.get(t, "s")
		require.ErrorIs(t, err, sessions.ErrNotFound)
	})
}

// The old settings are on their way from the store while an update takes place.
func TestAnAnswerOlderThanAnUpdateIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := updated(t)
		was := b.once(t, "s")
		cold := sessions.NewCache(sessions.CacheConfig{Life: time.Hour})
		table := b.replica(rules(), cold)
		b.store.afterPin = sync.OnceFunc(func() {
			time.Sleep(time.Millisecond)
			_, err := table.Update(t.Context(), ttl("s", 10*time.Second))
			require.NoError(t, err)
		})
		u, err := table.Use(t.Context(), "s")
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, u.Session().TTL)
		u.Release()
		time.Sleep(11 * time.Second)
		u, err = table.Use(t.Context(), "s")
		require.NoError(t, err)
		require.Greater(t, u.Session().Epoch, was.Epoch)
		u.Release()
	})
}

// Two updates are answered in the reverse order: the later one holds.
func TestAnUpdateOvertakenByAnother(t *testing.T) {
	for _, apart := range []time.Duration{time.Millisecond, 0} {
		t.Run(fmt.Sprint("apart by ", apart), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, up := updated(t)
				up.after = func(_ sessions.Session, err error) error {
					up.after = nil
					time.Sleep(apart)
					b.update(t, ttl("s", 2*time.Hour))
					return err
				}
				b.update(t, ttl("s", 10*time.Second))
				require.Equal(t, 2*time.Hour, b.once(t, "s").TTL)
			})
		})
	}
}

func TestAnUpdateOfUnknownOutcomeIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, up := updated(t)
		asked := b.store.pins.Load()
		up.after = func(sessions.Session, error) error { return sessions.ErrUnavailable } // it took place
		_, err := b.Update(t.Context(), ttl("s", 10*time.Second))
		require.ErrorIs(t, err, sessions.ErrUnavailable)
		require.Equal(t, 10*time.Second, b.once(t, "s").TTL)
		require.Equal(t, asked+1, b.store.pins.Load())
		b.once(t, "s")
		require.Equal(t, asked+1, b.store.pins.Load(), "once")
	})
}

func TestAnUpdateInDoubtRoutesWhileTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{Life: time.Hour, StaleMax: time.Hour})
		was := b.once(t, "s")
		up := &updating{store: b.store, after: func(sessions.Session, error) error { return sessions.ErrUnavailable }}
		b.Table = sessions.NewTable(sessions.TableConfig{Rules: rules(), Cache: b.cache, Store: up, Pool: b.pool})
		_, err := b.Update(t.Context(), ttl("s", time.Minute))
		require.ErrorIs(t, err, sessions.ErrUnavailable)
		b.store.down.Store(true)
		require.Equal(t, was.Epoch, b.once(t, "s").Epoch)
	})
}

func TestAnUpdateMayEndTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rules()
		r.Isolation = true
		b := newBench(t, r, sessions.CacheConfig{Life: time.Hour})
		u := b.use(t, "s")
		defer u.Release()
		ended := u.Ended().Done()
		time.Sleep(time.Minute)
		s := b.update(t, ttl("s", time.Second))
		require.NotEqual(t, sessions.Active, s.State)
		<-ended
		require.Greater(t, b.once(t, "s").Epoch, s.Epoch)
	})
}

func TestAnUpdateThatEndsTheSessionWakesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := full(t, 10*time.Second)
		time.Sleep(time.Second)
		start := time.Now()
		second := b.join(t.Context(), "second")
		b.update(t, ttl(first.ID, time.Millisecond))
		require.NoError(t, <-second)
		require.Zero(t, time.Since(start))
	})
}
