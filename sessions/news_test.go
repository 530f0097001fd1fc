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

// news are a sessions.News that a test tells by hand.
type news struct {
	changed func(sessions.Key)
	fresh   atomic.Pointer[sessions.Freshness]
}

func (n *news) Follow(_ context.Context, changed func(sessions.Key)) { n.changed = changed }
func (n *news) Fresh(string) sessions.Freshness                      { return *n.fresh.Load() }

// set makes the news complete since a moment, and heard until now.
func (n *news) set(since time.Time) { n.fresh.Store(&sessions.Freshness{Since: since, At: time.Now()}) }

func key(id string) sessions.Key { return sessions.Key{Function: "f", Qualifier: "LATEST", ID: id} }

// newNews is a bench whose cache hears news from now on.
func newNews(t testing.TB, c sessions.CacheConfig) (*bench, *news) {
	n := &news{}
	n.set(time.Now())
	c.News = n
	b := newBench(t, rules(), c)
	b.cache.Follow(t.Context())
	return b, n
}

// asks says whether a use of the session asks the store.
func (b *bench) asks(t testing.TB, id string) bool {
	before := b.store.pins.Load()
	b.once(t, id)
	return b.store.pins.Load() > before
}

func TestNewsReplaceTheLifeOfAnEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, n := newNews(t, sessions.CacheConfig{})
		since := time.Now()
		b.once(t, "s")
		for range 100 {
			time.Sleep(sessions.NewsMaxAge - time.Millisecond)
			require.False(t, b.asks(t, "s"))
			n.set(since)
		}
		require.False(t, b.asks(t, "s"))
		time.Sleep(sessions.NewsMaxAge)
		require.True(t, b.asks(t, "s"), "the news are too old")
		require.True(t, b.asks(t, "s"), "and still are")
		n.set(since)
		require.False(t, b.asks(t, "s"))
	})
}

func TestEntriesFromBeforeTheNewsAreInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, n := newNews(t, sessions.CacheConfig{})
		b.once(t, "s")
		time.Sleep(time.Millisecond)
		n.set(time.Now())
		require.True(t, b.asks(t, "s"), "something may have changed before Since, unheard")
		require.False(t, b.asks(t, "s"))
		n.fresh.Store(&sessions.Freshness{Since: time.Now(), At: time.Now(), Lost: true})
		require.True(t, b.asks(t, "s"), "nothing is heard")
		require.True(t, b.asks(t, "s"))
	})
}

func TestWithoutNewsAnEntryHasItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, n := newNews(t, sessions.CacheConfig{})
		n.fresh.Store(&sessions.Freshness{})
		b.once(t, "s")
		time.Sleep(sessions.DefaultCacheLife - time.Nanosecond)
		require.False(t, b.asks(t, "s"))
		time.Sleep(time.Nanosecond)
		require.True(t, b.asks(t, "s"))
	})
}

func TestAChangeMakesTheNextUseAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, n := newNews(t, sessions.CacheConfig{})
		b.once(t, "s")
		b.once(t, "other")
		n.changed(key("s"))
		n.changed(key("unknown"))
		require.True(t, b.asks(t, "s"))
		require.False(t, b.asks(t, "s"))
		require.False(t, b.asks(t, "other"))
		require.EqualValues(t, 2, b.cache.Stats().News)
	})
}

// A stream is in flight when the news come, and for an hour after: its session must be touched all the while.
func TestAChangeStopsNoTouches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, n := newNews(t, sessions.CacheConfig{})
		b.flushing(t)
		u := b.use(t, "s")
		defer u.Release()
		n.changed(key("s"))
		time.Sleep(59 * time.Minute)
		got, err := b.store.Get(t.Context(), key("s"))
		require.NoError(t, err, "the idle timeout of a minute has not ended it")
		require.Equal(t, u.Session().Epoch, got.Epoch)
		require.Equal(t, got.Epoch, b.once(t, "s").Epoch, "the next use asks, and gets the same")
		require.Equal(t, 1, b.cache.Stats().Tracked, "in one entry")
	})
}

// The news of an end come between a flight's question and its answer: the answer must not bring the session back.
func TestAnAnswerOlderThanTheNewsIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, n := newNews(t, sessions.CacheConfig{})
		other := b.replica(rules(), sessions.NewCache(sessions.CacheConfig{Life: time.Hour}))
		u, err := other.Use(t.Context(), "s")
		require.NoError(t, err)
		was := *u.Session()
		u.Release()
		b.store.afterPin = sync.OnceFunc(func() {
			_, err := other.End(t.Context(), was, false)
			require.NoError(t, err)
			n.changed(was.Key)
		})
		now := b.once(t, "s")
		require.Greater(t, now.Epoch, was.Epoch, "asked again: a new session")
		require.EqualValues(t, 3, b.store.pins.Load())
		require.False(t, b.asks(t, "s"))
		require.Equal(t, now.Epoch, b.once(t, "s").Epoch)
	})
}

// The news of what a call of this replica's own made come before the call's answer. The use that asked goes on with the
// answer; whoever joined it, perhaps after somebody had ended the session again, asks once more.
func TestTheNewsOfItsOwnCreationCostOneLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, n := newNews(t, sessions.CacheConfig{})
		b.store.afterPin = sync.OnceFunc(func() { n.changed(key("s")) })
		b.once(t, "s")
		require.EqualValues(t, 1, b.store.pins.Load(), "not asked twice")
		require.True(t, b.asks(t, "s"))
		require.False(t, b.asks(t, "s"))

		b.store.afterPin = sync.OnceFunc(func() {
			time.Sleep(time.Millisecond) // all the others have joined
			n.changed(key("t"))
		})
		before := b.store.pins.Load()
		epochs := make([]uint64, 100)
		var wg sync.WaitGroup
		for i := range epochs {
			wg.Go(func() { epochs[i] = b.once(t, "t").Epoch })
		}
		wg.Wait()
		for _, e := range epochs {
			require.Equal(t, epochs[0], e)
		}
		require.Less(t, b.store.pins.Load()-before, int64(len(epochs)/4), "they share the second look-up, but for who is on the way when it ends")
	})
}

// However fast the news come, a request gets its session.
func TestNewsWithoutEndFailNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, n := newNews(t, sessions.CacheConfig{})
		first := b.once(t, "s")
		b.store.afterPin = func() { n.changed(key("s")) }
		for range 10 {
			require.Equal(t, first.Epoch, b.once(t, "s").Epoch)
			n.changed(key("s"))
		}
		require.LessOrEqual(t, b.store.pins.Load(), int64(1+10*4))
	})
}

// While the store does not answer, an entry counts from when the news last vouched for it, however long ago it was asked
// for itself.
func TestAnOutageBeginsWithTheLastNews(t *testing.T) {
	for name, lost := range map[string]func(n *news, since, at time.Time){
		"silence": func(*news, time.Time, time.Time) {},
		"lost": func(n *news, since, at time.Time) {
			n.fresh.Store(&sessions.Freshness{Since: since, At: at, Lost: true})
		},
		"come back": func(n *news, _, at time.Time) {
			n.fresh.Store(&sessions.Freshness{Since: at.Add(1), At: at.Add(1), Lost: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const staleMax = 10 * time.Second
				b, n := newNews(t, sessions.CacheConfig{StaleMax: staleMax})
				since := time.Now()
				first := b.once(t, "s")
				time.Sleep(50 * time.Second)
				n.set(since)
				at := time.Now()
				require.False(t, b.asks(t, "s"))
				b.store.down.Store(true)
				lost(n, since, at)
				time.Sleep(staleMax - time.Millisecond)
				require.Equal(t, first.Epoch, b.once(t, "s").Epoch)
				time.Sleep(time.Millisecond)
				_, err := b.Use(t.Context(), "s")
				require.ErrorIs(t, err, sessions.ErrUnavailable)
			})
		})
	}
}

// What is known to have changed is not vouched for by news that come later.
func TestAChangedEntryCountsFromBeforeTheChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const staleMax = 10 * time.Second
		b, n := newNews(t, sessions.CacheConfig{StaleMax: staleMax})
		since := time.Now()
		b.once(t, "s")
		n.changed(key("s"))
		time.Sleep(staleMax)
		n.set(since)
		b.store.down.Store(true)
		_, err := b.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrUnavailable)
	})
}

func TestUseHitByNewsAllocatesNothing(t *testing.T) {
	b, n := newNews(t, sessions.CacheConfig{})
	b.once(t, "s")
	ctx, now := t.Context(), sessions.Freshness{Since: time.Now().Add(-time.Hour), At: time.Now().Add(time.Hour)}
	n.fresh.Store(&now)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		u, err := b.Use(ctx, "s")
		if err != nil {
			t.Fatal(err)
		}
		u.Release()
	}))
	require.EqualValues(t, 1, b.store.pins.Load())
}
