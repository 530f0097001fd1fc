package process_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/process"
)

// on plays a scene on a fake clock.
func on(t *testing.T, change func(*process.Config), play func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, change).run()
		play(s)
		s.stop()
		require.Zero(t, s.living(), "Run leaves nothing behind")
	})
}

func limits(low, high int) func(*process.Config) {
	return func(c *process.Config) { c.Min, c.Max = low, high }
}

func isolated(low, high int) func(*process.Config) {
	return func(c *process.Config) { c.Min, c.Max, c.Isolation, c.PerInstance = low, high, true, 1 }
}

func TestMinAreStartedInAdvance(t *testing.T) {
	on(t, limits(3, 8), func(s *stage) {
		require.Len(s.t, s.ids(), 3)
		_, known := s.source.Places()
		require.True(s.t, known)
		s.rounds(time.Minute, nil)
		require.Equal(s.t, 3, s.started())
	})
}

func TestOnesThatAreNotHealthyAreNotListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, limits(2, 8))
		s.sick = true
		s.run()
		require.Equal(t, 2, s.started())
		places, known := s.source.Places()
		require.Empty(t, places)
		require.False(t, known)
		s.mu.Lock()
		s.sick = false
		s.mu.Unlock()
		s.pass(time.Second)
		require.Len(t, s.ids(), 2)
		require.Equal(t, 2, s.started())
		s.stop()
	})
}

func TestDemandStartsMore(t *testing.T) {
	on(t, limits(1, 3), func(s *stage) {
		s.tell(nil)
		s.pass(time.Second)
		s.source.Want(1)
		s.pass(100 * time.Millisecond)
		require.Equal(s.t, 2, s.started())
		s.source.Want(2)
		s.pass(100 * time.Millisecond)
		require.Equal(s.t, 2, s.started(), "the one that has just started has room for two")
		s.source.Want(3)
		s.pass(100 * time.Millisecond)
		require.Equal(s.t, 3, s.started())
		s.tell(nil)
		for range 20 {
			s.pass(time.Second)
			s.source.Want(100)
		}
		require.Equal(s.t, 3, s.started(), "max")
		require.Equal(s.t, 3, s.most)
	})
}

func TestAWantOfLongAgoStartsNothing(t *testing.T) {
	on(t, limits(1, 2), func(s *stage) {
		s.tell(nil)
		s.pass(time.Second)
		s.source.Want(1)
		s.pass(time.Minute)
		require.Equal(s.t, 2, s.started())
		s.crash(s.ids()[1])
		s.pass(time.Minute)
		require.Equal(s.t, 2, s.started(), "one is enough again")
	})
}

// Of a flood of sessions not all are to start at once what all of them need.
func TestAFloodStartsAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, limits(1, 100)).run()
		s.mu.Lock()
		s.sick = true
		s.mu.Unlock()
		for range 30 {
			s.source.Want(1000)
			s.pass(100 * time.Millisecond)
		}
		require.Equal(t, 1+8, s.started())
		s.stop()
	})
}

func TestIdleOnesBeyondMinAreStopped(t *testing.T) {
	on(t, limits(1, 4), func(s *stage) {
		s.tell(nil)
		s.pass(time.Second)
		s.source.Want(6)
		s.pass(time.Second)
		require.Len(s.t, s.ids(), 4)
		busy := s.ids()[3]
		s.rounds(s.cfg.IdleTimeout-10*time.Second, map[string]int{busy: 1})
		require.Len(s.t, s.ids(), 4)
		s.rounds(30*time.Second, map[string]int{busy: 1})
		require.Equal(s.t, []string{busy}, s.ids(), "the one with a session, and it is min")
		require.Len(s.t, s.terms, 3)
		require.Empty(s.t, s.kills)
		s.rounds(time.Hour, nil)
		require.Equal(s.t, []string{busy}, s.ids())
	})
}

// An idle one is taken from the candidates first. A session that was on its way there meanwhile keeps it.
func TestOneWithASessionIsNeverStopped(t *testing.T) {
	on(t, limits(1, 2), func(s *stage) {
		s.tell(nil)
		s.pass(time.Second)
		s.source.Want(1)
		s.pass(time.Second)
		require.Len(s.t, s.ids(), 2)
		late := ""
		for late == "" {
			s.pass(time.Second)
			s.tell(nil)
			for _, id := range s.ids() {
				if s.place(id).Draining {
					late = id
				}
			}
		}
		s.rounds(2*time.Second, nil)
		require.Len(s.t, s.ids(), 2, "not before a pin that began earlier has come to its end")
		s.rounds(time.Minute, map[string]int{late: 1})
		require.Contains(s.t, s.ids(), late)
		require.False(s.t, s.place(late).Draining, "it takes sessions again")
	})
}

// What the registry does not answer says nothing.
func TestSilenceOfTheRegistryStopsNothing(t *testing.T) {
	on(t, limits(1, 2), func(s *stage) {
		s.tell(nil)
		s.pass(time.Second)
		s.source.Want(1)
		s.pass(time.Second)
		asOf := time.Now()
		for range 600 {
			s.pass(2 * time.Second)
			var all []instances.Standing
			for _, id := range s.ids() {
				all = append(all, instances.Standing{ID: id, Candidate: true, AsOf: asOf})
			}
			s.source.Told(all)
		}
		require.Len(s.t, s.ids(), 2)
	})
}

func TestOneThatFailsItsProbesIsReplaced(t *testing.T) {
	on(t, func(c *process.Config) { c.LossGrace = 30 * time.Second }, func(s *stage) {
		first := s.ids()[0]
		lost := time.Now()
		for range 14 {
			s.pass(2 * time.Second)
			s.source.Told([]instances.Standing{{ID: first, LostSince: lost, AsOf: time.Now(), Sessions: 2}})
		}
		require.Equal(s.t, []string{first}, s.ids(), "its sessions wait for it")
		s.pass(4 * time.Second)
		require.NotContains(s.t, s.ids(), first)
		require.Len(s.t, s.ids(), 1)
	})
}

// An operator drains an instance: another one takes its place, and it ends when its sessions have.
func TestADrainedOneIsReplaced(t *testing.T) {
	on(t, limits(1, 2), func(s *stage) {
		drained := s.ids()[0]
		told := func(sessions int, draining bool) {
			s.source.Told([]instances.Standing{
				{ID: drained, AsOf: time.Now(), Candidate: !draining, Sessions: sessions, Draining: draining},
			})
			s.pass(2 * time.Second)
		}
		told(1, true)
		require.Len(s.t, s.ids(), 2)
		for range 100 {
			told(1, true)
		}
		require.Contains(s.t, s.ids(), drained)
		told(1, false)
		require.False(s.t, s.place(drained).Draining, "undrained")
		for range 4 {
			told(0, true)
		}
		require.NotContains(s.t, s.ids(), drained)
		require.Len(s.t, s.ids(), 1)
		require.Contains(s.t, s.log.String(), "it was drained")
	})
}

// The pool hears of an end before the process does: no request is to be on its way there.
func TestThePoolHearsBeforeTheProcessEnds(t *testing.T) {
	on(t, isolated(1, 4), func(s *stage) {
		used := s.ids()[0]
		require.Equal(s.t, []string{used}, s.seen)
		listed := true
		s.mu.Lock()
		for _, f := range s.all {
			term := f.OnTerm
			f.OnTerm = func() {
				s.mu.Lock()
				listed = slices.Contains(s.seen, f.ID)
				s.mu.Unlock()
				term()
			}
		}
		s.mu.Unlock()
		s.tell(map[string]int{used: 1})
		s.tell(nil)
		require.Equal(s.t, []string{used}, s.terms)
		require.False(s.t, listed)
		s.pass(time.Second)
		require.Equal(s.t, s.ids(), s.seen)
	})
}
