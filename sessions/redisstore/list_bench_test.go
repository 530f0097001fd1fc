package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

const (
	pageSize  = 100
	residents = 1000 // Active sessions of the instance "b", however many the function has
)

// fill writes what Pin would, some 100,000 sessions a second. ARGV: from, to, how many there will be, creation time of
// the first. KEYS: deadlines, members, active; the keys of records are these without an ID.
const fill = `
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
  local id, there = string.format('%032x', i), i % (tonumber(ARGV[3]) / 1000) == 0
  local member, created = 'LATEST:' .. id, tonumber(ARGV[4]) + i
  local r = {flags = 0, affinity = 2, event = 0, epoch = created, created = created, modified = created, ended = 0,
    ttl = 24 * HOUR, idle = 0, call = '12345678', version = 'LATEST', id = there and 'b' or 'a', incarnation = there and 2 or 1,
    reason = '', from = '', move = '', name = '', fingerprint = ''}
  redis.call('SET', KEYS[4] .. id, encode(r))
  redis.call('ZADD', KEYS[1], int(created + r.ttl), member)
  redis.call('ZADD', KEYS[2], there and 2 or 1, member)
  redis.call('ZADD', KEYS[3], 0, stamp(created) .. id)
end`

// filled returns a store with n sessions of the function "counter", of which the first was created at this time in µs.
func filled(b *testing.B, n int) (*redisstore.Store, int64) {
	const batch = 1000
	server := redistest.Standalone(b, redistest.Options{})
	s, c := open(b, topology{config: configOf(server.Addr)}), shell(b, server.Addr)
	keys := s.KeysOf("counter", redisstore.Member(sessions.Key{Qualifier: sessions.LatestQualifier}), "")
	created, script := time.Now().UnixMicro(), redis.NewScript(redisstore.RecordLua()+fill)
	for from := 0; from < n; from += batch {
		err := script.Run(b.Context(), c, []string{keys.Deadlines, keys.Members, keys.Active, keys.Record},
			from, min(from+batch, n), n, created).Err()
		require.ErrorIs(b, err, redis.Nil)
	}
	require.NoError(b, c.HSet(b.Context(), keys.Counts, "1\x00LATEST\x00a", fmt.Sprint(n-residents, " 1"),
		"2\x00LATEST\x00b", fmt.Sprint(residents, " 2")).Err())
	return s, created
}

// lastPage walks a listing to the cursor of its last page.
func lastPage(b *testing.B, s *redisstore.Store, q sessions.Query) sessions.Query {
	for {
		page, err := s.List(b.Context(), q)
		require.NoError(b, err)
		require.Len(b, page.Sessions, pageSize)
		if page.Cursor == "" {
			return q
		}
		q.After = page.Cursor
	}
}

func BenchmarkListPage(b *testing.B) {
	for _, n := range []int{residents, 1_000_000} {
		s, created := filled(b, n)
		first := sessions.Query{Function: "counter", Qualifier: sessions.LatestQualifier, Limit: pageSize}
		last := first
		before := n - pageSize - 1
		last.After = redisstore.CursorOf(last, stamp(uint64(created)+uint64(before))+fmt.Sprintf("%032x", before))
		there := sessions.Query{Function: "counter", Version: sessions.LatestQualifier, Instance: "b", Limit: pageSize}
		for _, page := range []struct {
			name string
			q    sessions.Query
		}{{"first", first}, {"last", last}, {"instance/first", there}, {"instance/last", lastPage(b, s, there)}} {
			b.Run(fmt.Sprintf("%s/%d", page.name, n), func(b *testing.B) {
				for b.Loop() {
					got, err := s.List(b.Context(), page.q)
					require.NoError(b, err)
					require.Len(b, got.Sessions, pageSize)
					require.Equal(b, page.q.After != "", got.Cursor == "")
				}
			})
		}
	}
}
