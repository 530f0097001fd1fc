package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func endingChecks() []Check {
	return []Check{
		{"Ending/a kept session", endingKept},
		{"Ending/a deleted session", endingDeleted},
		{"Ending/an expired session", endingExpired},
		{"Ending/holds no slot and no ID", endingFrees},
		{"Ending/only with requests in flight", endingIdle},
		{"Ending/until the lease is over", endingOver},
		{"Ending/a touch renews it", endingRenewed},
	}
}

// running reports that requests of a session run.
func running(s sessions.Session) sessions.Touch {
	t := use(s, 0)
	t.InFlight = true
	return t
}

func endingKept(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.until("the machine looks in time", func() bool {
		s, ended, from := w.ending(true)
		again, got := w.end(s, true), w.look(s) // again: by a client that lost the answer
		if time.Since(from) >= sessions.InFlightLease {
			return false
		}
		w.same(ended, again)
		require.True(tb, got.found)
		w.same(ended, got.listed[0])
		w.same(ended, got.whole[0])
		_, err := w.Get(tb.Context(), s.Key)
		require.ErrorIs(tb, err, sessions.ErrNotFound)
		require.Empty(tb, w.list(sessions.Active, 10))
		return true
	})
}

func endingDeleted(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.until("the machine looks in time", func() bool {
		s, ended, from := w.ending(false)
		for _, keep := range []bool{true, false} {
			_, err := w.End(tb.Context(), s, keep)
			require.ErrorIs(tb, err, sessions.ErrNotFound)
		}
		_, err := w.Sweep(tb.Context(), w.fn)
		require.NoError(tb, err)
		got := w.look(s)
		if time.Since(from) >= sessions.InFlightLease {
			return false
		}
		require.True(tb, got.found, "listed while its requests run")
		w.same(ended, got.listed[0])
		w.same(ended, got.whole[0])
		_, err = w.Get(tb.Context(), s.Key)
		require.ErrorIs(tb, err, sessions.ErrNotFound)
		require.Empty(tb, w.list(sessions.Active, 10))
		return true
	})
}

// expiring returns a session that will expire while requests of it run.
func (w *world) expiring() (s sessions.Session, from time.Time) {
	w.Helper()
	w.until("the machine touches a session in time", func() bool {
		s = w.pinShort(uniqueName())
		from = time.Now()
		return len(w.stale(running(s))) == 0
	})
	return s, from
}

// endingExpired: the deadline ends a session as an End does.
func endingExpired(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.until("the machine looks in time", func() bool {
		s, from := w.expiring()
		w.expired(s)
		_, err := w.Sweep(tb.Context(), w.fn)
		require.NoError(tb, err)
		got := w.look(s)
		if time.Since(from) >= sessions.InFlightLease {
			return false
		}
		require.True(tb, got.found)
		require.Equal(tb, sessions.Ending, got.state)
		require.False(tb, got.deleted)
		return true
	})
}

// endingOver ends sessions in all ways while requests of them run, and one when they have run.
func endingOver(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	late, lateToo := w.pin(w.request("late")), w.pin(w.request("late too"))
	w.touch(running(late), running(lateToo))
	kept, ended, from := w.ending(true)
	deleted, _, fromToo := w.ending(false)
	expired, fromLast := w.expiring()
	last := w.outlives(kept, from)
	require.True(tb, last.found, "kept for its retention")
	require.Equal(tb, sessions.Ended, last.state)
	ended.State = sessions.Ended
	w.same(ended, last.listed[0])
	w.same(ended, last.whole[0])
	require.False(tb, w.outlives(deleted, fromToo).found, "every trace goes with its last request")
	w.touch(running(deleted))
	require.False(tb, w.look(deleted).found, "a late touch brings nothing back")
	_, err := w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.False(tb, w.look(deleted).found)
	require.Equal(tb, sessions.Ended, w.outlives(expired, fromLast).state)
	require.Equal(tb, sessions.Ended, w.end(late, true).State, "its requests have run")
	require.Equal(tb, sessions.Ended, w.end(lateToo, false).State)
	require.Equal(tb, []bool{true, false}, []bool{w.look(late).found, w.look(lateToo).found})
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
