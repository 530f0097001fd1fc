package sessions_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// pool is a sessions.Pool that a test moves by hand.
type pool struct {
	mu         sync.Mutex
	candidates []sessions.Home
	states     map[sessions.Home]sessions.HomeState
	since      time.Time
	changed    chan struct{}
}

func home(id string) sessions.Home { return sessions.Home{Version: "LATEST", ID: id, Incarnation: 1} }

func newPool(ids ...string) *pool {
	p := &pool{states: map[sessions.Home]sessions.HomeState{}, changed: make(chan struct{})}
	for _, id := range ids {
		p.candidates = append(p.candidates, home(id))
	}
	return p
}

func (p *pool) Candidates(int) []sessions.Home {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]sessions.Home(nil), p.candidates...)
}

func (p *pool) Drained() (all []sessions.Home) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for h, state := range p.states {
		if state == sessions.HomeDrained {
			all = append(all, h)
		}
	}
	return all
}

func (p *pool) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *pool) State(h sessions.Home) (sessions.HomeState, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states[h], p.since
}

// set makes h what state says, and takes it out of the candidates unless it is up.
func (p *pool) set(h sessions.Home, state sessions.HomeState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states[h], p.since = state, time.Now()
	var left []sessions.Home
	for _, c := range p.candidates {
		if c != h {
			left = append(left, c)
		}
	}
	if state == sessions.HomeUp {
		left = append(left, h)
	}
	p.candidates = left
	close(p.changed)
	p.changed = make(chan struct{})
}

// store counts calls, and answers for the store where a test wants it to.
type store struct {
	sessions.Store
	pins, touches       atomic.Int64
	down                atomic.Bool
	beforePin, afterPin func()
}

func (s *store) Pin(ctx context.Context, r sessions.PinRequest) (sessions.Session, bool, error) {
	s.pins.Add(1)
	if s.beforePin != nil {
		s.beforePin()
	}
	if s.down.Load() {
		return sessions.Session{}, false, fmt.Errorf("test: %w", sessions.ErrUnavailable)
	}
	got, created, err := s.Store.Pin(ctx, r)
	if s.afterPin != nil {
		s.afterPin()
	}
	return got, created, err
}

func (s *store) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	s.touches.Add(int64(len(touches)))
	if s.down.Load() {
		return nil, fmt.Errorf("test: %w", sessions.ErrUnavailable)
	}
	return s.Store.Touch(ctx, touches)
}

// bench is a table with all that it stands on.
type bench struct {
	*sessions.Table
	pool  *pool
	store *store
	cache *sessions.Cache
}

func rules() sessions.Rules {
	return sessions.Rules{
		Function: "f", Qualifier: "LATEST", Affinity: sessions.AffinityHeader, OnLoss: sessions.LossRehome,
		Config: sessions.Config{TTL: time.Hour, IdleTimeout: time.Minute, PerInstance: 10}, AliveWithin: 7 * time.Second,
	}
}

func newBench(t testing.TB, r sessions.Rules, c sessions.CacheConfig) *bench {
	t.Helper()
	mem, err := embeddedstore.Open(embeddedstore.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mem.Close()) })
	if c.Life == 0 {
		c.Life = sessions.DefaultCacheLife
	}
	b := &bench{pool: newPool("a", "b"), store: &store{Store: mem}, cache: sessions.NewCache(c)}
	b.Table = b.replica(r, b.cache)
	return b
}

// replica is another table on the same store.
func (b *bench) replica(r sessions.Rules, c *sessions.Cache) *sessions.Table {
	return sessions.NewTable(sessions.TableConfig{Rules: r, Cache: c, Store: b.store, Pool: b.pool})
}

func (b *bench) use(t testing.TB, id string) sessions.Use {
	t.Helper()
	u, err := b.Use(t.Context(), id)
	require.NoError(t, err)
	return u
}

// once uses the session and lets it go, and returns what it was.
func (b *bench) once(t testing.TB, id string) sessions.Session {
	t.Helper()
	u := b.use(t, id)
	defer u.Release()
	return *u.Session()
}

func TestUseAsksTheStoreOnceInALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		first := b.once(t, "s")
		for range 10 {
			require.Equal(t, first.Home, b.once(t, "s").Home)
		}
		require.EqualValues(t, 1, b.store.pins.Load())
		time.Sleep(sessions.DefaultCacheLife)
		require.Equal(t, first.Home, b.once(t, "s").Home)
		require.EqualValues(t, 2, b.store.pins.Load(), "an entry past its life is checked")
	})
}

func TestUseHitAllocatesNothing(t *testing.T) {
	b := newBench(t, rules(), sessions.CacheConfig{Life: time.Hour})
	b.once(t, "s")
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		u, err := b.Use(ctx, "s")
		if err != nil {
			t.Fatal(err)
		}
		u.Release()
	}))
}

func TestOneFlightForAMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.store.beforePin = func() { time.Sleep(time.Millisecond) }
		homes := make([]sessions.Home, 100)
		var wg sync.WaitGroup
		for i := range homes {
			wg.Go(func() { homes[i] = b.once(t, "s").Home })
		}
		wg.Wait()
		for _, h := range homes {
			require.Equal(t, homes[0], h)
		}
		require.EqualValues(t, 1, b.store.pins.Load())
	})
}

func TestACallerWhoHangsUpFailsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.store.beforePin = func() { time.Sleep(time.Second) }
		impatient, hangUp := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := b.Use(impatient, "s")
			failed <- err
		}()
		synctest.Wait()
		patient := make(chan error, 1)
		go func() {
			u, err := b.Use(t.Context(), "s")
			u.Release()
			patient <- err
		}()
		synctest.Wait()
		hangUp()
		require.ErrorIs(t, <-failed, context.Canceled)
		require.NoError(t, <-patient)
		require.EqualValues(t, 1, b.store.pins.Load())
	})
}

// silent never answers, and knows of a flight's end an instant before the flight's own timer.
type silent struct{ sessions.Store }

func (silent) Pin(ctx context.Context, _ sessions.PinRequest) (sessions.Session, bool, error) {
	end, _ := ctx.Deadline()
	time.Sleep(time.Until(end) - 1)
	return sessions.Session{}, false, context.DeadlineExceeded
}

func TestAStoreThatDoesNotAnswerInTimeIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		table := sessions.NewTable(sessions.TableConfig{Rules: rules(), Cache: b.cache, Store: silent{b.store}, Pool: b.pool})
		_, err := table.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrUnavailable)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller had no deadline")
	})
}

func TestStaleEntriesServeAnOutage(t *testing.T) {
	for _, c := range []struct {
		name     string
		staleMax time.Duration
		served   time.Duration // how long after the last check
	}{
		{"bounded", 30 * time.Second, 30 * time.Second},
		{"strict", 0, sessions.DefaultCacheLife},
		{"available: until the session's own deadline", -1, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, rules(), sessions.CacheConfig{StaleMax: c.staleMax})
				at := time.Now()
				first := b.once(t, "s")
				b.store.down.Store(true)
				_, err := b.Use(t.Context(), "new")
				require.ErrorIs(t, err, sessions.ErrUnavailable, "a new session cannot be pinned by guess")

				time.Sleep(c.served - time.Millisecond - time.Since(at))
				u, err := b.Use(t.Context(), "s")
				require.NoError(t, err)
				require.Equal(t, first.Home, u.Session().Home)
				u.Release()
				if c.staleMax < 0 {
					return // in use it lives on: until the TTL, below
				}
				time.Sleep(time.Millisecond)
				_, err = b.Use(t.Context(), "s")
				require.ErrorIs(t, err, sessions.ErrUnavailable)

				b.store.down.Store(false)
				require.Equal(t, first.Epoch, b.once(t, "s").Epoch, "recovery needs no hand")
			})
		})
	}
}

func TestAvailableEndsWithTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{StaleMax: -1})
		b.once(t, "s")
		b.store.down.Store(true)
		for range 119 {
			time.Sleep(30 * time.Second)
			b.once(t, "s")
		}
		time.Sleep(30 * time.Second)
		_, err := b.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrUnavailable)
	})
}

func TestEventIsAnnouncedByOneExchangeUntilDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		first, second := b.use(t, "s"), b.use(t, "s")
		require.Equal(t, sessions.EventCreated, first.Event().Kind)
		require.Equal(t, sessions.NoEvent, second.Event().Kind, "one exchange at a time")
		first.Release()
		third := b.use(t, "s")
		require.Equal(t, sessions.EventCreated, third.Event().Kind, "the first got no response")
		third.Delivered()
		third.Release()
		require.Equal(t, sessions.NoEvent, b.eventOf(t, "s").Kind)

		require.NoError(t, b.cache.Flush(t.Context(), b.store))
		got, err := b.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
		require.NoError(t, err)
		require.Equal(t, sessions.NoEvent, got.Event.Kind, "the record knows that it was delivered")
		second.Release()
	})
}

func (b *bench) eventOf(t testing.TB, id string) sessions.Event {
	u := b.use(t, id)
	defer u.Release()
	return u.Event()
}

func TestAnotherReplicaAnnouncesOnlyAPendingEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		b.once(t, "s") // nobody is told: the replica dies
		other := &bench{Table: b.replica(rules(), sessions.NewCache(sessions.CacheConfig{Life: time.Second}))}
		require.Equal(t, sessions.NoEvent, other.eventOf(t, "s").Kind, "the replica that made it may still tell")
		time.Sleep(3 * time.Second)
		require.Equal(t, sessions.EventCreated, other.eventOf(t, "s").Kind)
	})
}

func TestNoCandidates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{})
		was := b.once(t, "s")
		b.pool.mu.Lock()
		b.pool.candidates = nil
		b.pool.mu.Unlock()
		_, err := b.Use(t.Context(), "new")
		require.ErrorIs(t, err, sessions.ErrNoInstance)
		time.Sleep(2 * sessions.DefaultCacheLife)
		require.Equal(t, was.Home, b.once(t, "s").Home, "a session that has a home needs no candidate")
	})
}

// End between a flight's question and its answer must not let the answer bring the session back.
func TestAnAnswerOlderThanAnEndIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, rules(), sessions.CacheConfig{Life: time.Hour})
		was := b.once(t, "s")
		other := b.replica(rules(), sessions.NewCache(sessions.CacheConfig{Life: time.Hour}))
		ending := sync.OnceFunc(func() {
			_, err := other.End(t.Context(), was, false)
			require.NoError(t, err)
		})
		cold := sessions.NewCache(sessions.CacheConfig{Life: time.Hour})
		var table *sessions.Table
		b.store.afterPin = sync.OnceFunc(func() {
			ending()
			_, err := table.End(t.Context(), was, false) // this replica hears of it while the answer is on its way
			require.ErrorIs(t, err, sessions.ErrNotFound)
		})
		table = b.replica(rules(), cold)
		u, err := table.Use(t.Context(), "s")
		require.NoError(t, err)
		require.Greater(t, u.Session().Epoch, was.Epoch, "asked again: a new session")
		u.Release()
		got, err := b.store.Get(t.Context(), was.Key)
		require.NoError(t, err)
		u, err = table.Use(t.Context(), "s")
		require.NoError(t, err)
		require.Equal(t, got.Epoch, u.Session().Epoch)
		u.Release()
	})
}
