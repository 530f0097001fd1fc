package sessions_test

import (
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// aliasPool is an alias's pool whose draw a test makes by hand: first comes the version that it names.
type aliasPool struct {
	*pool
	mu    sync.Mutex
	order []string // in which versions are offered to a new session; a session of one of them stays with it
}

func (p *aliasPool) Offers(from string) iter.Seq[[]sessions.Home] {
	p.mu.Lock()
	order := p.order
	p.mu.Unlock()
	if slices.Contains(order, from) {
		order = []string{from}
	}
	return func(yield func([]sessions.Home) bool) {
		for _, version := range order {
			of := slices.DeleteFunc(p.Candidates(0), func(h sessions.Home) bool { return h.Version != version })
			if len(of) > 0 && !yield(of) {
				return
			}
		}
	}
}

func (p *aliasPool) draws(order ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order = order
}

// aliasBench is a table of the alias prod and one of its version v1, which hold 2 and 3 sessions on each instance of v1
// and v2. The registry knows the instances.
type aliasBench struct {
	*bench
	alias *aliasPool
	prod  *sessions.Table
	v1    *sessions.Table
	homes map[string]sessions.Home
}

func newAliasBench(t *testing.T, policy sessions.LossPolicy, ids ...string) *aliasBench {
	t.Helper()
	r := rules()
	r.OnLoss, r.LossGrace = policy, time.Minute
	b := &aliasBench{bench: newBench(t, r, sessions.CacheConfig{}), homes: map[string]sessions.Home{}}
	b.pool.candidates = nil
	for _, id := range ids {
		report := sessions.Report{Function: "f", Version: id[:2], Instances: []sessions.InstanceReport{{ID: id, Health: sessions.HealthUp}}}
		records, err := b.store.Report(t.Context(), report)
		require.NoError(t, err)
		b.homes[id] = records[0].Home
		b.pool.set(records[0].Home, sessions.HomeUp)
	}
	b.alias = &aliasPool{pool: b.pool, order: []string{"v1", "v2"}}
	prod, v1 := r, r
	prod.Qualifier, prod.PerInstance = "prod", 0
	prod.Versions = map[string]sessions.VersionRules{
		"v1": {PerInstance: 2, AliveWithin: time.Second}, "v2": {PerInstance: 3, AliveWithin: time.Second},
	}
	v1.Qualifier, v1.PerInstance, v1.Others = "v1", 2, []string{"prod"}
	own := &aliasPool{pool: b.pool, order: []string{"v1"}}
	b.prod = sessions.NewTable(sessions.TableConfig{Rules: prod, Cache: b.cache, Store: b.store, Pool: b.alias})
	b.v1 = sessions.NewTable(sessions.TableConfig{Rules: v1, Cache: b.cache, Store: b.store, Pool: own})
	return b
}

// of uses a session and returns what it was.
func of(t *testing.T, table *sessions.Table, id string) sessions.Session {
	t.Helper()
	u, err := table.Use(t.Context(), id)
	require.NoError(t, err)
	defer u.Release()
	return *u.Session()
}

// The draw decides once: later ones, and the store asked again, change nothing.
func TestASessionStaysWithTheVersionItDrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAliasBench(t, sessions.LossRehome, "v1-a", "v2-a")
		first := of(t, b.prod, "s")
		require.Equal(t, "v1", first.Home.Version)
		for _, order := range [][]string{{"v2", "v1"}, {"v2"}} {
			b.alias.draws(order...)
			time.Sleep(2 * sessions.DefaultCacheLife)
			again := of(t, b.prod, "s")
			require.Equal(t, first.Home, again.Home)
			require.Equal(t, first.Epoch, again.Epoch)
			require.Equal(t, "v2", of(t, b.prod, "new-"+order[len(order)-1]).Home.Version)
		}
	})
}

// A slot is a slot, whether its session came by the alias or by the version, and the number is the version's.
func TestSlotsAreTheVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAliasBench(t, sessions.LossRehome, "v1-a", "v2-a")
		require.Equal(t, "v1", of(t, b.prod, "1").Home.Version)
		require.Equal(t, "v1", of(t, b.v1, "direct").Home.Version)
		_, err := b.v1.Use(t.Context(), "full")
		require.ErrorIs(t, err, sessions.ErrFull)
		for i := range 3 {
			require.Equal(t, "v2", of(t, b.prod, fmt.Sprint("over-", i)).Home.Version, "a full version is left out of the draw")
		}
		_, err = b.prod.Use(t.Context(), "full")
		require.ErrorIs(t, err, sessions.ErrFull)
		b.pool.set(b.homes["v1-a"], sessions.HomeLost)
		b.pool.set(b.homes["v2-a"], sessions.HomeLost)
		_, err = b.prod.Use(t.Context(), "nowhere")
		require.ErrorIs(t, err, sessions.ErrNoInstance)
	})
}

// Whatever the interleaving of many creations by both ways, no instance has more than its slots, and none stays free.
func TestSlotsHoldUnderARaceOfBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAliasBench(t, sessions.LossRehome, "v1-a", "v1-b", "v2-a")
		var all sync.WaitGroup
		for i := range 60 {
			for _, table := range []*sessions.Table{b.prod, b.v1} {
				all.Go(func() {
					if u, err := table.Use(t.Context(), fmt.Sprint("s-", i)); err == nil {
						u.Release()
					}
				})
			}
		}
		all.Wait()
		records, err := b.store.Instances(t.Context(), "f")
		require.NoError(t, err)
		got := map[string]int{}
		for _, r := range records {
			got[r.ID] = r.Sessions
		}
		require.Equal(t, map[string]int{"v1-a": 2, "v1-b": 2, "v2-a": 3}, got)
	})
}

func TestALostSessionStaysWithItsVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAliasBench(t, sessions.LossRehome, "v1-a", "v1-b", "v2-a")
		first := of(t, b.prod, "s")
		b.alias.draws("v2", "v1")
		b.pool.set(first.Home, sessions.HomeGone)
		moved := of(t, b.prod, "s")
		require.Equal(t, "v1", moved.Home.Version)
		require.NotEqual(t, first.Home, moved.Home)
		require.Equal(t, first.Epoch+1, moved.Epoch)

		b.pool.set(moved.Home, sessions.HomeGone) // the last of v1
		_, err := b.prod.Use(t.Context(), "s")
		require.ErrorIs(t, err, sessions.ErrNoInstance, "another version has room, and is another program")
		b.alias.draws("v2") // v1 is the alias's no more
		other := of(t, b.prod, "s")
		require.Equal(t, "v2", other.Home.Version)
		require.Equal(t, sessions.Event{Kind: sessions.EventRehomed, Reason: sessions.ReasonGone, From: moved.Home.ID}, other.Event)
	})
}

// At a drain deadline each table sends away its own sessions: the alias's within the version, or where it may.
func TestADrainedInstanceIsEmptiedByTheTablesOfItsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAliasBench(t, sessions.LossRehome, "v1-a", "v2-a")
		home := b.homes["v1-a"]
		mine, direct := of(t, b.prod, "mine"), of(t, b.v1, "direct")
		require.Equal(t, home, mine.Home)
		require.Equal(t, home, direct.Home)
		b.drain(t, home)
		d, err := b.prod.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.Equal(t, sessions.Departures{Full: true}, d, "no other instance of v1 has room")
		require.Equal(t, home, of(t, b.prod, "mine").Home)

		b.alias.draws("v2")
		d, err = b.v1.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.Equal(t, sessions.Departures{Full: true}, d)
		require.Equal(t, home, of(t, b.v1, "direct").Home)
		d, err = b.prod.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.Equal(t, sessions.Departures{Moved: 1}, d)
		require.Equal(t, "v2-a", of(t, b.prod, "mine").Home.ID)
		require.Equal(t, home, of(t, b.v1, "direct").Home, "it is not the alias's")
	})
}

// The policy is the alias's own: with fail its sessions end, while the version's move.
func TestADrainKeepsToThePolicyOfTheAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAliasBench(t, sessions.LossFail, "v1-a")
		direct := of(t, b.prod, "s")
		b.drain(t, direct.Home)
		d, err := b.v1.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.Zero(t, d, "not the version's to end")
		d, err = b.prod.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.Equal(t, sessions.Departures{Ended: 1}, d)
	})
}

// A qualifier that is configured no more has nobody else to send its sessions away.
func TestSessionsOfAForgottenAliasLeaveToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAliasBench(t, sessions.LossRehome, "v1-a", "v1-b")
		s := of(t, b.prod, "s")
		r := b.v1.Rules()
		r.Others = nil
		alone := sessions.NewTable(sessions.TableConfig{
			Rules: r, Cache: b.cache, Store: b.store, Pool: &aliasPool{pool: b.pool, order: []string{"v1"}},
		})
		b.drain(t, s.Home)
		d, err := alone.EmptyDrained(t.Context())
		require.NoError(t, err)
		require.Equal(t, sessions.Departures{Moved: 1}, d)
	})
}
