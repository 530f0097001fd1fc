package process_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnotherCommandReplacesTheProcesses(t *testing.T) {
	on(t, limits(2, 4), func(s *stage) {
		old := s.ids()
		s.tell(nil)
		next := s.cfg
		next.Command = []string{"two"}
		s.source.Apply(next)
		s.pass(100 * time.Millisecond)
		require.Len(s.t, s.ids(), 4, "the new ones start before the old ones go")
		require.Empty(s.t, s.terms)
		busy := map[string]int{old[0]: 1}
		s.tell(busy)
		s.pass(100 * time.Millisecond)
		require.True(s.t, s.place(old[0]).Draining)
		s.rounds(10*time.Second, busy)
		require.Contains(s.t, s.ids(), old[0], "its session stays with it")
		require.NotContains(s.t, s.ids(), old[1])
		s.rounds(10*time.Second, nil)
		require.NotContains(s.t, s.ids(), old[0])
		require.Len(s.t, s.ids(), 2)
	})
}

func TestTheDrainDeadlineEndsAnOldOne(t *testing.T) {
	on(t, limits(1, 4), func(s *stage) {
		old := s.ids()[0]
		next := s.cfg
		next.Command = []string{"two"}
		s.source.Apply(next)
		s.pass(100 * time.Millisecond)
		s.rounds(s.cfg.DrainDeadline-5*time.Second, map[string]int{old: 1})
		require.Contains(s.t, s.ids(), old)
		s.rounds(10*time.Second, map[string]int{old: 1})
		require.NotContains(s.t, s.ids(), old)
		require.Contains(s.t, s.terms, old)
	})
}

// A command that does not start must not take away one that works.
func TestABrokenCommandReplacesNothing(t *testing.T) {
	on(t, limits(1, 4), func(s *stage) {
		old := s.ids()
		s.mu.Lock()
		s.refuse = errors.New("no such program")
		s.mu.Unlock()
		next := s.cfg
		next.Command = []string{"two"}
		s.source.Apply(next)
		s.rounds(10*time.Minute, nil)
		require.Equal(s.t, old, s.ids())
		require.False(s.t, s.place(old[0]).Draining)
		require.Contains(s.t, s.source.Problem(), "no such program")
	})
}

func TestOtherBoundsReplaceNothing(t *testing.T) {
	on(t, limits(1, 4), func(s *stage) {
		old := s.ids()
		next := s.cfg
		next.Min, next.IdleTimeout = 3, time.Hour
		s.source.Apply(next)
		s.pass(time.Second)
		require.Len(s.t, s.ids(), 3)
		require.Equal(s.t, old[0], s.ids()[0])
		require.Empty(s.t, s.terms)
	})
}

func TestIDsAreNeverUsedAgain(t *testing.T) {
	on(t, isolated(1, 4), func(s *stage) {
		seen := map[string]bool{}
		for range 50 {
			id := s.ids()[0]
			require.False(s.t, seen[id])
			seen[id] = true
			require.False(s.t, s.source.Left(id), "it is this run's")
			s.tell(map[string]int{id: 1})
			s.tell(nil)
			s.pass(time.Second)
		}
		again := newStage(s.t, isolated(1, 4))
		for id := range seen {
			require.True(s.t, again.source.Left(id), "of the run before")
		}
		require.False(s.t, again.source.Left("p-other-x-1"))
		require.False(s.t, again.source.Left("a"))
	})
}
