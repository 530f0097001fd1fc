package redisstore_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	testifyassert "github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

type assert = testifyassert.CollectT

// shell is a client by which tests look at, and spoil, what is stored.
func shell(tb testing.TB, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func onStandalone(tb testing.TB) (*redisstore.Store, *redis.Client) {
	t := standalone.get(tb)
	t.options.Timeout = patience
	return open(tb, t), shell(tb, t.config.Addrs[0])
}

func keysFor(s *redisstore.Store, k sessions.Key) redisstore.Keys {
	return s.KeysOf(k.Function, redisstore.Member(k), "")
}

func list(tb testing.TB, s *redisstore.Store, state sessions.State) []sessions.Session {
	tb.Helper()
	page, err := s.List(tb.Context(), sessions.Query{Function: own(tb), Qualifier: sessions.LatestQualifier, State: state, Limit: 10_000})
	require.NoError(tb, err)
	return page.Sessions
}

// purgeOnce ends a session, lets its retention be over, and sweeps.
func purgeOnce(t *testing.T, s *redisstore.Store, addr string) {
	t.Helper()
	c := shell(t, addr)
	r := request(t, "over")
	r.DisableIDReuse = true
	pinned, _, err := s.Pin(t.Context(), r)
	require.NoError(t, err)
	_, err = s.End(t.Context(), pinned, true)
	require.NoError(t, err)
	keys := keysFor(s, pinned.Key)
	over, err := c.ZRangeWithScores(t.Context(), keys.Purge, 0, -1).Result()
	require.NoError(t, err)
	require.Len(t, over, 1)
	require.InDelta(t, pinned.CreatedAt.Add(sessions.ReuseBlock).UnixMicro(), over[0].Score, float64(time.Minute.Microseconds()))
	require.Greater(t, c.PTTL(t.Context(), keys.History).Val(), sessions.ReuseBlock, "the safety net is wider than the retention")
	require.NoError(t, c.ZAdd(t.Context(), keys.Purge, redis.Z{Score: 1, Member: over[0].Member}).Err())
	require.NoError(t, c.HSet(t.Context(), keys.History, "block", "1").Err())
	_, err = s.Sweep(t.Context(), pinned.Function)
	require.NoError(t, err)
	require.Empty(t, list(t, s, sessions.Ended))
	require.Zero(t, c.Exists(t.Context(), keys.History, keys.Purge, keys.Ended, keys.EndedThere).Val(), "nothing is left behind")
}

func TestRetentionOver(t *testing.T) {
	t.Parallel()
	s, _ := onStandalone(t)
	purgeOnce(t, s, standalone.get(t).config.Addrs[0])
	pin(t, s, "over") // and the ID is free again
}

func TestLiveRecordsHaveNoTTL(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	keys := keysFor(s, pin(t, s, "x").Key)
	for _, key := range []string{keys.Record, keys.Deadlines, keys.Marks} {
		require.Equal(t, time.Duration(-1), c.PTTL(t.Context(), key).Val(), key)
	}
}

func TestSpoiltRecordIsCorrupt(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	spoilt, other := pin(t, s, "spoilt"), pin(t, s, "other")
	require.NoError(t, c.Set(t.Context(), keysFor(s, spoilt.Key).Record, "not a record", 0).Err())
	_, err := s.Get(t.Context(), spoilt.Key)
	require.ErrorIs(t, err, sessions.ErrCorrupt)
	_, _, err = s.Pin(t.Context(), request(t, "spoilt"))
	require.ErrorIs(t, err, sessions.ErrCorrupt)
	stale, err := s.Touch(t.Context(), []sessions.Touch{
		{Key: spoilt.Key, Epoch: spoilt.Epoch, Delivered: true}, {Key: other.Key, Epoch: other.Epoch, Delivered: true},
	})
	require.NoError(t, err)
	require.Empty(t, stale, "whether a spoilt session is Active nobody knows")
	got, err := s.Get(t.Context(), other.Key)
	require.NoError(t, err)
	require.Zero(t, got.Event, "one bad record harms no other touch")
	for _, k := range []sessions.Key{spoilt.Key, other.Key} {
		require.NoError(t, c.ZAdd(t.Context(), keysFor(s, k).Deadlines, redis.Z{Score: 1, Member: redisstore.Member(k)}).Err())
	}
	n, err := s.Sweep(t.Context(), spoilt.Function)
	require.NoError(t, err)
	require.Equal(t, 1, n, "nor the sweep")
}

func TestKeyOfAnotherTypeIsCorrupt(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	k := request(t, "x").Key
	require.NoError(t, c.LPush(t.Context(), keysFor(s, k).Record, "x").Err())
	_, _, err := s.Pin(t.Context(), request(t, "x"))
	require.ErrorIs(t, err, sessions.ErrCorrupt)
	require.NoError(t, c.Set(t.Context(), s.KeysOf("", "", own(t)).Secret, "short", 0).Err())
	_, err = s.Secret(t.Context(), own(t))
	require.ErrorIs(t, err, sessions.ErrCorrupt)
}

// TestEpochsGrowWhenTheClockSteppedBack: the mark is where a clock that was an hour ahead left it.
func TestEpochsGrowWhenTheClockSteppedBack(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	ahead := time.Now().Add(time.Hour).UnixMicro()
	require.NoError(t, c.HSet(t.Context(), keysFor(s, request(t, "x").Key).Marks, "epoch", ahead, "incarnation", ahead).Err())
	first := pin(t, s, "x")
	require.EqualValues(t, ahead+1, first.Epoch)
	_, err := s.End(t.Context(), first, false)
	require.NoError(t, err)
	require.EqualValues(t, ahead+2, pin(t, s, "x").Epoch)
	reports, err := s.Report(t.Context(), sessions.Report{Function: own(t), Instances: []sessions.InstanceReport{{ID: "a"}, {ID: "b"}}})
	require.NoError(t, err)
	require.EqualValues(t, ahead+1, reports[0].Incarnation)
	require.EqualValues(t, ahead+2, reports[1].Incarnation)
}

func TestEpochsGrowAfterLossOfAllData(t *testing.T) {
	t.Parallel()
	server, s := ownServer(t, redistest.Options{})
	first := pin(t, s, "x")
	require.NoError(t, shell(t, server.Addr).FlushAll(t.Context()).Err())
	require.Greater(t, pin(t, s, "x").Epoch, first.Epoch)
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	const n = 2*redisstore.TouchBatch + 1
	var touches []sessions.Touch
	for i := range n {
		p := pin(t, s, numbered(i))
		touches = append(touches, sessions.Touch{Key: p.Key, Epoch: p.Epoch, Delivered: true})
	}
	stale, err := s.Touch(t.Context(), touches)
	require.NoError(t, err)
	require.Empty(t, stale)
	active := list(t, s, sessions.Active)
	require.Len(t, active, n)
	for _, a := range active {
		require.Zero(t, a.Event)
		require.NoError(t, c.ZAdd(t.Context(), keysFor(s, a.Key).Deadlines, redis.Z{Score: 1, Member: redisstore.Member(a.Key)}).Err())
	}
	ended, err := s.Sweep(t.Context(), own(t))
	require.NoError(t, err)
	require.Equal(t, n, ended)
	require.Greater(t, n, 2*redisstore.SweepBatch)
	require.Len(t, list(t, s, sessions.Active), 0)
}

// TestSweepLooksAgain: between the look at what is due and the sweep, a touch may postpone a session, or another
// replica sweep it.
func TestSweepLooksAgain(t *testing.T) {
	t.Parallel()
	s, _ := onStandalone(t)
	alive := pin(t, s, "alive")
	n, err := s.SweepSeen(t.Context(), own(t), redisstore.Member(alive.Key), redisstore.Member(request(t, "swept").Key))
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = s.Get(t.Context(), alive.Key)
	require.NoError(t, err)
}

// TestHugePool: Lua passes arguments on a stack of 8000, and a pool may have more instances than that.
func TestHugePool(t *testing.T) {
	t.Parallel()
	s, _ := onStandalone(t)
	r := request(t, "x")
	r.Candidates = nil
	for i := range 9000 {
		r.Candidates = append(r.Candidates, sessions.Home{Version: "v", ID: numbered(i), Incarnation: 1})
	}
	_, created, err := s.Pin(t.Context(), r)
	require.NoError(t, err)
	require.True(t, created)
}

// TestOldInstancesAreForgotten turns back the times in stored records: of one that is gone, and of one that nobody
// has named, for longer than the retention.
func TestOldInstancesAreForgotten(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	report := func(all ...sessions.InstanceReport) {
		_, err := s.Report(t.Context(), sessions.Report{Function: own(t), Version: "v", Instances: all})
		require.NoError(t, err)
	}
	report(sessions.InstanceReport{ID: "gone", Health: sessions.HealthGone}, sessions.InstanceReport{ID: "unnamed"},
		sessions.InstanceReport{ID: "here"})
	const goneAt, seenAt = 2 + 4*8, 2 + 5*8 // offsets of the record's fields
	keys := keysFor(s, request(t, "x").Key)
	long := uint64(time.Now().Add(-25 * time.Hour).UnixMicro())
	for place, offset := range map[string]int{"v\x00gone": goneAt, "v\x00unnamed": seenAt} {
		record, err := c.HGet(t.Context(), keys.Instances, place).Bytes()
		require.NoError(t, err)
		binary.BigEndian.PutUint64(record[offset:], long)
		require.NoError(t, c.HSet(t.Context(), keys.Instances, place, record).Err())
	}
	all, err := s.Instances(t.Context(), own(t))
	require.NoError(t, err)
	require.Len(t, all, 2, "gone for longer than the retention is not listed")
	require.NoError(t, c.HDel(t.Context(), keys.Marks, "forget").Err())
	report(sessions.InstanceReport{ID: "here"})
	require.Equal(t, []string{"v\x00here"}, c.HKeys(t.Context(), keys.Instances).Val())
}

func TestOpenRefusesWhatCannotBeUsed(t *testing.T) {
	t.Parallel()
	cfg := configOf("127.0.0.1:1")
	cfg.PasswordFile = t.TempDir() + "/missing"
	_, err := redisstore.Open(cfg, redisstore.Options{})
	require.ErrorIs(t, err, redisstore.ErrConfig)
	_, err = redisstore.Open(configOf(), redisstore.Options{})
	require.ErrorIs(t, err, redisstore.ErrConfig)
}
