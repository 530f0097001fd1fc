package redisstore_test

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

// residentPages walks the Active sessions of the test's instance "b".
func residentPages(t *testing.T, s *redisstore.Store, limit int, between func(page []sessions.Session)) []string {
	t.Helper()
	var seen []string
	q := sessions.Query{Function: own(t), Version: sessions.LatestQualifier, Instance: "b", Limit: limit}
	for {
		page, err := s.List(t.Context(), q)
		require.NoError(t, err)
		seen = append(seen, ids(page.Sessions)...)
		if q.After = page.Cursor; q.After == "" {
			return seen
		}
		between(page.Sessions)
	}
}

// TestResidentsUnderChurn: on three instances, of one of them two incarnations, with IDs that no locale sorts as
// their bytes. Every page's last session ends before the next page, so that each begins behind one that is gone.
func TestResidentsUnderChurn(t *testing.T) {
	t.Parallel()
	s, _ := onStandalone(t)
	stays := map[string]bool{}
	for i := range 400 {
		r := request(t, fmt.Sprintf("%c%c-%d", "aB_~Zz.0"[i%8], "-Aa"[i%3], i))
		r.Candidates = []sessions.Home{{Version: sessions.LatestQualifier, ID: []string{"a", "b", "b", "bb"}[i%4], Incarnation: uint64(1 + i%4)}}
		_, _, err := s.Pin(t.Context(), r)
		require.NoError(t, err)
		if r.Candidates[0].ID == "b" {
			stays[r.ID] = true
		}
	}
	for _, limit := range []int{1, 7, 300} {
		seen := map[string]bool{}
		all := residentPages(t, s, limit, func(page []sessions.Session) {
			require.Len(t, page, limit)
			last := page[len(page)-1]
			if limit > 1 { // else none would stay
				_, err := s.End(t.Context(), last, false)
				require.NoError(t, err)
				delete(stays, last.ID)
			}
		})
		for _, id := range all {
			require.False(t, seen[id], "%s is listed twice", id)
			seen[id] = true
		}
		for id := range stays {
			require.True(t, seen[id], "%s is missing", id)
		}
	}
	require.Len(t, stays, 200-200/7)
}

// TestResidentThatMovedMeanwhile is in the index still, as if it was re-homed after the index was read.
func TestResidentThatMovedMeanwhile(t *testing.T) {
	t.Parallel()
	s, c := onStandalone(t)
	var homed []sessions.Session
	for i, home := range homes {
		r := request(t, numbered(i))
		r.Candidates = []sessions.Home{home}
		got, _, err := s.Pin(t.Context(), r)
		require.NoError(t, err)
		homed = append(homed, got)
	}
	members := keysFor(s, homed[0].Key).Members
	there := c.ZScore(t.Context(), members, redisstore.Member(homed[1].Key)).Val()
	require.NoError(t, c.ZAdd(t.Context(), members, redis.Z{Score: there, Member: redisstore.Member(homed[0].Key)}).Err())
	require.Equal(t, []string{homed[1].ID}, residentPages(t, s, 10, nil))
}

// TestCursorOfNoEntry: a cursor that is the listing's own but stands before all that the listing has.
func TestCursorOfNoEntry(t *testing.T) {
	t.Parallel()
	s, _ := onStandalone(t)
	r := request(t, "x")
	r.Candidates = homes[:1]
	got, _, err := s.Pin(t.Context(), r)
	require.NoError(t, err)
	_, err = s.End(t.Context(), got, true)
	require.NoError(t, err)
	q := sessions.Query{Function: own(t), Version: sessions.LatestQualifier, Instance: "b", State: sessions.Ended, Limit: 10}
	q.After = redisstore.CursorOf(q, "\x00")
	page, err := s.List(t.Context(), q)
	require.NoError(t, err)
	require.Empty(t, page.Sessions, "another instance's")
}
