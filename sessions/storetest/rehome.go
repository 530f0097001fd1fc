package storetest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func rehomeChecks() []Check {
	return []Check{
		{"Rehome/moves the session", rehomeMoves},
		{"Rehome/exactly once under a race", rehomeOnce},
		{"Rehome/stale epoch is told the current session", rehomeMoved},
		{"Rehome/full", rehomeFull},
		{"Rehome/not found", rehomeNotFound},
		{"Rehome/isolation", rehomeIsolation},
		{"Rehome/same place, greater incarnation", rehomeSamePlace},
	}
}

// refused asks to move a session whose home's dial was refused.
func (w *world) refused(s sessions.Session) sessions.RehomeRequest {
	return sessions.RehomeRequest{Session: s, Reason: sessions.ReasonLost, Certain: true, Placement: w.anywhere()}
}

func (w *world) rehome(r sessions.RehomeRequest) sessions.Session {
	w.Helper()
	s, err := w.Rehome(w.Context(), r)
	require.NoError(w, err)
	return s
}

func rehomeMoves(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	r := w.request("x")
	r.Origin, r.Affinity = sessions.OriginAPI, sessions.AffinityCookie
	s := w.pin(r)
	require.Equal(tb, w.homes[0], s.Home)
	req := w.refused(s)
	req.Reason = sessions.ReasonGone
	moved := w.rehome(req)
	want := s
	want.Home, want.Epoch = w.homes[1], s.Epoch+1
	want.Event = sessions.Event{Kind: sessions.EventRehomed, Reason: sessions.ReasonGone, From: "a"}
	want.ModifiedAt = moved.ModifiedAt
	w.same(want, moved)
	require.False(tb, moved.ModifiedAt.Before(s.CreatedAt))
	w.same(moved, w.get("x"))
	require.Equal(tb, []int{0, 1}, []int{w.load("a"), w.load("b")}, "the old home's slot is given back")
	again, created, err := w.Pin(tb.Context(), w.request("x"))
	require.NoError(tb, err)
	require.False(tb, created)
	w.same(moved, again)
	require.Len(tb, w.list(sessions.Active, 10), 1)
	require.Empty(tb, w.list(sessions.Ended, 10))
}

func rehomeOnce(tb testing.TB, h Harness) {
	const callers = 16
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], "a", "b", "c", "d")
	for _, id := range numbered("x", 10) {
		s := w.pin(w.request(id))
		answers := make([]answer, callers)
		start := make(chan struct{})
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				<-start
				answers[i].s, answers[i].err = replicas[i%raceReplicas].Rehome(tb.Context(), w.refused(s))
			})
		}
		close(start)
		all.Wait()
		checkRehomedOnce(w, s, answers)
	}
	checkCounts(w, 1000)
}

func checkRehomedOnce(w *world, s sessions.Session, answers []answer) {
	w.Helper()
	now, moved := w.get(s.ID), 0
	require.Equal(w, s.Epoch+1, now.Epoch, "re-homed once")
	require.NotEqual(w, s.Home, now.Home)
	for _, a := range answers {
		if a.err == nil {
			moved++
		} else {
			require.ErrorIs(w, a.err, sessions.ErrMoved)
		}
		w.same(now, a.s)
	}
	require.Equal(w, 1, moved, "one caller moves the session, the others are told")
}

func rehomeMoved(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	moved := w.rehome(w.refused(s))
	got, err := w.Rehome(tb.Context(), w.refused(s))
	require.ErrorIs(tb, err, sessions.ErrMoved)
	w.same(moved, got)
	w.end(moved, false)
	again := w.pin(w.request("x"))
	got, err = w.Rehome(tb.Context(), w.refused(moved))
	require.ErrorIs(tb, err, sessions.ErrMoved, "the ID has a new session")
	w.same(again, got)
	w.same(again, w.get("x"))
}

func rehomeFull(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	w.pin(w.request("y"))
	r := w.refused(s)
	r.PerInstance = 1
	_, err := w.Rehome(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull)
	r = w.refused(s)
	r.Candidates = w.homes[:1]
	_, err = w.Rehome(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull, "the home itself is no other instance")
	r.Candidates = nil
	_, err = w.Rehome(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull)
	w.same(s, w.get("x"))
	require.Equal(tb, []int{1, 1}, []int{w.load("a"), w.load("b")})
}

func rehomeNotFound(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	_, err := w.Rehome(tb.Context(), w.refused(sessions.Session{Key: w.key("none"), Epoch: 1}))
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	for _, keep := range []bool{true, false} {
		s := w.pin(w.request("x"))
		w.end(s, keep)
		_, err = w.Rehome(tb.Context(), w.refused(s))
		require.ErrorIs(tb, err, sessions.ErrNotFound)
	}
	s := w.pinShort("y")
	w.expired(s)
	_, err = w.Rehome(tb.Context(), w.refused(s))
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	require.Empty(tb, w.list(sessions.Active, 10), "an expired session is not revived")
}

func rehomeIsolation(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b", "c")
	pin := w.request("x")
	pin.Isolation = true
	s := w.pin(pin)
	move := func(s sessions.Session) (sessions.Session, error) {
		r := w.refused(s)
		r.Isolation = true
		return w.Rehome(tb.Context(), r)
	}
	for range 2 {
		moved, err := move(s)
		require.NoError(tb, err)
		require.True(tb, w.instance(sessions.LatestQualifier, moved.Home.ID).Used)
		s = moved
	}
	_, err := move(s)
	require.ErrorIs(tb, err, sessions.ErrFull, "all three are used")
}

func rehomeSamePlace(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	w.homes = []sessions.Home{w.say(started("a", "one")).Home}
	s := w.pin(w.request("x"))
	w.homes = append(w.homes, w.say(started("a", "two")).Home)
	moved, err := w.Rehome(tb.Context(), sessions.RehomeRequest{
		Session: s, Reason: sessions.ReasonRestarted, AliveWithin: longLife, Placement: w.anywhere(),
	})
	require.NoError(tb, err, "a replaced home is not alive, whatever lives at its place")
	require.Equal(tb, w.homes[1], moved.Home)
	require.Equal(tb, sessions.Event{Kind: sessions.EventRehomed, Reason: sessions.ReasonRestarted, From: "a"}, moved.Event)
	require.Equal(tb, 1, w.load("a"))
}
