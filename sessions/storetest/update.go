package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func updateChecks() []Check {
	return []Check{
		{"Update/a longer life", updateLonger},
		{"Update/a shorter life", updateShorter},
		{"Update/a shorter idle timeout runs from now", updateIdleFromNow},
		{"Update/a TTL that is over ends the session", updateOver},
		{"Update/what is nil stays", updateNil},
		{"Update/home, epoch and event stay", updateLeaves},
		{"Update/DisableIDReuse", updateReuse},
		{"Update/not found", updateNotFound},
		{"Update/an older touch does not undo it", updateThenTouch},
		{"Update/no touch undoes it in a race", updateTouchRace},
	}
}

func (w *world) update(r sessions.UpdateRequest) sessions.Session {
	w.Helper()
	s, err := w.Update(w.Context(), r)
	require.NoError(w, err)
	return s
}

// changes asks for other limits; a negative one stays as it is.
func changes(k sessions.Key, ttl, idle time.Duration) sessions.UpdateRequest {
	r := sessions.UpdateRequest{Key: k}
	if ttl >= 0 {
		r.TTL = &ttl
	}
	if idle >= 0 {
		r.IdleTimeout = &idle
	}
	return r
}

// updated asserts that got is s with these settings, updated and used at one moment since s was read.
func (w *world) updated(s, got sessions.Session, set sessions.Settings) {
	w.Helper()
	want := s
	want.Settings, want.ModifiedAt, want.Deadline = set, got.ModifiedAt, got.Deadline
	w.same(want, got)
	require.False(w, got.ModifiedAt.Before(s.ReadAt), "an update is a modification")
	require.False(w, got.ModifiedAt.After(got.ReadAt))
	require.WithinDuration(w, set.Deadline(s.CreatedAt, got.ModifiedAt), got.Deadline, grain)
	w.same(got, w.get(s.ID))
}

// updateLonger extends a session that would expire soon, and lets that moment pass.
func updateLonger(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.until("the machine keeps up", func() bool {
		start, r := time.Now(), w.request(uniqueName())
		r.TTL, r.IdleTimeout = 2*shortLife, 2*shortLife
		s := w.pin(r)
		got, err := w.Update(tb.Context(), changes(s.Key, longLife, 0))
		if time.Since(start) >= r.TTL {
			return false
		}
		require.NoError(tb, err)
		w.updated(s, got, sessions.Settings{TTL: longLife})
		w.until("the old deadline is over", func() bool { return w.get(s.ID).ReadAt.After(s.Deadline) })
		n, err := w.Sweep(tb.Context(), w.fn)
		require.NoError(tb, err)
		require.Zero(tb, n, "ended at its old deadline")
		w.same(got, w.get(s.ID))
		return true
	})
}

func updateShorter(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pin(w.request("ttl"))
	w.shortened(s, changes(s.Key, shortLife+time.Since(s.CreatedAt), -1))
	w.shortened(w.pin(w.request("idle")), changes(w.key("idle"), -1, shortLife))
	w.shortened(w.idle("both", longLife/2), changes(w.key("both"), longLife-time.Minute, shortLife))
	require.Zero(tb, w.load("a"))
	require.Len(tb, w.list(sessions.Ended, 10), 3)
}

// shortened asserts that an update makes a session end at its new deadline, by the sweep too.
func (w *world) shortened(s sessions.Session, r sessions.UpdateRequest) {
	w.Helper()
	asked := time.Now()
	got := w.update(r)
	require.True(w, got.Deadline.Before(s.Deadline))
	w.lasts(got, asked)
	_, err := w.Sweep(w.Context(), w.fn)
	require.NoError(w, err)
	for _, e := range w.list(sessions.Ended, 10) {
		if e.ID == s.ID {
			require.Equal(w, got.Settings, e.Settings)
			require.True(w, e.EndedAt.Equal(got.Deadline), "ended at %v, not at the deadline %v", e.EndedAt, got.Deadline)
		}
	}
}

// lasts waits until a session expires, and asserts that it does so neither before its deadline nor unnoticed. It was
// read after asked.
func (w *world) lasts(s sessions.Session, asked time.Time) {
	w.Helper()
	w.until("session expires", func() bool {
		got, err := w.Get(w.Context(), s.Key)
		if err == nil {
			require.False(w, got.ReadAt.After(s.Deadline), "served after its deadline")
			w.same(s, got)
			return false
		}
		require.ErrorIs(w, err, sessions.ErrNotFound)
		require.GreaterOrEqual(w, time.Since(asked), s.Deadline.Sub(s.ReadAt)-grain, "expired early")
		return true
	})
}

// updateIdleFromNow gives a session an idle timeout that, had it run since the last request, would be over.
func updateIdleFromNow(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.until("the machine asks in time", func() bool {
		s := w.idle(uniqueName(), time.Minute)
		w.until("the new timeout is over", func() bool { return w.get(s.ID).ReadAt.Sub(s.CreatedAt) > 2*shortLife })
		start := time.Now()
		got := w.update(changes(s.Key, -1, shortLife))
		again, err := w.Get(tb.Context(), s.Key)
		if time.Since(start) >= shortLife {
			return false
		}
		require.NoError(tb, err, "the idle timeout ran from the last request")
		w.same(got, again)
		require.Equal(tb, sessions.Active, got.State)
		require.False(tb, got.Deadline.Before(s.CreatedAt.Add(3*shortLife)))
		return true
	})
}

func updateOver(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.pin(w.request("x"))
	const over = 20 * time.Millisecond
	w.until("the new TTL is over", func() bool { return w.get("x").ReadAt.Sub(s.CreatedAt) > over+grain })
	ended := w.update(changes(s.Key, over, -1))
	require.Equal(tb, sessions.Ended, ended.State)
	require.Equal(tb, over, ended.TTL)
	require.Equal(tb, s.Epoch, ended.Epoch)
	require.False(tb, ended.EndedAt.IsZero())
	require.False(tb, ended.EndedAt.After(ended.ReadAt))
	_, err := w.Get(tb.Context(), s.Key)
	require.ErrorIs(tb, err, sessions.ErrNotFound)
	require.Empty(tb, w.list(sessions.Active, 10))
	require.Zero(tb, w.load("a"))
	listed := w.list(sessions.Ended, 10)
	require.Len(tb, listed, 1)
	w.same(ended, listed[0])
	_, err = w.Update(tb.Context(), changes(s.Key, longLife, -1))
	require.ErrorIs(tb, err, sessions.ErrNotFound, "an update revives nothing")
	require.Greater(tb, w.pin(w.request("x")).Epoch, s.Epoch)
}

func updateNil(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	yes := true
	for id, c := range map[string]struct {
		ask  sessions.UpdateRequest
		want sessions.Settings
	}{
		"nothing": {changes(w.key("nothing"), -1, -1), sessions.Settings{TTL: longLife, IdleTimeout: time.Minute}},
		"ttl":     {changes(w.key("ttl"), 2*longLife, -1), sessions.Settings{TTL: 2 * longLife, IdleTimeout: time.Minute}},
		"idle":    {changes(w.key("idle"), -1, time.Hour/2), sessions.Settings{TTL: longLife, IdleTimeout: time.Hour / 2}},
		"no idle": {changes(w.key("no idle"), -1, 0), sessions.Settings{TTL: longLife}},
		"reuse": {sessions.UpdateRequest{Key: w.key("reuse"), DisableIDReuse: &yes},
			sessions.Settings{TTL: longLife, IdleTimeout: time.Minute, DisableIDReuse: true}},
	} {
		s := w.idle(id, time.Minute)
		w.until("an update would move the deadline", func() bool {
			s.ReadAt = w.get(id).ReadAt
			return s.ReadAt.Sub(s.CreatedAt) > 2*grain
		})
		w.updated(s, w.update(c.ask), c.want)
	}
}

func updateLeaves(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	r := w.request("x")
	r.Origin, r.Affinity, r.Name = sessions.OriginAPI, sessions.AffinityCookie, "name"
	s := w.rehome(w.refused(w.pin(r)))
	require.Equal(tb, sessions.EventRehomed, s.Event.Kind)
	got := w.update(changes(s.Key, 2*longLife, time.Minute))
	w.updated(s, got, sessions.Settings{TTL: 2 * longLife, IdleTimeout: time.Minute})
	require.Equal(tb, []int{0, 1}, []int{w.load("a"), w.load("b")})
	require.Len(tb, w.list(sessions.Active, 10), 1)
	require.Empty(tb, w.stale(use(s, 0)), "its epoch is the same")
	again := w.update(changes(s.Key, 2*longLife, time.Minute))
	require.Equal(tb, got.Settings, again.Settings, "asked again, the same settings")
	require.Equal(tb, got.Epoch, again.Epoch)
}

func updateReuse(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	for id, block := range map[string]bool{"blocked": true, "free": false} {
		r := w.request(id)
		r.DisableIDReuse = !block
		s := w.pin(r)
		w.update(sessions.UpdateRequest{Key: s.Key, DisableIDReuse: &block})
		w.end(s, true)
	}
	w.blocked("blocked")
	w.pin(w.request("free"))
}

func updateNotFound(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	kept := w.end(w.pin(w.request("kept")), true)
	w.end(w.pin(w.request("forgotten")), false)
	w.expired(w.pinShort("expired"))
	for _, id := range []string{"none", "kept", "forgotten", "expired"} {
		_, err := w.Update(tb.Context(), changes(w.key(id), 2*longLife, 0))
		require.ErrorIs(tb, err, sessions.ErrNotFound, id)
	}
	require.Empty(tb, w.list(sessions.Active, 10))
	w.same(kept, w.list(sessions.Ended, 10)[0])
	require.Zero(tb, w.load("a"))
}
