package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

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
