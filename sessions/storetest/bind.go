package storetest

import (
	"strconv"
	"sync"
	"testing"
	"time"

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

// bindKeepsSlot binds and releases on an instance with one slot, which others want all the while.
func bindKeepsSlot(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, 2)
	w := worldOn(tb, replicas[0], "a")
	s := w.pin(w.reservation())
	done := make(chan struct{})
	var all sync.WaitGroup
	var stolen, odd int
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			r := w.request("thief" + strconv.Itoa(i))
			r.PerInstance = 1
			if _, created, _ := replicas[1].Pin(w.Context(), r); created {
				stolen++
			}
			if records, err := replicas[1].Instances(w.Context(), w.fn); err == nil && (records[0].Sessions < 1 || records[0].Sessions > 2) {
				odd++
			}
		}
	})
	for _, id := range numbered("x", 30) {
		bound := w.bind(w.bindAs(s, id))
		// The next one comes before the session goes, so that the slot is never free.
		next := w.reservation()
		next.PerInstance = 2
		s = w.pin(next)
		w.end(bound, false)
	}
	close(done)
	all.Wait()
	require.Zero(tb, stolen, "the slot was free while the reservation was bound")
	require.Zero(tb, odd, "the count was off while the reservation was bound")
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
	w.same(session, w.get("s"))
	require.Equal(tb, 1, w.load("a"))
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

// bindAgainstPin lets a client send an ID at the moment at which an instance chooses it. One of both makes the session.
func bindAgainstPin(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, 2)
	w := worldOn(tb, replicas[0], "a", "b")
	for _, id := range numbered("x", 30) {
		reserved := w.reserveOn(w.homes[0])
		r := w.request(id)
		r.Candidates = w.homes[1:]
		var bound, pinned answer
		var all sync.WaitGroup
		all.Go(func() { bound.s, bound.created, bound.err = replicas[0].Bind(w.Context(), w.bindAs(reserved, id)) })
		all.Go(func() { pinned.s, pinned.created, pinned.err = replicas[1].Pin(w.Context(), r) })
		all.Wait()
		require.NoError(tb, pinned.err)
		require.NotEqual(tb, bound.created, pinned.created, "exactly one makes the session")
		if pinned.created {
			require.ErrorIs(tb, bound.err, sessions.ErrExists)
			w.end(reserved, false)
		} else {
			w.same(bound.s, pinned.s)
		}
	}
	checkCounts(w, 30)
}

// reserveOn takes a slot on an instance that has many.
func (w *world) reserveOn(home sessions.Home) sessions.Session {
	w.Helper()
	r := w.reservation()
	r.Candidates = []sessions.Home{home}
	return w.pin(r)
}

// bindTwice lets two instances choose one ID.
func bindTwice(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, 2)
	w := worldOn(tb, replicas[0], "a", "b")
	for _, id := range numbered("x", 20) {
		reserved := []sessions.Session{w.reserveOn(w.homes[0]), w.reserveOn(w.homes[1])}
		answers := make([]answer, 2)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				a := &answers[i]
				a.s, a.created, a.err = replicas[i].Bind(w.Context(), w.bindAs(reserved[i], id))
			})
		}
		all.Wait()
		loser := 0
		if answers[0].err == nil {
			loser = 1
		}
		require.NoError(tb, answers[1-loser].err)
		require.True(tb, answers[1-loser].created)
		require.ErrorIs(tb, answers[loser].err, sessions.ErrExists, "exactly one makes the session")
		w.end(reserved[loser], false)
	}
	checkCounts(w, 20)
}

// bindAgainstDeadline binds at the moment at which reservations expire: each becomes a session or nothing.
func bindAgainstDeadline(tb testing.TB, h Harness) {
	const n = 12
	w := newWorld(tb, h, "a")
	ids, won := numbered("x", n), make([]answer, n)
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() {
			r := w.reservation()
			r.TTL = 20 * time.Millisecond
			s, _, err := w.Pin(w.Context(), r)
			if won[i].err = err; err != nil {
				return
			}
			time.Sleep(time.Duration(i) * 4 * time.Millisecond)
			won[i].s, won[i].created, won[i].err = w.Bind(w.Context(), w.bindAs(s, id))
		})
	}
	all.Wait()
	sessionsMade := 0
	for i, a := range won {
		if a.err != nil {
			require.ErrorIs(tb, a.err, sessions.ErrNotFound)
			_, err := w.Get(tb.Context(), w.key(ids[i]))
			require.ErrorIs(tb, err, sessions.ErrNotFound, "a bind that failed made a session")
			continue
		}
		w.same(a.s, w.get(ids[i]))
		sessionsMade++
	}
	time.Sleep(20 * time.Millisecond) // the last one's deadline
	_, err := w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	checkCounts(w, sessionsMade)
}

func bindFingerprint(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.bind(w.bindAs(w.pin(w.reservation()), "x"))
	r := w.request("x")
	r.Mode, r.Fingerprint = sessions.Create, "sum"
	_, _, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrExists)
}
