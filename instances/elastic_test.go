package instances_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// elastic is an Elastic and Mortal source that a test moves.
type elastic struct {
	*places
	mu    sync.Mutex
	wants []int
	told  []instances.Standing
	tells int
}

func newElastic(ids ...string) *elastic { return &elastic{places: heard(ids...)} }

func (e *elastic) Want(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wants = append(e.wants, n)
}

func (e *elastic) Told(all []instances.Standing) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = all
	e.tells++
}

func (e *elastic) Left(id string) bool { return strings.HasPrefix(id, "left-") }

func (e *elastic) standing(t *testing.T, id string) instances.Standing {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.told {
		if s.ID == id {
			return s
		}
	}
	require.Fail(t, "nothing told of "+id)
	return instances.Standing{}
}

func TestAnElasticSourceIsToldHowItsPlacesStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newElastic("a", "b")
		began := time.Now()
		w := withSources(t, []string{"s"}, e).run()
		require.Len(t, e.told, 2, "not of other sources' places")
		require.True(t, e.standing(t, "a").Candidate)
		require.False(t, e.standing(t, "a").AsOf.Before(began))
		w.registry.edit("a", func(r *sessions.InstanceRecord) { r.Sessions, r.Used = 2, true })
		require.True(t, w.instance("b").Acquire())
		w.rounds(1)
		require.Equal(t, 2, e.standing(t, "a").Sessions)
		require.True(t, e.standing(t, "a").Used)
		require.Equal(t, 1, e.standing(t, "b").InFlight)

		marked := at("a", "b")
		marked[1].Draining = true
		e.list(marked...)
		w.rounds(1)
		require.False(t, e.standing(t, "b").Candidate)
		require.False(t, e.standing(t, "b").Draining, "what it said itself is no news to it")

		asOf, tells := e.standing(t, "a").AsOf, e.tells
		w.registry.outage(true)
		w.rounds(2)
		require.Greater(t, e.tells, tells, "also while the registry does not answer,")
		require.Equal(t, asOf, e.standing(t, "a").AsOf, "but nothing is as new then as it looks")
		w.registry.outage(false)
		w.set("a", host{err: errRefused})
		w.rounds(4)
		require.False(t, e.standing(t, "a").LostSince.IsZero())
		require.False(t, e.standing(t, "a").Candidate)
		require.True(t, e.standing(t, "b").LostSince.IsZero())
		w.stop()
	})
}

// Who waits for room may get that of a session which ended on another replica: the registry knows. But a flood of
// sessions is no flood of questions.
func TestAWantAsksTheRegistryNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newElastic("a")
		w := withSources(t, nil, e).run()
		w.pass(100 * time.Millisecond)
		before := len(w.registry.all())
		w.pool.Want(7)
		synctest.Wait()
		require.Equal(t, []int{7}, e.wants)
		require.Equal(t, before+1, len(w.registry.all()))
		for range 1000 {
			w.pool.Want(1)
			w.pass(100 * time.Microsecond)
		}
		require.Len(t, e.wants, 1001, "each is told")
		require.InDelta(t, before+3, len(w.registry.all()), 1, "in a tenth of a second")
		w.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a").run()
		before := len(w.registry.all())
		w.pool.Want(1)
		synctest.Wait()
		require.Equal(t, before, len(w.registry.all()), "a list does not grow")
		w.stop()
	})
}

func TestRequestsWithoutSessionsWantMoreToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newElastic("a")
		w := withSources(t, nil, e).run()
		for range 2 { // its places
			i, ok := w.pool.Pick(nil)
			require.True(t, ok)
			require.True(t, i.Acquire())
		}
		require.Empty(t, e.wants)
		w.pool.Pick(nil)
		require.Equal(t, []int{1}, e.wants)
		w.set("a", host{err: errRefused})
		w.rounds(4)
		_, ok := w.pool.Pick(nil)
		require.False(t, ok)
		require.Equal(t, []int{1, 1}, e.wants)
		w.stop()
	})
}

func TestAFullPlaceIsNoCandidateAndNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newElastic("a", "b")
		w := withSources(t, nil, e).run()
		a, home := w.instance("a"), w.home("a")
		require.False(t, w.pool.Occupied())
		full := at("a", "b")
		full[0].Full = true
		e.list(full...)
		require.Equal(t, []string{"b"}, w.candidates())
		require.Same(t, a, w.instance("a"))
		require.Equal(t, sessions.HomeUp, w.state(home))
		require.True(t, w.pool.Occupied())
		w.set("a", host{err: errRefused})
		w.rounds(4)
		require.False(t, w.pool.Occupied(), "one that is not healthy is not what is missing room")
		w.stop()
	})
}

// A nonce proves that a program has kept its state. Its source may know it where the program does not say it.
func TestASourceMayKnowTheProgram(t *testing.T) {
	for name, test := range map[string]struct {
		start string // of the source
		same  bool
	}{"it knows": {"n1", true}, "it does not": {"", false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newElastic()
				e.now = at("a", "b")
				e.now[0].Start = test.start
				w := withSources(t, nil, e).run()
				require.Equal(t, test.start, w.registry.said("a").Start)
				home := w.home("a")
				w.set("a", host{err: errRefused})
				w.rounds(8)
				require.Equal(t, sessions.HomeLost, w.state(home))
				w.set("a", host{})
				w.rounds(4)
				require.Equal(t, test.same, w.home("a") == home)
				w.set("a", host{start: "its own"})
				w.rounds(2)
				require.Equal(t, "its own", w.registry.said("a").Start, "the program's word counts before the source's")
				w.stop()
			})
		})
	}
}

func TestALocalAddressIsTheReplicasOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newElastic()
		e.now = at("a", "b")
		e.now[0].Local = true
		w := withSources(t, nil, e).run()
		require.Empty(t, w.registry.said("a").URL)
		require.NotEmpty(t, w.registry.said("b").URL)
		e.list()
		w.rounds(1)
		require.Equal(t, sessions.HealthGone, w.registry.said("a").Health)
		require.Empty(t, w.registry.said("a").URL)
		w.stop()
	})
}

// After kill -9 nobody has said that the processes are gone. Their sessions must not wait for them.
func TestWhatAnEarlierProcessLeftIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "x")
		past := sessions.Report{Version: "LATEST"}
		for _, id := range []string{"left-a", "left-b", "right-c"} {
			past.Instances = append(past.Instances, sessions.InstanceReport{ID: id, Health: sessions.HealthUp})
		}
		records := w.registry.applyAll(past)
		gone := sessions.Report{Version: "LATEST", Instances: []sessions.InstanceReport{{ID: "left-b", Health: sessions.HealthGone}}}
		w.registry.applyAll(gone)
		w.registry.outage(true)
		e := newElastic("a")
		w.cfg.Config, w.cfg.Sources = config(), []instances.Source{e}
		require.NoError(t, w.pool.Apply(w.cfg))
		w.run()
		require.Equal(t, sessions.HomeUnknown, w.state(records[0].Home))
		w.registry.outage(false)
		w.rounds(2)
		require.Equal(t, sessions.HomeGone, w.state(records[0].Home))
		require.Equal(t, 1, w.registry.saidEver("left-a", sessions.HealthGone))
		require.Equal(t, 1, w.registry.saidEver("left-b", sessions.HealthGone), "it was known")
		require.Equal(t, sessions.HomeUnknown, w.state(records[2].Home), "another replica's")
		require.Equal(t, []string{"a"}, w.candidates())
		w.stop()
	})
}
