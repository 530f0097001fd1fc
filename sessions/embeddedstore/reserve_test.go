package embeddedstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// reserve takes a slot of function "other", which rotate does not fill, for as long as ttl.
func reserve(tb testing.TB, s *embeddedstore.Store, home sessions.Home, ttl time.Duration) sessions.Session {
	tb.Helper()
	r := request("")
	r.Key, r.Mode, r.TTL = sessions.ReservedKey("other", "LATEST"), sessions.Create, ttl
	r.Candidates = []sessions.Home{home}
	return pin(tb, s, r)
}

func bindAs(s sessions.Session, id string) sessions.BindRequest {
	return sessions.BindRequest{Reservation: s, ID: id, Settings: sessions.Settings{TTL: time.Hour}}
}

func bind(tb testing.TB, s *embeddedstore.Store, r sessions.BindRequest) sessions.Session {
	tb.Helper()
	got, created, err := s.Bind(tb.Context(), r)
	require.NoError(tb, err)
	require.True(tb, created)
	return got
}

func TestReservationsSurvive(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	const life = 100 * time.Millisecond
	early := reserve(t, s, homes[1], time.Hour)
	short, begun := reserve(t, s, homes[1], life), time.Now()
	held, bound := reserve(t, s, homes[0], time.Hour), reserve(t, s, homes[0], time.Hour)
	x := bind(t, s, bindAs(bound, "x"))
	_, err := s.End(t.Context(), reserve(t, s, homes[0], time.Hour), false)
	require.NoError(t, err)
	old := request("again") // younger than the reservation of the session that follows it
	old.Function = "other"
	first, err := s.End(t.Context(), pin(t, s, old), true)
	require.NoError(t, err)
	second, err := s.End(t.Context(), bind(t, s, bindAs(early, "again")), true)
	require.NoError(t, err)
	full := request("y")
	full.Function, full.Candidates = "other", homes[:1]
	survives(t, s, dir, func(t *testing.T, s *embeddedstore.Store) {
		history, err := s.History(t.Context(), first.Key)
		require.NoError(t, err)
		require.Len(t, history, 2)
		require.Equal(t, []uint64{first.Epoch, second.Epoch}, []uint64{history[0].Epoch, history[1].Epoch})

		full.PerInstance = 2
		_, _, err = s.Pin(t.Context(), full)
		require.ErrorIs(t, err, sessions.ErrFull, "the reservation and the session")
		full.PerInstance = 3
		_, err = s.End(t.Context(), pin(t, s, full), false)
		require.NoError(t, err, "and no more")

		again := bind(t, s, bindAs(bound, "x"))
		again.ReadAt = x.ReadAt
		require.Equal(t, x, again)
		require.Greater(t, bind(t, s, bindAs(held, "z")).Epoch, x.Epoch)

		time.Sleep(life - time.Since(begun)) // its deadline is of the clock, not of the process
		_, _, err = s.Bind(t.Context(), bindAs(short, "late"))
		require.ErrorIs(t, err, sessions.ErrNotFound)
		page, err := s.List(t.Context(), sessions.Query{Function: "other", Qualifier: "LATEST", Limit: 9})
		require.NoError(t, err)
		require.Len(t, page.Sessions, 2)
		one := request("one")
		one.Function, one.Candidates, one.PerInstance = "other", homes[1:], 1
		pin(t, s, one)
	})
}

// TestEveryCutOfABind: wherever a crash cuts the log, the slots that are taken are those of before a step or of after it.
func TestEveryCutOfABind(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	records, err := s.Report(t.Context(), sessions.Report{Function: "other", Version: "LATEST", Instances: []sessions.InstanceReport{{ID: "a", Health: sessions.HealthUp}}})
	require.NoError(t, err)
	home := records[0].Home
	taken := func(s *embeddedstore.Store) int {
		all, err := s.Instances(t.Context(), "other")
		require.NoError(t, err)
		require.Len(t, all, 1)
		return all[0].Sessions
	}
	var held, x sessions.Session
	take := func() { held = reserve(t, s, home, time.Hour) }
	steps := []struct {
		do    func()
		taken int
	}{
		{func() {}, 0},
		{take, 1},
		{func() { x = bind(t, s, bindAs(held, "x")) }, 1},
		{take, 2},
		{func() { _, _, err = s.Bind(t.Context(), bindAs(held, "x")) }, 1}, // the same home has it already
		{take, 2},
		{func() { _, err = s.End(t.Context(), held, true) }, 1},
		{func() { _, err = s.End(t.Context(), x, true) }, 0},
	}
	ends := make([]int, len(steps)) // of the log after each
	for i, step := range steps {
		step.do()
		require.NoError(t, err)
		require.Equal(t, step.taken, taken(s))
		ends[i] = len(readFile(t, logFile(dir, 1)))
	}
	log, at := readFile(t, logFile(dir, 1)), 0
	for cut := ends[0]; cut <= len(log); cut++ {
		if at+1 < len(steps) && cut == ends[at+1] {
			at++
		}
		crashed, err := embeddedstore.Open(embeddedstore.Config{Path: dirOf(t, map[string][]byte{logFile("", 1): log[:cut]})})
		require.NoError(t, err)
		require.Equal(t, steps[at].taken, taken(crashed), "cut at %d", cut)
		require.NoError(t, crashed.Close())
	}
	require.Equal(t, len(steps)-1, at)
}

// TestSnapshotOfABindAgain: a snapshot may have the session already, and the log the reservation's beginning too.
func TestSnapshotOfABindAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	held := reserve(t, s, homes[0], time.Hour)
	x := bind(t, s, bindAs(held, "x"))
	s.Snapshot() // of all that the log has, too
	require.NoError(t, s.Close())
	s = open(t, dirOf(t, map[string][]byte{snapFile("", 1): readFile(t, snapFile(dir, 1)), logFile("", 1): readFile(t, logFile(dir, 1))}))
	one := request("y")
	one.Function, one.Candidates, one.PerInstance = "other", homes[:1], 1
	_, _, err := s.Pin(t.Context(), one)
	require.ErrorIs(t, err, sessions.ErrFull)
	one.PerInstance = 2
	pin(t, s, one)
	again := bind(t, s, bindAs(held, "x"))
	again.ReadAt = x.ReadAt
	require.Equal(t, x, again)
}
