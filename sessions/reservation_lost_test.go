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

// A client that hangs up while the store works must not hold a slot until the reservation's end.
func TestAReservationOfWhoHangsUpIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneSlot(t, nil)
		b.store.beforePin = func() { time.Sleep(time.Second) }
		ctx, hangUp := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Millisecond)
			hangUp()
		}()
		_, err := b.Reserve(ctx)
		require.ErrorIs(t, err, context.Canceled)
		time.Sleep(time.Second)
		synctest.Wait()
		b.store.beforePin = nil
		u := b.reserve(t)
		u.Release()
	})
}

// hangs is a store that does not answer some calls, or answers them without success although they had it.
type hangs struct {
	sessions.Store
	ends, loses atomic.Bool
}

func (s *hangs) End(ctx context.Context, old sessions.Session, keep bool) (sessions.Session, error) {
	if s.ends.Load() {
		<-ctx.Done()
		return sessions.Session{}, fmt.Errorf("%w: %w", sessions.ErrUnavailable, ctx.Err())
	}
	return s.Store.End(ctx, old, keep)
}

func (s *hangs) Bind(ctx context.Context, r sessions.BindRequest) (sessions.Session, bool, error) {
	got, created, err := s.Store.Bind(ctx, r)
	if s.loses.Load() {
		return sessions.Session{}, false, fmt.Errorf("test: %w", sessions.ErrUnavailable)
	}
	return got, created, err
}

func TestAStoreThatHangsDoesNotHoldUpARelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneSlot(t, nil)
		h := &hangs{Store: b.store}
		table := sessions.NewTable(sessions.TableConfig{Rules: b.Rules(), Cache: b.cache, Store: h, Pool: b.pool})
		u, err := table.Reserve(t.Context())
		require.NoError(t, err)
		h.ends.Store(true)
		begun := time.Now()
		u.Release()
		require.LessOrEqual(t, time.Since(begun), 100*time.Millisecond)
		time.Sleep(time.Minute) // the flight gives up, and leaves nothing behind but the slot, for its time
	})
}

// The answer to a Bind was lost. To ask again gives the same session; to give up leaves none.
func TestABindWhoseAnswerIsLost(t *testing.T) {
	for name, finish := range map[string]func(*testing.T, *hangs, *sessions.Use){
		"asked again": func(t *testing.T, h *hangs, u *sessions.Use) {
			h.loses.Store(false)
			require.NoError(t, u.Bind(t.Context(), "s"))
			require.Equal(t, sessions.EventCreated, u.Event().Kind)
			_, err := h.End(t.Context(), *u.Session(), false)
			require.NoError(t, err)
			u.Release()
		},
		"given up": func(_ *testing.T, h *hangs, u *sessions.Use) {
			h.loses.Store(false)
			u.Release()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := oneSlot(t, nil)
				h := &hangs{Store: b.store}
				table := sessions.NewTable(sessions.TableConfig{Rules: b.Rules(), Cache: b.cache, Store: h, Pool: b.pool})
				u, err := table.Reserve(t.Context())
				require.NoError(t, err)
				h.loses.Store(true)
				require.ErrorIs(t, u.Bind(t.Context(), "s"), sessions.ErrUnavailable)
				require.True(t, u.Reserved())
				finish(t, h, &u)
				next := b.reserve(t) // the slot is free
				next.Release()
			})
		})
	}
}

// The lost answer was that the instance had named a session which it has already: that one is another client's.
func TestToGiveUpEndsNoSessionThatWasThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.pool.candidates = b.pool.candidates[:1]
		was := b.bind(t, "s")
		h := &hangs{Store: b.store}
		u, err := sessions.NewTable(sessions.TableConfig{Rules: b.Rules(), Cache: b.cache, Store: h, Pool: b.pool}).Reserve(t.Context())
		require.NoError(t, err)
		h.loses.Store(true)
		require.ErrorIs(t, u.Bind(t.Context(), "s"), sessions.ErrUnavailable)
		h.loses.Store(false)
		u.Release()
		still, err := b.store.Get(t.Context(), was.Key)
		require.NoError(t, err)
		require.Equal(t, was.Epoch, still.Epoch)
	})
}
