package redisstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// TestAPageListsNoSuccessor: List reads the index, then the records. Of a session that ended in between, and whose ID
// has a new one by now, nothing is listed at the old place: the new one is at its own.
func TestAPageListsNoSuccessor(t *testing.T) {
	t.Parallel()
	s, server := onStandalone(t)
	index := s.KeysOf(own(t), "", "").Active
	entries := func() []string {
		all, err := server.ZRange(t.Context(), index, 0, -1).Result()
		require.NoError(t, err)
		return all
	}
	q := sessions.Query{Function: own(t), Qualifier: sessions.LatestQualifier, Limit: 10}
	old := pin(t, s, "x")
	before := entries()
	require.Len(t, before, 1)
	got, err := s.ReadActive(t.Context(), q, before)
	require.NoError(t, err)
	require.Equal(t, []string{"x"}, ids(got))

	_, err = s.End(t.Context(), old, false)
	require.NoError(t, err)
	fresh := pin(t, s, "x")
	got, err = s.ReadActive(t.Context(), q, before)
	require.NoError(t, err)
	require.Empty(t, got)
	got, err = s.ReadActive(t.Context(), q, entries())
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, fresh.Epoch, got[0].Epoch)
}
