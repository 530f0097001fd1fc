package storetest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func pinChecks() []Check {
	return []Check{
		{"Pin/makes a session as asked", pinMakes},
		{"Pin/times are sane", pinTimes},
		{"Pin/hit returns the session unchanged", pinHit},
		{"Pin/mode Create", pinCreate},
		{"Pin/mode Existing", pinExisting},
		{"Pin/hit needs no candidate", pinHitWithoutCandidates},
		{"Pin/refused pin leaves nothing", pinRefusedLeavesNothing},
		{"Get/only what is active", getActive},
		{"Name/goes with its session", nameGoes},
	}
}

func pinMakes(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.Settings = sessions.Settings{TTL: longLife, IdleTimeout: time.Minute, DisableIDReuse: true}
	r.Affinity, r.Origin = sessions.AffinityCookie, sessions.OriginAPI
	s := w.pin(r)
	require.Equal(tb, r.Key, s.Key)
	require.Equal(tb, r.Settings, s.Settings)
	require.Equal(tb, w.homes[0], s.Home)
	require.Equal(tb, sessions.Active, s.State)
	require.Equal(tb, sessions.AffinityCookie, s.Affinity)
	require.Equal(tb, sessions.OriginAPI, s.Origin)
	require.Equal(tb, sessions.Event{Kind: sessions.EventCreated}, s.Event)
	require.True(tb, s.EndedAt.IsZero())
	require.NotZero(tb, s.Epoch)
	w.same(s, w.get("x"))
}

// pinTimes compares the store's clock with this machine's, which the harness's servers share.
func pinTimes(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	before := time.Now()
	r := w.request("x")
	r.IdleTimeout = time.Minute
	s := w.pin(r)
	after := time.Now()
	require.False(tb, s.CreatedAt.Before(before.Add(-grain)), "created before it was asked for")
	require.False(tb, s.CreatedAt.After(after.Add(grain)), "created in the future")
	require.True(tb, s.CreatedAt.Equal(s.ModifiedAt))
	require.WithinDuration(tb, s.CreatedAt, s.ReadAt, after.Sub(before)+grain)
	require.WithinDuration(tb, s.Settings.Deadline(s.CreatedAt, s.CreatedAt), s.Deadline, grain)
	require.WithinDuration(tb, s.CreatedAt, time.UnixMicro(int64(s.Epoch)), time.Second, "an epoch is the clock in µs")
	w.until("ReadAt moves on", func() bool { return w.get("x").ReadAt.After(s.ReadAt) })
	require.True(tb, w.get("x").CreatedAt.Equal(s.CreatedAt))
}

func pinHit(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	r := w.request("x")
	r.Settings = sessions.Settings{TTL: time.Second, IdleTimeout: time.Second, DisableIDReuse: true}
	r.Affinity, r.Origin = sessions.AffinityCookie, sessions.OriginAPI
	for range 3 {
		again, created, err := w.Pin(tb.Context(), r)
		require.NoError(tb, err)
		require.False(tb, created)
		w.same(s, again)
	}
	require.Equal(tb, 1, w.load("a")+w.load("b"), "a hit takes no slot")
}

func pinCreate(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.Mode = sessions.Create
	s := w.pin(r)
	_, created, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrExists)
	require.False(tb, created)
	w.same(s, w.get("x"))
	require.Equal(tb, 1, w.load("a"))
	w.end(s, false)
	require.Greater(tb, w.pin(r).Epoch, s.Epoch)
}

func pinExisting(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.Mode = sessions.Existing
	_, created, err := w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	require.False(tb, created)
	require.Zero(tb, w.load("a"), "Existing makes nothing")
	s := w.pin(w.request("x"))
	again, created, err := w.Pin(tb.Context(), r)
	require.NoError(tb, err)
	require.False(tb, created)
	w.same(s, again)
	w.end(s, true)
	_, _, err = w.Pin(tb.Context(), r)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
}

func pinHitWithoutCandidates(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pin(w.request("x"))
	r := w.request("x")
	r.Candidates = nil
	again, _, err := w.Pin(tb.Context(), r)
	require.NoError(tb, err)
	w.same(s, again)
	r = w.request("x")
	r.PerInstance = 1
	again, _, err = w.Pin(tb.Context(), r)
	require.NoError(tb, err, "a full home keeps its sessions")
	w.same(s, again)
}

func pinRefusedLeavesNothing(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.Candidates = nil
	for _, mode := range []sessions.Mode{sessions.GetOrCreate, sessions.Create} {
		r.Mode = mode
		_, created, err := w.Pin(tb.Context(), r)
		require.ErrorIs(tb, err, sessions.ErrFull)
		require.False(tb, created)
	}
	_, err := w.Get(tb.Context(), r.Key)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	require.Empty(tb, w.list(sessions.Active, 10))
	require.Empty(tb, w.list(sessions.Ended, 10))
	require.Zero(tb, w.load("a"))
}

func getActive(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	_, err := w.Get(tb.Context(), w.key("x"))
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	for _, keep := range []bool{true, false} {
		s := w.pin(w.request("x"))
		w.same(s, w.get("x"))
		w.end(s, keep)
		_, err = w.Get(tb.Context(), w.key("x"))
		require.ErrorIs(tb, err, sessions.ErrNotFound)
	}
}

// nameGoes: a name is any text, and every copy of the session has it.
func nameGoes(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	for i, name := range []string{"", "a name", "名前 \x00\"'\\{}|\n", strings.Repeat("é", sessions.MaxSessionName/2)} {
		r := w.request("x" + strconv.Itoa(i))
		r.Name = name
		s := w.pin(r)
		require.Equal(tb, name, s.Name)
		hit := w.request(r.ID)
		hit.Name = "another"
		again, _, err := w.Pin(tb.Context(), hit)
		require.NoError(tb, err)
		w.same(s, again)
		require.Equal(tb, name, w.get(s.ID).Name)
		require.Equal(tb, name, w.history(s.Key)[0].Name)
		require.Equal(tb, name, w.list(sessions.Active, 10)[0].Name)
		s = w.rehome(w.refused(s))
		require.Equal(tb, name, s.Name)
		require.Equal(tb, name, w.update(changes(s.Key, 2*longLife, -1)).Name)
		require.Equal(tb, name, w.end(s, true).Name)
		require.Equal(tb, name, w.list(sessions.Ended, 10)[i].Name)
	}
}
