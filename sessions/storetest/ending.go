package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func endingChecks() []Check {
	return []Check{
		{"Ending/a kept session, then it is Ended", endingKept},
		{"Ending/a deleted session, then it is gone", endingDeleted},
		{"Ending/an expired session", endingExpired},
		{"Ending/holds no slot and no ID", endingFrees},
		{"Ending/a touch renews it", endingRenewed},
		{"Ending/only with requests in flight", endingIdle},
		{"Ending/not when the requests are over", endingOver},
	}
}

// running reports that requests of a session run.
func running(s sessions.Session) sessions.Touch {
	t := use(s, 0)
	t.InFlight = true
	return t
}

// seen is what a store shows of one session at one moment.
type seen struct {
	state         sessions.State
	deleted       bool
	found         bool
	listed, whole []sessions.Session // of its record in the listing of ended ones, and its history
}

// look reads a session that is not Active, by the listing and by the history, until both agree: the moment at which
// a lease is over may fall between the two.
func (w *world) look(s sessions.Session) (got seen) {
	w.Helper()
	w.until("listing and history agree", func() bool {
		got = seen{}
		for _, l := range w.list(sessions.Ended, 10) {
			if l.Key == s.Key && l.Epoch == s.Epoch {
				got.listed = append(got.listed, l)
			}
		}
		for _, l := range w.history(s.Key) {
			if l.Epoch == s.Epoch {
				got.whole = append(got.whole, l)
			}
		}
		if len(got.listed) != len(got.whole) {
			return false
		}
		require.LessOrEqual(w, len(got.listed), 1, "listed twice")
		if got.found = len(got.listed) == 1; !got.found {
			return true
		}
		got.state, got.deleted = got.listed[0].State, got.listed[0].Deleted
		return got.state == got.whole[0].State
	})
	return got
}

// ending returns a session that ended while requests of it ran, and the moment before which its lease did not begin.
func (w *world) ending(keep bool) (s, ended sessions.Session, from time.Time) {
	w.Helper()
	w.until("the machine ends a session in time", func() bool {
		s = w.pin(w.request(uniqueName()))
		from = time.Now()
		w.touch(running(s), use(s, 0)) // of another replica, without requests: it does not speak for the first
		ended = w.end(s, keep)
		return time.Since(from) < sessions.InFlightLease/2
	})
	require.Equal(w, sessions.Ending, ended.State)
	require.Equal(w, !keep, ended.Deleted)
	require.False(w, ended.EndedAt.IsZero())
	return s, ended, from
}

// outlives asserts that the session is Ending until the lease is over, and then is not.
func (w *world) outlives(s sessions.Session, from time.Time) (last seen) {
	w.Helper()
	w.until("the lease is over", func() bool {
		last = w.look(s)
		if last.found && last.state == sessions.Ending {
			return false
		}
		require.Greater(w, time.Since(from), sessions.InFlightLease-grain, "over early")
		return true
	})
	return last
}

func endingKept(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s, ended, from := w.ending(true)
	w.same(ended, w.end(s, true)) // a client that lost the answer
	_, err := w.Get(tb.Context(), s.Key)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	require.Empty(tb, w.list(sessions.Active, 10))
	last := w.outlives(s, from)
	require.True(tb, last.found, "kept for its retention")
	require.Equal(tb, sessions.Ended, last.state)
	ended.State = sessions.Ended
	w.same(ended, last.listed[0])
	w.same(ended, last.whole[0])
}

func endingDeleted(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s, ended, from := w.ending(false)
	if first := w.look(s); time.Since(from) < sessions.InFlightLease {
		require.True(tb, first.found, "listed while its requests run")
		w.same(ended, first.listed[0])
		w.same(ended, first.whole[0])
	}
	_, err := w.End(tb.Context(), s, false)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	_, err = w.Get(tb.Context(), s.Key)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	require.False(tb, w.outlives(s, from).found, "every trace goes with its last request")
	w.touch(running(s))
	require.False(tb, w.look(s).found, "a late touch brings nothing back")
	_, err = w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.False(tb, w.look(s).found)
	_, err = w.End(tb.Context(), s, true)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
}

// endingExpired: the deadline ends a session as an End does.
func endingExpired(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.until("the machine looks in time", func() bool {
		r := w.request(uniqueName())
		r.TTL = shortLife
		s, from := w.pin(r), time.Now()
		w.touch(running(s))
		w.expired(s)
		_, err := w.Sweep(tb.Context(), w.fn)
		require.NoError(tb, err)
		first := w.look(s)
		if time.Since(from) >= sessions.InFlightLease {
			return false
		}
		require.True(tb, first.found)
		require.Equal(tb, sessions.Ending, first.state)
		require.False(tb, first.deleted)
		require.Equal(tb, sessions.Ended, w.outlives(s, from).state)
		return true
	})
}

func endingFrees(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	one := func(id string) sessions.PinRequest {
		r := w.request(id)
		r.PerInstance = 1
		return r
	}
	for id, keep := range map[string]bool{"kept": true, "deleted": false} {
		r := one(id)
		r.DisableIDReuse = !keep
		s := w.pin(r)
		w.touch(running(s))
		w.end(s, keep)
		require.Zero(tb, w.load("a"), "the slot is free at once")
		other := w.pin(one("other" + id))
		w.end(other, false)
		again := w.pin(one(id))
		require.Greater(tb, again.Epoch, s.Epoch, "a new session")
		require.Equal(tb, sessions.Event{Kind: sessions.EventCreated}, again.Event)
		require.Equal(tb, []int{0}, w.stale(running(s), running(again)))
		w.same(again, w.get(id))
		require.Equal(tb, 1, w.load("a"))
		history := w.history(s.Key)
		w.same(again, history[len(history)-1])
		w.end(again, true)
		require.Zero(tb, w.load("a"))
	}
}

// endingRenewed touches ended sessions once more, and looks when the first touch has lapsed and the second has not.
func endingRenewed(tb testing.TB, h Harness) {
	const lease = sessions.InFlightLease
	w := newWorld(tb, h, "a")
	w.until("the machine keeps up", func() bool {
		kept, _, first := w.ending(true)
		deleted, _, from := w.ending(false)
		w.until("half the lease is over", func() bool { return time.Since(from) > lease/2 })
		renewed := time.Now()
		stale := w.stale(running(kept), running(deleted), use(kept, 0))
		if time.Since(first) >= lease {
			return false
		}
		require.ElementsMatch(tb, []int{0, 1, 2}, stale, "ended is not Active")
		w.until("the first touch has lapsed", func() bool { return time.Since(from) > lease+grain })
		a, b := w.look(kept), w.look(deleted)
		if time.Since(renewed) >= lease {
			return false
		}
		require.Equal(tb, []sessions.State{sessions.Ending, sessions.Ending}, []sessions.State{a.state, b.state}, "the second touch counts")
		require.True(tb, w.outlives(kept, renewed).found)
		require.False(tb, w.outlives(deleted, renewed).found)
		return true
	})
}

func endingIdle(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	for _, keep := range []bool{true, false} {
		s := w.pin(w.request(uniqueName()))
		other := running(s)
		other.Epoch++
		require.Equal(tb, []int{1}, w.stale(use(s, 0), other))
		ended := w.end(s, keep)
		require.Equal(tb, sessions.Ended, ended.State, "a touch without requests, and one of another session, count for nothing")
		require.False(tb, ended.Deleted)
		require.Equal(tb, keep, w.look(s).found)
	}
}

func endingOver(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	kept, forgotten := w.pin(w.request("kept")), w.pin(w.request("forgotten"))
	w.touch(running(kept), running(forgotten))
	now := w.get("kept").ReadAt
	w.until("the lease is over", func() bool { return w.get("kept").ReadAt.Sub(now) > sessions.InFlightLease+grain })
	require.Equal(tb, sessions.Ended, w.end(kept, true).State)
	require.Equal(tb, sessions.Ended, w.end(forgotten, false).State)
	require.True(tb, w.look(kept).found)
	require.False(tb, w.look(forgotten).found)
}
