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

// drainBench is a bench whose instances the registry knows, so that they can be marked.
func drainBench(t *testing.T, r sessions.Rules, ids ...string) *bench {
	t.Helper()
	b := newBench(t, r, sessions.CacheConfig{})
	report := sessions.Report{Function: "f", Version: "LATEST"}
	for _, id := range ids {
		report.Instances = append(report.Instances, sessions.InstanceReport{ID: id, Health: sessions.HealthUp})
	}
	records, err := b.store.Report(t.Context(), report)
	require.NoError(t, err)
	b.pool.candidates = nil
	for _, record := range records {
		b.pool.set(record.Home, sessions.HomeUp)
	}
	return b
}

// drain marks the home, with a deadline that passes at once, and tells the pool.
func (b *bench) drain(t *testing.T, h sessions.Home) {
	t.Helper()
	b.mark(t, h, true)
	b.pool.set(h, sessions.HomeDrained)
}

func (b *bench) mark(t *testing.T, h sessions.Home, draining bool) {
	t.Helper()
	_, err := b.store.Mark(t.Context(), sessions.Mark{Function: "f", Home: h, Draining: draining})
	require.NoError(t, err)
}

func failing() sessions.Rules {
	r := rules()
	r.OnLoss, r.LossGrace = sessions.LossFail, 30*time.Second
	return r
}

// A request at a drained home moves its session, once, however many requests come together; the requests that run there
// are cut, and only those.
func TestDrainedHomeIsLeftWithTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := drainBench(t, rules(), "a", "b")
		stream, other := b.use(t, "s"), b.use(t, "other")
		defer func() { stream.Release(); other.Release() }()
		stream.Delivered()
		was := *stream.Session()
		require.NotEqual(t, was.Home, other.Session().Home)
		cut, spared := stream.Ended(), other.Ended()
		b.drain(t, was.Home)
		var wg sync.WaitGroup
		var told atomic.Int64
		for range 20 {
			wg.Go(func() {
				u := b.use(t, "s")
				defer u.Release()
				require.Equal(t, was.Epoch+1, u.Session().Epoch)
				require.NoError(t, u.Ended().Err())
				if u.Event() == (sessions.Event{Kind: sessions.EventRehomed, Reason: sessions.ReasonDrained, From: was.Home.ID}) {
					told.Add(1)
					u.Delivered()
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, told.Load())
		require.ErrorIs(t, context.Cause(cut), sessions.ErrDrained)
		require.NoError(t, spared.Err())
	})
}

func TestDrainedHomeWithFailEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := drainBench(t, failing(), "a", "b")
		stream := b.use(t, "s")
		defer stream.Release()
		was, cut := *stream.Session(), stream.Ended()
		b.drain(t, was.Home)
		_, err := b.UseExisting(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrNotFound)
		require.ErrorIs(t, context.Cause(cut), sessions.ErrDrained)
		u := b.use(t, "s")
		defer u.Release()
		require.NotEqual(t, was.Home, u.Session().Home)
		require.Equal(t, sessions.EventCreated, u.Event().Kind)
	})
}

// The replica was told a moment ago that the deadline had passed. The store has the last word: the drain may have been
// taken back since, or put off, and the session be a new one.
func TestDrainTakenBackKeepsSessions(t *testing.T) {
	for name, r := range map[string]sessions.Rules{"rehome": rules(), "fail": failing()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := drainBench(t, r, "a", "b")
				was := b.once(t, "s")
				b.drain(t, was.Home)
				b.mark(t, was.Home, false)
				require.Equal(t, was.Epoch, b.once(t, "s").Epoch)
				d, err := b.EmptyDrained(t.Context())
				require.NoError(t, err)
				require.Zero(t, d)
				require.Equal(t, was.Epoch, b.once(t, "s").Epoch)
			})
		})
	}
}

// Where no other instance has room, the drained home keeps its session: it lives.
func TestWithoutRoomElsewhereASessionStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rules()
		r.PerInstance = 1
		b := drainBench(t, r, "a", "b")
		stream, other := b.use(t, "s"), b.use(t, "other")
		defer stream.Release()
		was, cut := *stream.Session(), stream.Ended()
		b.drain(t, was.Home)
		require.Equal(t, was.Epoch, b.once(t, "s").Epoch)
		d, err := b.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.Equal(t, sessions.Departures{Full: true}, d)
		require.NoError(t, cut.Err(), "and its requests go on")
		_, err = b.End(t.Context(), *other.Session(), false)
		require.NoError(t, err)
		other.Release()
		d, err = b.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.Equal(t, sessions.Departures{Moved: 1}, d)
		require.ErrorIs(t, context.Cause(cut), sessions.ErrDrained)
		require.Equal(t, was.Epoch+1, b.once(t, "s").Epoch)
	})
}

// listed is how many Active sessions the store lists on the home.
func (b *bench) listed(t *testing.T, h sessions.Home) int {
	t.Helper()
	page, err := b.store.List(t.Context(), sessions.Query{Function: "f", Version: h.Version, Instance: h.ID, Limit: 1000})
	require.NoError(t, err)
	return len(page.Sessions)
}

// A session that was deleted while its requests run holds the instance no longer than the deadline.
func TestDrainCutsTheRequestsOfADeletedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := drainBench(t, rules(), "a", "b")
		u := b.use(t, "s")
		defer u.Release()
		was, cut := *u.Session(), u.Ended()
		_, err := b.End(t.Context(), was, false)
		require.NoError(t, err)
		require.NoError(t, cut.Err())
		b.drain(t, was.Home)
		_, err = b.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.ErrorIs(t, context.Cause(cut), sessions.ErrDrained)
	})
}

// A store that does not answer moves nobody, and the home lives: its sessions go on.
func TestDrainedHomeWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := drainBench(t, rules(), "a", "b")
		was := b.once(t, "s")
		b.drain(t, was.Home)
		away := sessions.NewTable(sessions.TableConfig{Rules: rules(), Cache: b.cache, Store: unmoved{b.store}, Pool: b.pool})
		u, err := away.Use(t.Context(), "s")
		require.NoError(t, err)
		require.Equal(t, was.Epoch, u.Session().Epoch)
		u.Release()
		_, err = away.EmptyDrained(t.Context())
		require.ErrorIs(t, err, sessions.ErrUnavailable)
	})
}

// unmoved is a store that no Rehome reaches.
type unmoved struct{ *store }

func (unmoved) Rehome(context.Context, sessions.RehomeRequest) (sessions.Session, error) {
	return sessions.Session{}, sessions.ErrUnavailable
}
