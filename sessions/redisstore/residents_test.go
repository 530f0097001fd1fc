package redisstore_test

import (
	"fmt"
	"testing"
	"time"

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
		r.Candidates = []sessions.Home{{Version: sessions.LatestQualifier, ID: string("abbc"[i%4]), Incarnation: uint64(1 + i%4)}}
		_, _, err := s.Pin(t.Context(), r)
		require.NoError(t, err)
		if r.Candidates[0].ID == "b" {
			stays[r.ID] = true
		}
	}
	for _, limit := range []int{1, 7, 300} {
		seen := map[string]bool{}
		all := residentPages(t, s, limit, func(page []sessions.Session) {
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

// TestDeadlinesAreThoseOfSettings compares Lua's rule with Go's.
func TestDeadlinesAreThoseOfSettings(t *testing.T) {
	t.Parallel()
	s, _ := onStandalone(t)
	for i, idle := range []time.Duration{
		0, time.Millisecond, 199 * time.Millisecond, 200 * time.Millisecond, 999_999 * time.Microsecond, time.Second,
		9 * time.Second, 10 * time.Second, time.Hour,
	} {
		r := request(t, numbered(i))
		r.IdleTimeout = idle
		got, _, err := s.Pin(t.Context(), r)
		require.NoError(t, err)
		require.WithinDuration(t, r.Settings.Deadline(got.CreatedAt, got.CreatedAt), got.Deadline, time.Microsecond, idle)
	}
}
