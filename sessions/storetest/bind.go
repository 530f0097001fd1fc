package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func bindChecks() []Check {
	return []Check{
		{"Bind/makes the session", bindMakes},
		{"Bind/asked again gives the same", bindAgain},
		{"Bind/the slot stays taken", bindKeepsSlot},
		{"Bind/a reservation that is over", bindOver},
		{"Bind/an ID that is Active elsewhere", bindElsewhere},
		{"Bind/an ID that is Active at the same home", bindSameHome},
		{"Bind/an ID that was used before", bindReused},
		{"Bind/against a Pin of the ID", bindAgainstPin},
		{"Bind/two reservations of one ID", bindTwice},
		{"Bind/against the deadline", bindAgainstDeadline},
		{"Bind/is no call with a fingerprint", bindFingerprint},
	}
}

// bindAs makes a reservation a long-lived session.
func (w *world) bindAs(s sessions.Session, id string) sessions.BindRequest {
	return sessions.BindRequest{Reservation: s, ID: id, Settings: sessions.Settings{TTL: longLife}}
}

// bind binds a reservation whose session must not exist yet.
func (w *world) bind(r sessions.BindRequest) sessions.Session {
	w.Helper()
	s, created, err := w.Bind(w.Context(), r)
	require.NoError(w, err)
	require.True(w, created, "session %s existed", r.ID)
	return s
}

func bindMakes(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	reserved := w.pin(w.reservation())
	r := w.bindAs(reserved, "x")
	r.Settings = sessions.Settings{TTL: longLife, IdleTimeout: longLife / 2, DisableIDReuse: true}
	s := w.bind(r)
	require.Equal(tb, w.key("x"), s.Key)
	require.Equal(tb, reserved.Home, s.Home)
	require.Equal(tb, r.Settings, s.Settings)
	require.Equal(tb, reserved.Affinity, s.Affinity)
	require.Equal(tb, sessions.Active, s.State)
	require.Equal(tb, sessions.Event{}, s.Event, "whoever binds tells the client")
	require.Greater(tb, s.Epoch, reserved.Epoch)
	require.False(tb, s.CreatedAt.Before(reserved.CreatedAt))
	require.Equal(tb, s.CreatedAt, s.ModifiedAt)
	require.WithinDuration(tb, r.Settings.Deadline(s.CreatedAt, s.CreatedAt), s.Deadline, grain, "its life is not the reservation's")
	w.same(s, w.get("x"))
	listed := w.list(sessions.Active, 7)
	require.Len(tb, listed, 1)
	w.same(s, listed[0])
	there := w.walk(sessions.Query{Version: s.Home.Version, Instance: s.Home.ID, State: sessions.Active, Limit: 7})
	require.Len(tb, there, 1)
	all, err := w.Qualifiers(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.Equal(tb, []string{sessions.LatestQualifier}, all)
	checkCounts(w, 1)
	_, err = w.End(tb.Context(), reserved, false)
	require.ErrorIs(tb, err, sessions.ErrNotFound, "the reservation is gone")
	require.Equal(tb, 1, w.load(s.Home.ID), "and gives nothing back that is the session's")
	w.end(s, true)
	require.Len(tb, w.list(sessions.Ended, 7), 1)
	checkCounts(w, 0)
}

func bindAgain(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.bindAs(w.reserve(w.homes[0]), "x")
	s := w.bind(r)
	w.same(s, w.bind(r))
	require.Equal(tb, 1, w.load("a"))
	_, _, err := w.Bind(tb.Context(), w.bindAs(r.Reservation, "y"))
	require.ErrorIs(tb, err, sessions.ErrNotFound, "it became another session")
}

func bindOver(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	ended := w.reserve(w.homes[0])
	w.end(ended, false)
	unknown := ended
	unknown.Key = sessions.ReservedKey(w.fn, sessions.LatestQualifier)
	session := w.pin(w.request("s"))
	for what, s := range map[string]sessions.Session{"ended": ended, "unknown": unknown, "no reservation": session} {
		_, _, err := w.Bind(tb.Context(), w.bindAs(s, "x"))
		require.ErrorIs(tb, err, sessions.ErrNotFound, what)
	}
	_, err := w.Get(tb.Context(), w.key("x"))
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	held := w.pin(w.reservation())
	for _, id := range []string{held.ID, unknown.ID} {
		_, _, err := w.Bind(tb.Context(), w.bindAs(held, id))
		require.ErrorIs(tb, err, sessions.ErrNotFound, "a reservation's ID is no session's")
	}
	w.same(session, w.get("s"))
	require.Equal(tb, 2, w.load("a"))
}

func bindElsewhere(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	there := w.bind(w.bindAs(w.reserve(w.homes[0]), "x"))
	reserved := w.reserve(w.homes[1])
	_, _, err := w.Bind(tb.Context(), w.bindAs(reserved, "x"))
	require.ErrorIs(tb, err, sessions.ErrExists)
	w.same(there, w.get("x"))
	require.Equal(tb, 1, w.load("b"), "the reservation lives")
	w.bind(w.bindAs(reserved, "y"))
}

func bindSameHome(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	was := w.bind(w.bindAs(w.pin(w.reservation()), "x"))
	reserved := w.pin(w.reservation())
	require.Equal(tb, 2, w.load("a"))
	for range 2 {
		got, created, err := w.Bind(tb.Context(), w.bindAs(reserved, "x"))
		require.NoError(tb, err)
		require.False(tb, created)
		w.same(was, got)
		require.Equal(tb, 1, w.load("a"), "the slot of the reservation is given back")
	}
}

func bindReused(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	reserved := w.pin(w.reservation()) // older than the session that it follows
	old := w.pinShort("x")
	w.until("the ID's session has expired", func() bool {
		_, err := w.Get(tb.Context(), old.Key)
		return err != nil
	})
	s := w.bind(w.bindAs(reserved, "x"))
	require.Greater(tb, s.Epoch, old.Epoch)
	all, err := w.History(tb.Context(), s.Key)
	require.NoError(tb, err)
	require.Len(tb, all, 2, "the one before and this one")
	require.Equal(tb, []uint64{old.Epoch, s.Epoch}, []uint64{all[0].Epoch, all[1].Epoch})

	blocked := w.request("y")
	blocked.DisableIDReuse = true
	w.end(w.pin(blocked), true)
	_, _, err = w.Bind(tb.Context(), w.bindAs(w.pin(w.reservation()), "y"))
	require.ErrorIs(tb, err, sessions.ErrIDReuse)
}

func bindFingerprint(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.bind(w.bindAs(w.pin(w.reservation()), "x"))
	r := w.request("x")
	r.Mode, r.Fingerprint = sessions.Create, "sum"
	_, _, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrExists)
}
