package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// updateThenTouch: a touch carries no settings, and one of a use before the update postpones nothing.
func updateThenTouch(tb testing.TB, h Harness) {
	w := newWorld(tb, h, "a")
	s := w.idle("x", longLife/2)
	w.touch(use(s, 0))
	got := w.update(changes(s.Key, -1, time.Minute))
	for _, age := range []time.Duration{time.Second, time.Minute, longLife} {
		w.touch(use(s, age))
		w.same(got, w.get("x"))
	}
	w.until("a touch postpones", func() bool {
		w.touch(use(s, 0))
		return w.get("x").Deadline.After(got.Deadline)
	})
	now := w.get("x")
	require.False(tb, now.Deadline.After(got.Settings.Deadline(s.CreatedAt, now.ReadAt).Add(grain)))
	require.True(tb, now.ModifiedAt.Equal(got.ModifiedAt))
}

// updateTouchRace shortens sessions while every replica touches them: a store that reads a record, changes it and
// writes it back would bring the longer life back.
func updateTouchRace(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], "a")
	for _, id := range numbered("x", 20) {
		s := w.idle(id, longLife/2)
		stop, failed := make(chan struct{}), make(chan error, len(replicas))
		var all sync.WaitGroup
		for _, replica := range replicas {
			all.Go(func() { failed <- touchUntil(w, replica, s, stop) })
		}
		got := w.update(changes(s.Key, longLife-time.Minute, time.Minute))
		w.touch(use(s, 0))
		close(stop)
		all.Wait()
		for range replicas {
			require.NoError(tb, <-failed)
		}
		now := w.get(id)
		require.Equal(tb, got.Settings, now.Settings, "a touch undid the update")
		require.True(tb, now.ModifiedAt.Equal(got.ModifiedAt))
		require.False(tb, now.Deadline.After(got.Settings.Deadline(s.CreatedAt, now.ReadAt).Add(grain)), "a touch undid the update")
	}
}

func touchUntil(w *world, replica sessions.Store, s sessions.Session, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if _, err := replica.Touch(w.Context(), []sessions.Touch{use(s, 0), use(s, time.Second)}); err != nil {
			return err
		}
	}
}
