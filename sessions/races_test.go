package sessions_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// hooked runs afterRehome between the store's answer and the table's memory of it.
type hooked struct {
	*store
	afterRehome func(error)
	rehome      func(sessions.RehomeRequest) (sessions.Session, error)
}

func (h *hooked) Rehome(ctx context.Context, r sessions.RehomeRequest) (sessions.Session, error) {
	if h.rehome != nil {
		return h.rehome(r)
	}
	s, err := h.Store.Rehome(ctx, r)
	if h.afterRehome != nil {
		h.afterRehome(err)
	}
	return s, err
}

func (b *bench) hook(r sessions.Rules) *hooked {
	h := &hooked{store: b.store}
	b.Table = sessions.NewTable(sessions.TableConfig{Rules: r, Cache: b.cache, Store: h, Pool: b.pool})
	return h
}

// The store moves a session; before this replica has taken that in, another request of it reads the moved session from
// the store and fills the cache first. The one that moved it has to announce it all the same.
func TestTheMoverAnnouncesAlsoWhenAReaderWasFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		u := b.use(t, "s")
		u.Delivered()
		was := *u.Session()
		u.Release()
		time.Sleep(2 * sessions.DefaultCacheLife) // the entry is to be checked again
		h := b.hook(rules())
		h.afterRehome = func(err error) {
			require.NoError(t, err)
			require.Equal(t, sessions.NoEvent, b.eventOf(t, "s").Kind, "the reader leaves it to the mover")
		}
		u = b.use(t, "s")
		time.Sleep(2 * sessions.DefaultCacheLife)
		require.NoError(t, u.Rehome(t.Context()))
		defer u.Release()
		require.Equal(t, was.Epoch+1, u.Session().Epoch)
		require.Equal(t, sessions.EventRehomed, u.Event().Kind)
	})
}

// A probe's loss may be overruled by another replica, a refused dial may not: who was refused must not be given the
// answer to the other question.
func TestARefusedDialIsNotAnsweredWithAnotherReplicasSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{Life: time.Hour})
		h := b.hook(rules())
		refused := b.use(t, "s")
		defer refused.Release()
		b.pool.set(refused.Session().Home, sessions.HomeLost)
		asked, answer := make(chan struct{}), make(chan struct{})
		h.rehome = func(r sessions.RehomeRequest) (sessions.Session, error) {
			if r.Certain {
				return h.Store.Rehome(t.Context(), r)
			}
			close(asked)
			<-answer
			return sessions.Session{}, sessions.ErrAlive
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			u, err := b.Use(t.Context(), "s")
			require.NoError(t, err)
			u.Release()
		})
		<-asked
		var err error
		wg.Go(func() { err = refused.Rehome(t.Context()) })
		synctest.Wait()
		close(answer)
		wg.Wait()
		require.NoError(t, err)
	})
}

// Of two waiting requests of one session, the first gets the slot: the second has its session, and no reason to wait
// for another slot.
func TestAWaiterWhoseSessionCameToBeWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := full(t, 10*time.Second)
		start := time.Now()
		one := b.join(t.Context(), "wanted")
		other := b.join(t.Context(), "other")
		two := b.join(t.Context(), "wanted")
		_, err := b.End(t.Context(), first, false)
		require.NoError(t, err)
		require.NoError(t, <-one)
		require.NoError(t, <-two)
		require.Less(t, time.Since(start), time.Second)
		require.ErrorIs(t, <-other, sessions.ErrFull)
	})
}

func TestWaitForAnInstanceThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rules()
		r.Wait = time.Second
		b := newBench(t, r, sessions.CacheConfig{})
		b.pool.candidates = nil
		_, err := b.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrNoInstance)
	})
}

// A failover may lose what only the old master had. What the store says from then on is what every replica follows.
func TestAStoreThatLostAnEpochIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		replica := newBench(t, rules(), sessions.CacheConfig{})
		old := replica.once(t, "s")
		time.Sleep(time.Second)
		lost := b.once(t, "s")
		require.Greater(t, lost.Epoch, old.Epoch)
		b.store.Store = replica.store.Store // the old master's replica takes over
		time.Sleep(sessions.DefaultCacheLife)
		require.Equal(t, old.Epoch, b.once(t, "s").Epoch)
	})
}

// Where every answer loses its race against a drop, a request still gets its session; only nobody remembers it.
func TestAnAnswerThatAlwaysLosesItsRaceIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{Size: 1, Life: time.Hour})
		b.flushing(t)
		other := b.once(t, "other")
		b.store.afterPin = func() { _, _ = b.End(t.Context(), other, false) }
		u := b.use(t, "s")
		b.store.afterPin = nil
		asked := b.store.pins.Load()
		require.Equal(t, u.Session().Epoch, b.once(t, "s").Epoch)
		require.Greater(t, b.store.pins.Load(), asked)
		time.Sleep(10 * rules().IdleTimeout)
		got, err := b.get(t, "s")
		require.NoError(t, err, "what is in use is touched, remembered or not")
		require.Equal(t, u.Session().Epoch, got.Epoch)
		u.Release()
		require.Zero(t, b.cache.Stats().Tracked)
	})
}

func TestAStoreThatHangsIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		h := &hanging{store: b.store}
		table := sessions.NewTable(sessions.TableConfig{Rules: rules(), Cache: b.cache, Store: h, Pool: b.pool})
		start := time.Now()
		_, err := table.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrUnavailable)
		_, _, err = table.Create(t.Context(), creation("s"))
		require.ErrorIs(t, err, sessions.ErrUnavailable)
		require.LessOrEqual(t, time.Since(start), 6*time.Second)
	})
}

// hanging is a store that answers no Pin.
type hanging struct{ *store }

func (*hanging) Pin(ctx context.Context, _ sessions.PinRequest) (sessions.Session, bool, error) {
	<-ctx.Done()
	return sessions.Session{}, false, ctx.Err()
}
