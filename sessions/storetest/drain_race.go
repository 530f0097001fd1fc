package storetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func drainOnce(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], "a", "b", "c")
	r := w.request("x")
	r.Candidates = w.homes[:1]
	s := w.pin(r)
	w.drain("a", 0)
	answers := make([]answer, raceReplicas)
	w.together(raceReplicas, func(i int) { answers[i].s, answers[i].err = replicas[i].Rehome(tb.Context(), w.drained(s)) })
	checkRehomedOnce(w, s, answers)
}

// drainRace marks an instance while sessions are pinned to it: once the mark is acknowledged, none comes.
func drainRace(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], "a", "b")
	done := make(chan struct{})
	var marked sessions.InstanceRecord
	var markErr error
	pinned, errs := make([]int, raceReplicas), make([]error, raceReplicas)
	w.together(raceReplicas+1, func(n int) {
		if n < raceReplicas {
			pinned[n], errs[n] = w.pinUntil(replicas[n], n, done)
			return
		}
		defer close(done)
		marked, markErr = replicas[1].Mark(tb.Context(), sessions.Mark{
			Function: w.fn, Home: w.homes[0], Draining: true, Deadline: longLife,
		})
	})
	require.NoError(tb, markErr)
	all := 0
	for n, err := range errs {
		require.NoError(tb, err)
		all += pinned[n]
	}
	require.Equal(tb, marked.Sessions, w.load("a"), "a session came after the mark")
	require.Equal(tb, all, w.load("a")+w.load("b"))
}

// pinUntil pins sessions until done is closed, and a few more, and returns how many.
func (w *world) pinUntil(s sessions.Store, caller int, done <-chan struct{}) (n int, err error) {
	for more := 10; more > 0; n++ {
		select {
		case <-done:
			more--
		default:
		}
		r := w.request(fmt.Sprintf("x%d-%d", caller, n))
		r.PerInstance = 1 << 30
		if _, _, err := s.Pin(w.Context(), r); err != nil {
			return n, err
		}
	}
	return n, nil
}

// together runs n calls at the same moment and waits for all.
func (w *world) together(n int, call func(i int)) {
	w.Helper()
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			call(i)
		})
	}
	close(start)
	all.Wait()
}
