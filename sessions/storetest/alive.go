package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func aliveChecks() []Check {
	return []Check{
		{"Alive/a home seen healthy may not be lost", aliveForbids},
		{"Alive/AliveWithin bounds how recent", aliveWithin},
		{"Alive/lost and gone homes are not alive", aliveNotLost},
		{"Alive/a home nobody reported is not alive", aliveUnknown},
	}
}

// suspected asks to move a session whose home this replica believes lost.
func (w *world) suspected(s sessions.Session, within time.Duration) sessions.RehomeRequest {
	r := w.refused(s)
	r.Certain, r.AliveWithin = false, within
	return r
}

func aliveForbids(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	_, err := w.Rehome(tb.Context(), w.suspected(s, longLife))
	require.ErrorIs(tb, err, sessions.ErrAlive)
	w.same(s, w.get("x"))
	require.Equal(tb, []int{1, 0}, []int{w.load("a"), w.load("b")})
	w.rehome(w.refused(s)) // a refused dial is proof
	_, err = w.Rehome(tb.Context(), w.suspected(s, longLife))
	require.ErrorIs(tb, err, sessions.ErrMoved, "the epoch comes first")
}

func aliveWithin(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	const within = 100 * time.Millisecond
	var s sessions.Session
	w.until("the machine asks in time", func() bool {
		r := w.request(uniqueName())
		r.Candidates = w.homes[:1]
		s = w.pin(r)
		seen := time.Now()
		w.say(up("a"))
		_, err := w.Rehome(tb.Context(), w.suspected(s, within))
		if time.Since(seen) >= within {
			return false
		}
		require.ErrorIs(tb, err, sessions.ErrAlive)
		return true
	})
	var moved sessions.Session
	w.until("nobody saw the home for AliveWithin", func() bool {
		var err error
		moved, err = w.Rehome(tb.Context(), w.suspected(s, within))
		if err != nil {
			require.ErrorIs(tb, err, sessions.ErrAlive)
		}
		return err == nil
	})
	last := w.instance(sessions.LatestQualifier, "a").LastHealthy
	require.False(tb, moved.ModifiedAt.Before(last.Add(within-grain)), "moved while the home counted as alive")
}

func aliveNotLost(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	w.lose("a")
	moved := w.rehome(w.suspected(s, longLife))
	require.Equal(tb, "b", moved.Home.ID)
	w.homes = append(w.homes, w.say(up("c")).Home)
	w.say(is("b", sessions.HealthGone))
	again := w.rehome(w.suspected(moved, longLife))
	require.NotEqual(tb, "b", again.Home.ID)
}

func aliveUnknown(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "b")
	r := w.request("x")
	r.Candidates = []sessions.Home{{Version: sessions.LatestQualifier, ID: "stranger", Incarnation: 7}}
	s := w.pin(r)
	require.Equal(tb, r.Candidates[0], s.Home, "the registry does not know it, so it does not refuse it")
	require.Equal(tb, w.homes[0], w.rehome(w.suspected(s, longLife)).Home)
}
