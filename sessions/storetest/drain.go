package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func drainChecks() []Check {
	return []Check{
		{"Drain/takes no new session, keeps what it has", drainKeeps},
		{"Drain/no session is moved to it", drainNoTarget},
		{"Drain/taken back", drainTakenBack},
		{"Drain/every replica is told", drainTold},
		{"Drain/again, with another deadline", drainAgain},
		{"Drain/goes with its incarnation", drainIncarnation},
		{"Drain/stays through a loss", drainLoss},
		{"Drain/no such instance", drainUnknown},
		{"Drain/versions are separate", drainVersions},
		{"Drain/sessions may move from the deadline on", drainDeadline},
		{"Drain/each session moves once", drainOnce},
		{"Drain/no session comes after it, in a race", drainRace},
	}
}

// drain marks an instance of the pool and returns its record.
func (w *world) drain(id string, deadline time.Duration) sessions.InstanceRecord {
	w.Helper()
	r, err := w.Mark(w.Context(), sessions.Mark{
		Function: w.fn, Home: sessions.Home{Version: sessions.LatestQualifier, ID: id}, Draining: true, Deadline: deadline,
	})
	require.NoError(w, err)
	require.True(w, r.Draining())
	return r
}

func (w *world) undrain(id string) sessions.InstanceRecord {
	w.Helper()
	r, err := w.Mark(w.Context(), sessions.Mark{Function: w.fn, Home: sessions.Home{Version: sessions.LatestQualifier, ID: id}})
	require.NoError(w, err)
	return r
}

// drained asks to move a session because its home's drain deadline has passed.
func (w *world) drained(s sessions.Session) sessions.RehomeRequest {
	return sessions.RehomeRequest{Session: s, Reason: sessions.ReasonDrained, Drained: true, Placement: w.anywhere()}
}

func drainKeeps(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	require.Equal(tb, w.homes[0], s.Home)
	got := w.drain("a", longLife)
	require.Equal(tb, w.homes[0], got.Home)
	require.Equal(tb, 1, got.Sessions)
	again, created, err := w.Pin(tb.Context(), w.request("x"))
	require.NoError(tb, err)
	require.False(tb, created)
	w.same(s, again)
	for _, id := range numbered("y", 3) {
		require.Equal(tb, w.homes[1], w.pin(w.request(id)).Home, "a new session goes elsewhere, however loaded that is")
	}
	r := w.request("z")
	r.Candidates = w.homes[:1]
	_, _, err = w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull)
	r.Isolation = true
	_, _, err = w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull)
	require.False(tb, w.instance(sessions.LatestQualifier, "a").Used)
	w.same(s, w.get("x"))
}

func drainNoTarget(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b", "c")
	s := w.pin(w.request("x"))
	w.drain("b", longLife)
	require.Equal(tb, w.homes[2], w.rehome(w.refused(s)).Home)
	w.drain("c", longLife)
	y := w.pin(w.request("y"))
	require.Equal(tb, w.homes[0], y.Home)
	_, err := w.Rehome(tb.Context(), w.refused(y))
	require.ErrorIs(tb, err, sessions.ErrFull)
	w.same(y, w.get("y"))
}

func drainTakenBack(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	require.False(tb, w.undrain("a").Draining(), "nothing to take back")
	w.drain("a", longLife)
	for range 2 {
		got := w.undrain("a")
		require.False(tb, got.Draining())
		require.True(tb, got.DrainDeadline.IsZero())
	}
	require.Equal(tb, w.homes[0], w.pin(w.request("x")).Home)
	require.Equal(tb, w.homes[0], w.say(up("a")).Home, "the same incarnation")
}

func drainTold(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, 2)
	w := worldOn(tb, replicas[0], "a", "b")
	got := w.drain("a", longLife)
	require.InDelta(tb, longLife, got.DrainDeadline.Sub(got.DrainingSince), float64(grain))
	require.InDelta(tb, longLife, got.DrainLeft(), float64(grain))
	require.False(tb, got.Drained())
	other := &world{TB: tb, Store: replicas[1], fn: w.fn, homes: w.homes}
	for _, record := range []sessions.InstanceRecord{other.say(up("a")), other.instance(sessions.LatestQualifier, "a"), w.say(up("a"))} {
		require.True(tb, record.DrainingSince.Equal(got.DrainingSince))
		require.True(tb, record.DrainDeadline.Equal(got.DrainDeadline))
		require.False(tb, record.ReadAt.Before(got.ReadAt))
		require.LessOrEqual(tb, record.DrainLeft(), got.DrainLeft())
	}
	require.False(tb, other.say(up("b")).Draining(), "another instance")
	r := other.request("x")
	r.Candidates = w.homes[:1]
	_, _, err := other.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrFull, "also who has not been told places nothing there")
}

func drainAgain(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	first := w.drain("a", longLife)
	w.until("the clock moves", func() bool { return w.say(up("a")).ReadAt.Sub(first.ReadAt) > 2*grain })
	for _, deadline := range []time.Duration{longLife / 2, 2 * longLife, 0} {
		got := w.drain("a", deadline)
		require.True(tb, got.DrainingSince.Equal(first.DrainingSince), "it has drained since the first time")
		require.InDelta(tb, deadline, got.DrainLeft(), float64(grain), "from now on, sooner or later than before")
	}
	require.True(tb, w.say(up("a")).Drained())
}

func drainIncarnation(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	w.homes = homesOf([]sessions.InstanceRecord{w.say(started("a", "one"))})
	w.drain("a", longLife)
	require.True(tb, w.say(started("a", "one")).Draining())
	now := w.say(started("a", "two"))
	require.Greater(tb, now.Incarnation, w.homes[0].Incarnation)
	require.False(tb, now.Draining(), "another program was meant")
	w.homes = []sessions.Home{now.Home}
	s := w.pin(w.request("x"))
	require.Equal(tb, now.Home, s.Home)
	w.drain("a", 0)
	next := w.say(started("a", "three"))
	w.homes = append(w.homes, next.Home)
	_, err := w.Rehome(tb.Context(), w.drained(s))
	require.ErrorIs(tb, err, sessions.ErrAlive, "its home does not drain any more: it was replaced")
	w.drain("a", longLife)
	w.say(is("a", sessions.HealthGone))
	require.True(tb, w.say(started("a", "three")).Draining(), "the same program is listed again, and it was meant")
	w.say(is("a", sessions.HealthGone))
	back := w.say(started("a", "four"))
	require.False(tb, back.Draining())
	w.homes = []sessions.Home{back.Home}
	w.pin(w.request("y"))
}

func drainLoss(tb testing.TB, h Harness) {
	w := newWorld(tb, h)
	w.homes = homesOf([]sessions.InstanceRecord{w.say(started("a", "one"))})
	marked := w.drain("a", longLife)
	require.True(tb, w.lose("a").Draining())
	back := w.say(started("a", "one"))
	require.Equal(tb, w.homes[0], back.Home)
	require.True(tb, back.DrainDeadline.Equal(marked.DrainDeadline))
	_, _, err := w.Pin(tb.Context(), w.request("x"))
	require.ErrorIs(tb, err, sessions.ErrFull)
	w.lose("a")
	require.False(tb, w.say(up("a")).Draining(), "without proof another program")
}

func drainUnknown(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	mark := func(home sessions.Home, draining bool) error {
		_, err := w.Mark(tb.Context(), sessions.Mark{Function: w.fn, Home: home, Draining: draining, Deadline: longLife})
		return err
	}
	for _, draining := range []bool{true, false} {
		require.ErrorIs(tb, mark(sessions.Home{Version: sessions.LatestQualifier, ID: "b"}, draining), sessions.ErrUnknownInstance)
		require.ErrorIs(tb, mark(sessions.Home{Version: "v2", ID: "a"}, draining), sessions.ErrUnknownInstance)
		other := w.homes[0]
		other.Incarnation--
		require.ErrorIs(tb, mark(other, draining), sessions.ErrUnknownInstance, "another incarnation lives there")
		require.NoError(tb, mark(w.homes[0], draining))
	}
	w.say(is("a", sessions.HealthGone))
	require.ErrorIs(tb, mark(w.homes[0], true), sessions.ErrUnknownInstance)
	require.Len(tb, w.whole(), 1, "to ask for one makes none")
}

func (w *world) whole() []sessions.InstanceRecord {
	w.Helper()
	all, err := w.Instances(w.Context(), w.fn)
	require.NoError(w, err)
	return all
}

func drainVersions(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	v2 := w.report(sessions.Report{Version: "v2", Instances: []sessions.InstanceReport{up("a")}})[0].Home
	w.drain("a", longLife)
	require.False(tb, w.instance("v2", "a").Draining())
	r := w.request("x")
	r.Qualifier, r.Candidates = "v2", []sessions.Home{v2}
	require.Equal(tb, v2, w.pin(r).Home)
}

func drainDeadline(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	move := func() (sessions.Session, error) { return w.Rehome(tb.Context(), w.drained(s)) }
	_, err := move()
	require.ErrorIs(tb, err, sessions.ErrAlive, "it does not drain")
	w.drain("a", longLife)
	_, err = move()
	require.ErrorIs(tb, err, sessions.ErrAlive, "the deadline has not passed")
	w.drain("a", 0)
	w.undrain("a")
	_, err = move()
	require.ErrorIs(tb, err, sessions.ErrAlive, "taken back")
	w.same(s, w.get("x"))
	marked := w.drain("a", shortLife)
	var moved sessions.Session
	w.until("the deadline passes", func() bool {
		if moved, err = move(); err != nil {
			require.ErrorIs(tb, err, sessions.ErrAlive)
		}
		return err == nil
	})
	require.False(tb, moved.ModifiedAt.Before(marked.DrainDeadline), "moved early")
	require.Equal(tb, w.homes[1], moved.Home)
	require.Equal(tb, s.Epoch+1, moved.Epoch)
	require.Equal(tb, sessions.Event{Kind: sessions.EventRehomed, Reason: sessions.ReasonDrained, From: "a"}, moved.Event)
	require.Equal(tb, []int{0, 1}, []int{w.load("a"), w.load("b")})
	w.drain("b", 0)
	_, err = w.Rehome(tb.Context(), w.drained(moved))
	require.ErrorIs(tb, err, sessions.ErrFull, "every instance drains")
	w.same(moved, w.get("x"))
}
