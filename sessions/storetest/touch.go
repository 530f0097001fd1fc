package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func touchChecks() []Check {
	return []Check{
		{"Touch/keeps a session alive", touchKeepsAlive},
		{"Touch/postpones by age", touchByAge},
		{"Touch/never beyond the TTL", touchTTL},
		{"Touch/is monotonic", touchMonotonic},
		{"Touch/never revives", touchNoRevival},
		{"Touch/another epoch is ignored", touchEpoch},
		{"Touch/reports the event delivered", touchDelivered},
		{"Touch/one bad touch harms no other", touchBatch},
		{"Touch/says which sessions are not there", touchStale},
		{"Touch/says so in a large batch", touchStaleLarge},
	}
}

// idle pins a session with an idle timeout.
func (w *world) idle(id string, timeout time.Duration) sessions.Session {
	w.Helper()
	r := w.request(id)
	r.IdleTimeout = timeout
	return w.pin(r)
}

func (w *world) touch(all ...sessions.Touch) {
	w.Helper()
	_, err := w.Touch(w.Context(), all)
	require.NoError(w, err)
}

// stale sends touches and returns the indices of those whose session is not there.
func (w *world) stale(all ...sessions.Touch) []int {
	w.Helper()
	stale, err := w.Touch(w.Context(), all)
	require.NoError(w, err)
	return stale
}

func use(s sessions.Session, age time.Duration) sessions.Touch {
	return sessions.Touch{Key: s.Key, Epoch: s.Epoch, Age: age}
}

// touchKeepsAlive touches a session for several idle timeouts. On a machine that slept for a timeout between two
// touches the session has ended by right, and the check starts over.
func touchKeepsAlive(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.until("the machine keeps up", func() bool {
		const timeout = 2 * shortLife
		last := time.Now()
		s := w.idle(uniqueName(), timeout)
		for start := last; time.Since(start) < 3*timeout; {
			now := time.Now()
			w.touch(use(s, 0))
			if time.Since(last) >= timeout {
				return false
			}
			got, err := w.Get(tb.Context(), s.Key)
			if time.Since(now) >= timeout {
				return false
			}
			require.NoError(tb, err, "a session in use has expired")
			require.Equal(tb, s.Epoch, got.Epoch)
			require.True(tb, got.ModifiedAt.Equal(s.ModifiedAt), "use is no modification")
			last = now
			time.Sleep(tick)
		}
		w.expired(s)
		return true
	})
}

func touchByAge(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.idle("x", time.Minute)
	w.until("the deadline can move", func() bool { return w.get("x").ReadAt.Sub(s.CreatedAt) > 60*time.Millisecond })
	const age = 20 * time.Millisecond
	before := w.get("x").ReadAt
	w.touch(use(s, age))
	got := w.get("x")
	grace := s.IdleTimeout + s.TouchInterval()
	require.False(tb, got.Deadline.Before(before.Add(grace-age-grain)), "deadline is early")
	require.False(tb, got.Deadline.After(got.ReadAt.Add(grace-age+grain)), "the age does not count")
	require.True(tb, got.Deadline.After(s.Deadline))
}

func touchTTL(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("x")
	r.TTL, r.IdleTimeout = 3*shortLife, shortLife
	s := w.pin(r)
	w.until("the TTL ends it", func() bool {
		w.touch(use(s, 0))
		got, err := w.Get(tb.Context(), s.Key)
		if err == nil {
			require.False(tb, got.Deadline.After(s.CreatedAt.Add(s.TTL+grain)), "a touch went beyond the TTL")
		}
		return err != nil
	})
	long := w.pin(w.request("y"))
	w.touch(use(long, 0))
	w.same(long, w.get("y")) // no idle timeout: nothing to postpone
}

func touchMonotonic(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.idle("x", time.Minute)
	w.touch(use(s, time.Second)) // before it was created
	w.same(s, w.get("x"))
	w.until("a touch postpones", func() bool {
		w.touch(use(s, 0))
		return w.get("x").Deadline.After(s.Deadline)
	})
	later := w.get("x").Deadline
	for _, age := range []time.Duration{time.Second, time.Minute, longLife} {
		w.touch(use(s, age))
		require.True(tb, w.get("x").Deadline.Equal(later), "an older touch changes nothing")
	}
}

func touchNoRevival(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	r := w.request("idle")
	r.IdleTimeout = shortLife
	expired := w.pin(r)
	kept, forgotten := w.idle("kept", time.Minute), w.idle("forgotten", time.Minute)
	w.end(kept, true)
	w.end(forgotten, false)
	w.expired(expired)
	w.touch(use(expired, 0), use(kept, 0), use(forgotten, 0))
	w.touch(use(expired, time.Hour)) // in time, had it come in time
	for _, s := range []sessions.Session{expired, kept, forgotten} {
		_, err := w.Get(tb.Context(), s.Key)
		require.ErrorIs(tb, err, sessions.ErrNotFound)
	}
	_, err := w.Sweep(tb.Context(), w.fn)
	require.NoError(tb, err)
	require.Empty(tb, w.list(sessions.Active, 10))
	require.Len(tb, w.list(sessions.Ended, 10), 2)
	require.Zero(tb, w.load("a"))
}

func touchEpoch(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.idle("x", time.Minute)
	w.until("a touch would postpone", func() bool { return w.get("x").ReadAt.Sub(s.CreatedAt) > 2*grain })
	for _, epoch := range []uint64{0, s.Epoch - 1, s.Epoch + 1} {
		w.touch(sessions.Touch{Key: s.Key, Epoch: epoch, Delivered: true})
		w.same(s, w.get("x"))
	}
	moved := w.rehome(w.refused(s))
	w.touch(sessions.Touch{Key: s.Key, Epoch: s.Epoch, Delivered: true})
	w.same(moved, w.get("x"))
}

func touchDelivered(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	s := w.pin(w.request("x"))
	w.touch(use(s, 0))
	require.Equal(tb, sessions.Event{Kind: sessions.EventCreated}, w.get("x").Event, "used is not told")
	told := use(s, longLife) // however old
	told.Delivered = true
	w.touch(told)
	got := w.get("x")
	require.Equal(tb, sessions.Event{}, got.Event)
	require.True(tb, got.ModifiedAt.Equal(s.ModifiedAt))
	moved := w.rehome(w.refused(got))
	require.Equal(tb, sessions.EventRehomed, moved.Event.Kind)
	w.touch(told)
	require.Equal(tb, moved.Event, w.get("x").Event, "the event of another epoch stays")
	told.Epoch = moved.Epoch
	w.touch(told, told)
	require.Equal(tb, sessions.Event{}, w.get("x").Event)
}

func touchBatch(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	w.touch()
	other := worldOn(tb, w.Store, "a")
	mine, theirs := w.pin(w.request("x")), other.pin(other.request("x"))
	batch := []sessions.Touch{
		{Key: w.key("none"), Epoch: 1, Delivered: true},
		{Key: sessions.Key{Function: uniqueName(), Qualifier: "none", ID: "none"}, Epoch: 1},
		{Key: mine.Key, Epoch: mine.Epoch + 9, Delivered: true},
		{Key: mine.Key, Epoch: mine.Epoch, Delivered: true},
		{Key: theirs.Key, Epoch: theirs.Epoch, Delivered: true},
	}
	w.touch(batch...)
	require.Equal(tb, sessions.Event{}, w.get("x").Event)
	require.Equal(tb, sessions.Event{}, other.get("x").Event, "a batch may be of several functions")
	_, err := w.Get(tb.Context(), w.key("none"))
	require.ErrorIs(tb, err, sessions.ErrNotFound)
}

func touchStale(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a", "b")
	other := worldOn(tb, w.Store, "a")
	require.Empty(tb, w.stale())
	mine, theirs := w.pin(w.request("x")), other.pin(other.request("x"))
	require.Empty(tb, w.stale(use(mine, 0), use(theirs, longLife), use(mine, time.Second)))
	expired, kept, forgotten := other.pinShort("expired"), w.pin(w.request("kept")), other.pin(other.request("forgotten"))
	w.end(kept, true)
	other.end(forgotten, false)
	moved := w.pin(w.request("moved"))
	now := w.rehome(w.refused(moved))
	reused := w.pin(w.request("kept"))
	other.expired(expired)
	none := sessions.Touch{Key: w.key("none"), Epoch: 1}
	unheard := sessions.Touch{Key: sessions.Key{Function: uniqueName(), Qualifier: "none", ID: "x"}, Epoch: 1}
	later := use(theirs, 0)
	later.Epoch++
	require.ElementsMatch(tb, []int{1, 3, 4, 6, 7, 9, 10, 11, 13, 14}, w.stale(
		use(mine, 0), none, use(theirs, 0), use(expired, 0), use(kept, 0), use(mine, 0), none, use(forgotten, 0),
		use(now, 0), use(moved, 0), use(expired, time.Hour), unheard, use(reused, 0), later, use(kept, 0),
	))
}

// touchStaleLarge: a store that sends a batch in parts counts the indices through.
func touchStaleLarge(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	other := worldOn(tb, w.Store, "a")
	s, theirs := w.pin(w.request("x")), other.pin(other.request("x"))
	batch, want := make([]sessions.Touch, 3000), []int(nil)
	for i := range batch {
		switch batch[i] = use(s, 0); {
		case i%7 == 0:
			batch[i].ID, want = "gone", append(want, i)
		case i%7 == 3:
			batch[i] = use(theirs, 0)
		case i%7 == 5:
			batch[i] = use(theirs, 0)
			batch[i].Epoch, want = theirs.Epoch+7, append(want, i)
		}
	}
	require.ElementsMatch(tb, want, w.stale(batch...))
}
