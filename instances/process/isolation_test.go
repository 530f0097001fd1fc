package process_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
)

func TestAFreshOneIsWarmedBehindTheUsed(t *testing.T) {
	on(t, isolated(2, 8), func(s *stage) {
		require.Len(s.t, s.ids(), 2)
		used := s.ids()[0]
		s.tell(map[string]int{used: 1})
		s.pass(time.Second)
		require.Len(s.t, s.ids(), 3)
		require.Contains(s.t, s.ids(), used, "its session is there")
		require.True(s.t, s.place(used).Full)
	})
}

func TestItEndsWithItsSession(t *testing.T) {
	on(t, isolated(1, 8), func(s *stage) {
		used := s.ids()[0]
		s.tell(map[string]int{used: 1})
		s.pass(time.Second)
		s.tell(map[string]int{used: 1})
		require.Empty(s.t, s.terms)
		// The call that says that the session has ended is not needed: the state says it.
		s.source.Told([]instances.Standing{{ID: used, Candidate: true, AsOf: time.Now(), Used: true}})
		synctest.Wait()
		require.NotContains(s.t, s.ids(), used)
		require.Equal(s.t, []string{used}, s.terms)
		require.Len(s.t, s.ids(), 1)
	})
}

// A store may forget, as Redis does in a failover. The process does not.
func TestARegistryThatForgetsGivesAwayNoUsedProcess(t *testing.T) {
	on(t, isolated(1, 8), func(s *stage) {
		used := s.ids()[0]
		s.tell(map[string]int{used: 1})
		require.True(s.t, s.place(used).Full)
		s.tell(nil)
		require.NotContains(s.t, s.ids(), used)
	})
}

func TestNoMoreThanMaxAtOnce(t *testing.T) {
	on(t, isolated(2, 4), func(s *stage) {
		s.stubborn = true // each takes stop_grace to end
		for range 40 {
			taken := map[string]int{}
			for _, id := range s.ids() {
				taken[id] = 1
			}
			s.source.Want(3)
			s.tell(taken)
			s.pass(time.Second)
			s.tell(map[string]int{}) // all end
			s.pass(time.Second)
		}
		require.Greater(s.t, s.started(), 10)
		require.Equal(s.t, 4, s.most)
	})
}

// One session after the other ends its process. The others' processes must not wait longer and longer for that.
func TestCrashesOfUsedOnesMakeNoLongPauses(t *testing.T) {
	on(t, isolated(1, 4), func(s *stage) {
		for range 20 {
			s.tell(nil)
			s.crash(s.ids()[0])
			s.pass(time.Second)
			require.Len(s.t, s.ids(), 1)
		}
		require.Empty(s.t, s.source.Problem())
	})
}
