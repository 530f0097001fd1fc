package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func raceChecks() []Check {
	return []Check{
		{"Race/one home for an ID", noSplitPins},
		{"Race/capacity under churn", capacity},
		{"Race/isolation", isolationRace},
		{"Race/Create succeeds once", createOnce},
	}
}

const raceReplicas = 4

// answer is what one racing Pin got.
type answer struct {
	s       sessions.Session
	created bool
	err     error
}

// race sends the same request through every replica, several times at the same moment.
func race(w *world, replicas []sessions.Store, r sessions.PinRequest) []answer {
	answers := make([]answer, 2*len(replicas))
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			<-start
			a := &answers[i]
			a.s, a.created, a.err = replicas[i%len(replicas)].Pin(w.Context(), r)
		})
	}
	close(start)
	all.Wait()
	return answers
}

func noSplitPins(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], numbered("i", 4)...)
	for _, id := range numbered("x", 60) {
		created := 0
		answers := race(w, replicas, w.request(id))
		for _, a := range answers {
			require.NoError(tb, a.err)
			require.Equal(tb, answers[0].s.Home, a.s.Home, "split pin of %s", id)
			require.Equal(tb, answers[0].s.Epoch, a.s.Epoch, "split pin of %s", id)
			if a.created {
				created++
			}
		}
		require.Equal(tb, 1, created, "exactly one call makes the session")
	}
	require.Len(tb, w.list(sessions.Active, 7), 60)
}

func createOnce(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], "a", "b")
	for _, id := range numbered("x", 20) {
		created := 0
		r := w.request(id)
		r.Mode = sessions.Create
		for _, a := range race(w, replicas, r) {
			if a.err == nil {
				require.True(tb, a.created)
				created++
				continue
			}
			require.ErrorIs(tb, a.err, sessions.ErrExists)
		}
		require.Equal(tb, 1, created)
	}
	require.Equal(tb, 20, w.load("a")+w.load("b"))
}

// capacity lets more sessions come than fit, through all replicas at once, while others end or are re-homed, and
// looks at the counts all the while.
func capacity(tb testing.TB, h Harness) {
	const perInstance, workers, rounds = 5, 12, 25
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], "a", "b", "c")
	place := sessions.Placement{Candidates: w.homes, PerInstance: perInstance}
	errs := make([]error, workers)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() { errs[i] = churn(w, replicas[i%raceReplicas], place, i, rounds) })
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for looking := true; looking; {
		select {
		case <-done:
			looking = false
		default:
		}
		for _, home := range w.homes {
			require.LessOrEqual(tb, w.load(home.ID), perInstance, "over capacity during the race")
		}
	}
	require.NoError(tb, errors.Join(errs...))
	checkCounts(w, perInstance)
}

// churn is one worker of the capacity race: it pins IDs that others pin too, ends some, re-homes some.
func churn(w *world, s sessions.Store, place sessions.Placement, worker, rounds int) error {
	for i := range rounds {
		r := w.request(fmt.Sprintf("x%d", (worker*7+i*3)%40))
		r.Placement = place
		got, created, err := s.Pin(w.Context(), r)
		switch {
		case errors.Is(err, sessions.ErrFull):
			continue
		case err != nil:
			return err
		case created && i%3 == 0:
			_, err = s.End(w.Context(), got, i%2 == 0)
		case i%5 == 0:
			_, err = s.Rehome(w.Context(), sessions.RehomeRequest{Session: got, Reason: sessions.ReasonLost, Certain: true, Placement: place})
		}
		if err != nil && !errors.Is(err, sessions.ErrMoved) && !errors.Is(err, sessions.ErrNotFound) && !errors.Is(err, sessions.ErrFull) {
			return err
		}
	}
	return nil
}

// checkCounts compares the registry's counts with the sessions that are listed.
func checkCounts(w *world, perInstance int) {
	w.Helper()
	listed := map[sessions.Home]int{}
	for _, s := range w.list(sessions.Active, 7) {
		listed[s.Home]++
		w.same(s, w.get(s.ID))
	}
	records, err := w.Instances(w.Context(), w.fn)
	require.NoError(w, err)
	for _, r := range records {
		require.Equal(w, listed[r.Home], r.Sessions, "count and members of %s differ", r.ID)
		require.LessOrEqual(w, r.Sessions, perInstance)
		delete(listed, r.Home)
	}
	require.Empty(w, listed, "sessions on instances that nobody knows")
}

func isolationRace(tb testing.TB, h Harness) {
	replicas := h.replicas(tb, raceReplicas)
	w := worldOn(tb, replicas[0], numbered("i", 5)...)
	answers := make([]answer, 20)
	var all sync.WaitGroup
	for i := range answers {
		r := w.request(fmt.Sprintf("x%d", i))
		r.Isolation = true
		all.Go(func() {
			a := &answers[i]
			a.s, a.created, a.err = replicas[i%raceReplicas].Pin(w.Context(), r)
		})
	}
	all.Wait()
	used := map[sessions.Home]bool{}
	for _, a := range answers {
		if a.err != nil {
			require.ErrorIs(tb, a.err, sessions.ErrFull)
			continue
		}
		require.False(tb, used[a.s.Home], "%s has two sessions", a.s.Home.ID)
		used[a.s.Home] = true
	}
	require.Len(tb, used, 5)
}
