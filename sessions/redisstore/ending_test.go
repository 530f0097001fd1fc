package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

func running(s sessions.Session) sessions.Touch {
	return sessions.Touch{Key: s.Key, Epoch: s.Epoch, InFlight: true}
}

// inFlight is a session's entry in the index of requests in flight.
func inFlight(s sessions.Session) string { return stamp(s.Epoch) + redisstore.Member(s.Key) }

// deletedInUse returns a session that was deleted while requests of it ran.
func deletedInUse(t *testing.T, s *redisstore.Store) sessions.Session {
	t.Helper()
	pinned := pin(t, s, "deleted")
	_, err := s.Touch(t.Context(), []sessions.Touch{running(pinned)})
	require.NoError(t, err)
	ended, err := s.End(t.Context(), pinned, false)
	require.NoError(t, err)
	require.Equal(t, sessions.Ending, ended.State)
	return ended
}

// TestPurgeWaitsForRequestsInFlight: a purge that finds a lease renewed comes back when that one is over, for a
// deleted session and for one whose retention is over while a stream of it still runs.
func TestPurgeWaitsForRequestsInFlight(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	kept := pin(t, s, "kept")
	_, err := s.Touch(t.Context(), []sessions.Touch{running(kept)})
	require.NoError(t, err)
	_, err = s.End(t.Context(), kept, true)
	require.NoError(t, err)
	deleted := deletedInUse(t, s)
	keys := keysFor(s, deleted.Key)
	entries := c.ZRange(t.Context(), keys.Purge, 0, -1).Val()
	require.Len(t, entries, 2)
	require.Equal(t, c.ZScore(t.Context(), keys.InFlight, inFlight(deleted)).Val(),
		c.ZScore(t.Context(), keys.Purge, entries[0]).Val(), "the deleted one is due when its lease is over")
	over := func(score float64) {
		for _, entry := range entries {
			require.NoError(t, c.ZAdd(t.Context(), keys.Purge, redis.Z{Score: score, Member: entry}).Err())
		}
		_, err := s.Sweep(t.Context(), own(t))
		require.NoError(t, err)
	}
	until := float64(deleted.ReadAt.Add(time.Hour).UnixMicro())
	for _, held := range []sessions.Session{kept, deleted} {
		require.NoError(t, c.ZAdd(t.Context(), keys.InFlight, redis.Z{Score: until, Member: inFlight(held)}).Err())
	}
	require.NoError(t, c.Persist(t.Context(), keys.InFlight).Err())
	over(1)
	for _, z := range c.ZRangeWithScores(t.Context(), keys.Purge, 0, -1).Val() {
		require.Equal(t, until, z.Score, "purged when the lease is over")
	}
	require.Len(t, list(t, s, sessions.Ended), 2)
	require.Greater(t, c.PTTL(t.Context(), keys.History).Val(), time.Hour, "the safety net follows")
	require.NoError(t, c.Del(t.Context(), keys.InFlight).Err())
	require.Equal(t, []string{"kept"}, ids(list(t, s, sessions.Ended)), "no reader waits for the purge")
	over(1)
	left := []string{keys.Purge, keys.Ended, keys.EndedThere, keys.History, keysFor(s, kept.Key).History}
	require.Zero(t, c.Exists(t.Context(), left...).Val(), "nothing is left behind")
}

func ids(all []sessions.Session) []string {
	var got []string
	for _, s := range all {
		got = append(got, s.ID)
	}
	return got
}

// TestLeasesGo: those that are over go with the next touch, the last ones with their key.
func TestLeasesGo(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	x, y := pin(t, s, "x"), pin(t, s, "y")
	keys := keysFor(s, x.Key)
	_, err := s.Touch(t.Context(), []sessions.Touch{running(x)})
	require.NoError(t, err)
	require.NoError(t, c.ZAdd(t.Context(), keys.InFlight, redis.Z{Score: 1, Member: inFlight(x)}).Err())
	none := sessions.Touch{Key: request(t, "none").Key, Epoch: 1, InFlight: true}
	stale, err := s.Touch(t.Context(), []sessions.Touch{running(y), none, {Key: x.Key, Epoch: x.Epoch}, running(y)})
	require.NoError(t, err)
	require.Equal(t, []int{1}, stale)
	require.Equal(t, []string{inFlight(y)}, c.ZRange(t.Context(), keys.InFlight, 0, -1).Val())
	ttl := c.PTTL(t.Context(), keys.InFlight).Val()
	require.Greater(t, ttl, sessions.InFlightLease-time.Second)
	require.LessOrEqual(t, ttl, sessions.InFlightLease+time.Second)
}

// TestExpiredInUseStaysEndingUntilSwept: between the deadline and the sweep, touches go on to count.
func TestExpiredInUseStaysEndingUntilSwept(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	x := pin(t, s, "x")
	keys := keysFor(s, x.Key)
	require.NoError(t, c.ZAdd(t.Context(), keys.Deadlines, redis.Z{Score: 1, Member: redisstore.Member(x.Key)}).Err())
	stale, err := s.Touch(t.Context(), []sessions.Touch{running(x)})
	require.NoError(t, err)
	require.Equal(t, []int{0}, stale)
	history, err := s.History(t.Context(), x.Key)
	require.NoError(t, err)
	require.Equal(t, sessions.Ending, history[0].State)
	_, err = s.Sweep(t.Context(), own(t))
	require.NoError(t, err)
	require.Equal(t, sessions.Ending, list(t, s, sessions.Ended)[0].State)
}

// TestUnreadablePurgeEntriesHoldUpNothing: they are due first, and more of them than one sweep looks at.
func TestUnreadablePurgeEntriesHoldUpNothing(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	x := pin(t, s, "x")
	_, err := s.End(t.Context(), x, true)
	require.NoError(t, err)
	keys := keysFor(s, x.Key)
	require.NoError(t, c.ZAdd(t.Context(), keys.Purge, redis.Z{Score: 2, Member: c.ZRange(t.Context(), keys.Purge, 0, 0).Val()[0]}).Err())
	for i := range redisstore.SweepBatch {
		require.NoError(t, c.ZAdd(t.Context(), keys.Purge, redis.Z{Score: 1, Member: numbered(i)}).Err())
	}
	_, err = s.Sweep(t.Context(), own(t))
	require.NoError(t, err)
	require.Zero(t, c.Exists(t.Context(), keys.Purge, keys.History).Val())
}
