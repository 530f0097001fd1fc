package storetest

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

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
		s = w.pin(w.reservation())
		w.end(bound, false)
	}
	close(done)
	all.Wait()
	require.Zero(tb, stolen, "the slot was free while the reservation was bound")
	require.Zero(tb, odd, "the count was off while the reservation was bound")
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
