package redisstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// TestAReservationLeavesNothing: no key has anything of it when it is over, or bound and ended.
func TestAReservationLeavesNothing(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	left := func() []string {
		all, err := c.Keys(t.Context(), "*{"+own(t)+"}*").Result()
		require.NoError(t, err)
		var left []string
		for _, key := range all {
			if kind := key[len("limpet:"):]; kind[0] != 'w' && kind[0] != 't' && kind[0] != 'q' { // marks, answers, qualifiers
				left = append(left, key)
			}
		}
		return left
	}
	held := reserve(t, s)
	require.NotEmpty(t, left())
	_, err := s.End(t.Context(), held, true)
	require.NoError(t, err)
	require.Empty(t, left())
	bound, _, err := s.Bind(t.Context(), bindAs(reserve(t, s), "x"))
	require.NoError(t, err)
	_, err = s.End(t.Context(), bound, false)
	require.NoError(t, err)
	require.Empty(t, left())
}

// TestReplicasOfBeforeListNoReservation: a sweep of theirs keeps what expires, but lists nothing that is deleted.
func TestReplicasOfBeforeListNoReservation(t *testing.T) {
	t.Parallel()
	const deleted = 8 // in the flags, the second byte of a record
	s, c := onStandalone(t)
	flags := func(k sessions.Key) byte {
		record, err := c.Get(t.Context(), keysFor(s, k).Record).Result()
		require.NoError(t, err)
		return record[1]
	}
	held := reserve(t, s)
	require.NotZero(t, flags(held.Key)&deleted)
	bound, _, err := s.Bind(t.Context(), bindAs(held, "x"))
	require.NoError(t, err)
	require.Zero(t, flags(bound.Key)&deleted)
}
