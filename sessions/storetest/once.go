package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func onceChecks() []Check {
	return []Check{
		{"Once/first, then not", onceFirst},
		{"Once/again after its time", onceAgain},
		{"Once/one winner of a race", onceRace},
		{"Once/forgotten", onceForgotten},
	}
}

func isFirst(tb testing.TB, s sessions.Store, name string, ttl time.Duration) bool {
	tb.Helper()
	first, err := s.Once(tb.Context(), name, ttl)
	require.NoError(tb, err)
	return first
}

func onceFirst(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, 2)
	base := uniqueName()
	for _, name := range []string{base, base + "2", base + visible(), base + "\x00\xff", base + " "} {
		require.True(tb, isFirst(tb, replicas[0], name, longLife), "%q", name)
	}
	for _, s := range replicas {
		for _, ttl := range []time.Duration{longLife, time.Millisecond} {
			require.False(tb, isFirst(tb, s, base, ttl), "the first call's time counts")
		}
	}
	_, err := replicas[0].Secret(tb.Context(), base+"3")
	require.NoError(tb, err)
	require.True(tb, isFirst(tb, replicas[1], base+"3", longLife), "a secret's name is no call")
}

// onceAgain also asks all the while: to be refused postpones nothing.
func onceAgain(tb testing.TB, h Harness) {
	s := h.Open(tb)
	w := worldOn(tb, s)
	w.until("the machine asks in time", func() bool {
		name, start := uniqueName(), time.Now()
		require.True(tb, isFirst(tb, s, name, shortLife))
		second := isFirst(tb, s, name, shortLife)
		if time.Since(start) >= shortLife {
			return false
		}
		require.False(tb, second)
		w.until("its time is over", func() bool { return isFirst(tb, s, name, longLife) })
		require.Greater(tb, time.Since(start), shortLife-grain, "forgotten early")
		require.False(tb, isFirst(tb, s, name, shortLife))
		return true
	})
}

func onceRace(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	for range 20 {
		name, start := uniqueName(), make(chan struct{})
		firsts, errs := make([]bool, 8*raceReplicas), make([]error, 8*raceReplicas)
		var all sync.WaitGroup
		for i := range firsts {
			all.Go(func() {
				<-start
				firsts[i], errs[i] = replicas[i%raceReplicas].Once(tb.Context(), name, longLife)
			})
		}
		close(start)
		all.Wait()
		won := 0
		for i := range firsts {
			require.NoError(tb, errs[i])
			if firsts[i] {
				won++
			}
		}
		require.Equal(tb, 1, won, "exactly one call is the first")
	}
}

// onceForgotten: a name that is forgotten counts as new, for every replica, and no other does.
func onceForgotten(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, 2)
	name, other := uniqueName(), uniqueName()
	require.NoError(tb, replicas[0].Forget(tb.Context(), name), "one that was never used")
	for range 2 {
		for _, n := range []string{name, other} {
			_, err := replicas[0].Once(tb.Context(), n, longLife)
			require.NoError(tb, err)
		}
		require.NoError(tb, replicas[1].Forget(tb.Context(), name))
		first, err := replicas[0].Once(tb.Context(), name, longLife)
		require.NoError(tb, err)
		require.True(tb, first, "forgotten")
		first, err = replicas[1].Once(tb.Context(), other, longLife)
		require.NoError(tb, err)
		require.False(tb, first, "not forgotten")
	}
}
