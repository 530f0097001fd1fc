package storetest

import (
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
	const rounds = 40
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], "a", "b")
	ids := numbered("x", rounds*raceReplicas)
	var marked sessions.InstanceRecord
	var markErr error
	errs := make([]error, raceReplicas)
	w.together(raceReplicas+1, func(n int) {
		if n == raceReplicas {
			marked, markErr = replicas[1].Mark(tb.Context(), sessions.Mark{
				Function: w.fn, Home: w.homes[0], Draining: true, Deadline: longLife,
			})
			return
		}
		for i := range rounds {
			if _, _, err := replicas[n].Pin(tb.Context(), w.request(ids[n*rounds+i])); err != nil {
				errs[n] = err
			}
		}
	})
	require.NoError(tb, markErr)
	for _, err := range errs {
		require.NoError(tb, err)
	}
	require.Equal(tb, marked.Sessions, w.load("a"), "a session came after the mark")
	require.Equal(tb, rounds*raceReplicas, w.load("a")+w.load("b"))
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
