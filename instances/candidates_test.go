package instances_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestCandidatesAreAFairSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := make([]string, 20)
		for i := range ids {
			ids[i] = fmt.Sprint("i", i)
		}
		w := newWorld(t, ids...).run()
		const draws, n = 20_000, 4
		drawn, first := map[string]int{}, map[string]int{}
		for range draws {
			homes := w.pool.Candidates(n)
			require.Len(t, homes, n)
			seen := map[string]bool{}
			for _, h := range homes {
				require.False(t, seen[h.ID], "drawn twice")
				require.Positive(t, h.Incarnation)
				seen[h.ID] = true
				drawn[h.ID]++
			}
			first[homes[0].ID]++
		}
		for _, id := range ids { // five standard deviations
			require.InDelta(t, draws*n/20, drawn[id], 285, id)
			require.InDelta(t, draws/20, first[id], 155, id)
		}
		require.Len(t, w.pool.Candidates(0), 20)
		require.Len(t, w.pool.Candidates(99), 20)
		order := map[string]int{}
		for range 2000 {
			order[w.pool.Candidates(0)[0].ID]++
		}
		require.Len(t, order, 20, "all of them come in random order too")
		w.stop()
	})
}

// A session that is made where every request gets 429 would get one at once.
func TestCandidatesWithoutRoomForRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c").run()
		fill := func(id string) {
			for w.instance(id).Acquire() {
			}
		}
		fill("a")
		require.ElementsMatch(t, []string{"b", "c"}, w.candidates())
		for range 50 {
			for _, h := range w.pool.Candidates(2) {
				require.NotEqual(t, "a", h.ID)
			}
		}
		w.instance("a").Release()
		require.Len(t, w.candidates(), 3)
		for _, id := range []string{"a", "b", "c"} {
			fill(id)
		}
		require.Len(t, w.candidates(), 3, "where all are, a 429 says more than that there is none")
		w.stop()
	})
}
