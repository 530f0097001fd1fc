package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func reserveChecks() []Check {
	return []Check{
		{"Reserve/counts, and is not listed", reservationHidden},
		{"Reserve/a released slot is free at once", reservationReleased},
		{"Reserve/expires by itself", reservationExpires},
		{"Reserve/never more than fit, in a race", reserveRace},
		{"Reserve/isolation uses the instance up", reserveIsolated},
		{"Reserve/may be moved", reservationMoves},
	}
}

// reservation asks for a slot on any instance of the pool.
func (w *world) reservation() sessions.PinRequest {
	r := w.request("")
	r.Key, r.Mode = sessions.ReservedKey(w.fn, sessions.LatestQualifier), sessions.Create
	return r
}

// reserve takes a slot on an instance, which has one, for longLife.
func (w *world) reserve(home sessions.Home) sessions.Session {
	w.Helper()
	r := w.reservation()
	r.Placement = sessions.Placement{Candidates: []sessions.Home{home}, PerInstance: 1}
	return w.pin(r)
}

// unlisted asserts that no listing has anything.
func (w *world) unlisted() {
	w.Helper()
	for _, state := range []sessions.State{sessions.Active, sessions.Ended} {
		require.Empty(w, w.list(state, 7), "a reservation is listed")
		for _, h := range w.homes {
			q := sessions.Query{Version: h.Version, Instance: h.ID, State: state, Limit: 7}
			require.Empty(w, w.walk(q), "a reservation is listed at its instance")
		}
	}
	all, err := w.Qualifiers(w.Context(), w.fn)
	require.NoError(w, err)
	require.Empty(w, all, "a reservation makes no qualifier")
}

func reservationHidden(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.reserve(w.homes[0])
	require.Equal(tb, 1, w.load("a"), "a reservation counts")
	w.unlisted()
	_, err := w.Get(tb.Context(), s.Key)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	_, err = w.Update(tb.Context(), sessions.UpdateRequest{Key: s.Key})
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	history := func() {
		all, err := w.History(tb.Context(), s.Key)
		require.NoError(tb, err)
		require.Empty(tb, all)
	}
	history()
	w.end(s, true)
	require.Zero(tb, w.load("a"))
	w.unlisted()
	history()
}

func reservationReleased(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	for _, keep := range []bool{false, true} {
		s := w.reserve(w.homes[0])
		full := w.reservation()
		full.PerInstance = 1
		_, _, err := w.Pin(tb.Context(), full)
		require.ErrorIs(tb, err, sessions.ErrFull, "a reservation counts")
		w.end(s, keep)
	}
	s := w.reserve(w.homes[0])
	_, err := w.End(tb.Context(), sessions.Session{Key: s.Key, Epoch: s.Epoch - 1}, false)
	require.ErrorIs(tb, err, sessions.ErrMoved, "by epoch, as of any session")
	require.Equal(tb, 1, w.load("a"))
}

func reservationExpires(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.reservation()
	r.TTL, r.PerInstance = shortLife, 1
	before := time.Now()
	s := w.pin(r)
	require.Equal(tb, shortLife, s.Deadline.Sub(s.CreatedAt))
	next := w.request("x")
	next.PerInstance = 1
	w.until("the slot of an expired reservation is free", func() bool {
		_, created, err := w.Pin(tb.Context(), next)
		if err != nil {
			require.ErrorIs(tb, err, sessions.ErrFull)
		}
		return created
	})
	require.GreaterOrEqual(tb, time.Since(before), shortLife-grain, "expired early")
	_, _, err := w.Bind(tb.Context(), w.bindAs(s, "late"))
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	_, err = w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.Empty(tb, w.list(sessions.Ended, 7), "it leaves no trace")
	require.Equal(tb, 1, w.load("a"))
}

func reserveRace(tb testing.TB, h Harness) {
	const perInstance, callers = 3, 24
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], "a", "b", "c")
	answers := make([]answer, callers)
	var all sync.WaitGroup
	for i := range answers {
		r := w.reservation()
		r.PerInstance = perInstance
		all.Go(func() {
			a := &answers[i]
			a.s, a.created, a.err = replicas[i%raceReplicas].Pin(w.Context(), r)
		})
	}
	all.Wait()
	taken := map[sessions.Home]int{}
	for _, a := range answers {
		if a.err != nil {
			require.ErrorIs(tb, a.err, sessions.ErrFull)
			continue
		}
		taken[a.s.Home]++
	}
	for _, home := range w.homes {
		require.Equal(tb, perInstance, taken[home], "over or under capacity")
		require.Equal(tb, perInstance, w.load(home.ID))
	}
	w.unlisted()
}

func reserveIsolated(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.reservation()
	r.Isolation, r.PerInstance = true, 1
	s := w.pin(r)
	require.True(tb, w.instance(sessions.LatestQualifier, "a").Used, "a reservation uses its instance up")
	require.Equal(tb, 1, w.load("a"), "a used instance with a reservation is not to be reaped")
	w.end(s, false)
	require.True(tb, w.instance(sessions.LatestQualifier, "a").Used, "and so it stays")
	_, _, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull)
}

func reservationMoves(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	was := w.pin(w.reservation())
	moved, err := w.Rehome(tb.Context(), w.refused(was))
	require.NoError(tb, err)
	require.NotEqual(tb, was.Home, moved.Home)
	require.Equal(tb, was.Epoch+1, moved.Epoch)
	require.Zero(tb, w.load(was.Home.ID))
	w.unlisted()
	_, _, err = w.Bind(tb.Context(), w.bindAs(was, "x"))
	require.ErrorIs(tb, err, sessions.ErrNotFound, "of another epoch")
	s, created, err := w.Bind(tb.Context(), w.bindAs(moved, "x"))
	require.NoError(tb, err)
	require.True(tb, created)
	require.Equal(tb, moved.Home, s.Home)
	require.Equal(tb, sessions.Event{}, s.Event, "nobody was told of a session that moved")
	again, created, err := w.Bind(tb.Context(), w.bindAs(moved, "x"))
	require.NoError(tb, err)
	require.True(tb, created)
	w.same(s, again)
}
