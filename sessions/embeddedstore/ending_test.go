package embeddedstore_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// inFlight ends a session of which requests run.
func inFlight(t *testing.T, s *embeddedstore.Store, id string, keep bool) (sessions.Session, sessions.Touch) {
	t.Helper()
	got := pin(t, s, request(id))
	running := sessions.Touch{Key: got.Key, Epoch: got.Epoch, InFlight: true}
	require.Empty(t, touch(t, s, running))
	ended, err := s.End(t.Context(), got, keep)
	require.NoError(t, err)
	require.Equal(t, sessions.Ending, ended.State)
	return ended, running
}

// states returns how an ID's records are listed and told.
func states(t *testing.T, s *embeddedstore.Store, k sessions.Key) (states []sessions.State) {
	t.Helper()
	history, err := s.History(t.Context(), k)
	require.NoError(t, err)
	for _, h := range history {
		states = append(states, h.State)
	}
	var listed []sessions.State
	for _, l := range list(t, s, sessions.Ended) {
		if l.ID == k.ID {
			listed = append(listed, l.State)
		}
	}
	require.Equal(t, states, listed)
	return states
}

// TestLease looks at the very µs before and at the end of a lease, with sweeps and without, in the middle of which a
// touch has renewed it.
func TestLease(t *testing.T) {
	for _, sweep := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, "")
			kept, first := inFlight(t, s, "kept", true)
			deleted, second := inFlight(t, s, "deleted", false)
			sleep := func(d time.Duration) {
				time.Sleep(d)
				if sweep {
					_, err := s.Sweep(t.Context(), fn)
					require.NoError(t, err)
				}
			}
			sleep(sessions.InFlightLease - time.Microsecond)
			require.Equal(t, []int{0, 1}, touch(t, s, first, second))
			sleep(sessions.InFlightLease - time.Microsecond)
			require.Equal(t, []sessions.State{sessions.Ending}, states(t, s, kept.Key))
			require.Equal(t, []sessions.State{sessions.Ending}, states(t, s, deleted.Key))
			sleep(time.Microsecond)
			require.Equal(t, []sessions.State{sessions.Ended}, states(t, s, kept.Key))
			require.Empty(t, states(t, s, deleted.Key))
			touch(t, s, first, second)
			require.Equal(t, []sessions.State{sessions.Ended}, states(t, s, kept.Key), "Ended is for good")
			require.Empty(t, states(t, s, deleted.Key))
			again, err := s.End(t.Context(), kept, true)
			require.NoError(t, err)
			require.Equal(t, kept.EndedAt, again.EndedAt)
		})
	}
}

// TestEndingOutlivesItsRetention: a record is not forgotten while requests run, and then at once.
func TestEndingOutlivesItsRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		ended, running := inFlight(t, s, "x", true)
		for start := time.Now(); time.Since(start) <= sessions.DefaultRetention+time.Minute; time.Sleep(2 * time.Second) {
			touch(t, s, running)
		}
		_, err := s.Sweep(t.Context(), fn)
		require.NoError(t, err)
		require.Equal(t, []sessions.State{sessions.Ending}, states(t, s, ended.Key))
		time.Sleep(sessions.InFlightLease)
		require.Empty(t, states(t, s, ended.Key))
	})
}

// TestLeaseOfAnEarlierEpoch: what ran at the home that was lost says nothing of the session that was moved.
func TestLeaseOfAnEarlierEpoch(t *testing.T) {
	s := open(t, "")
	got := pin(t, s, request("x"))
	running := sessions.Touch{Key: got.Key, Epoch: got.Epoch, InFlight: true}
	touch(t, s, running)
	moved, err := s.Rehome(t.Context(), sessions.RehomeRequest{Session: got, Certain: true, Placement: request("").Placement})
	require.NoError(t, err)
	require.Equal(t, []int{0}, touch(t, s, running))
	ended, err := s.End(t.Context(), moved, true)
	require.NoError(t, err)
	require.Equal(t, sessions.Ended, ended.State)
}

// TestDeletedIsUnlinked: without any sweep, listings drop what is over in passing, many sessions of one ID too.
func TestDeletedIsUnlinked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		var running []sessions.Touch
		for range 200 {
			_, one := inFlight(t, s, "x", false)
			running = append(running, one)
			time.Sleep(time.Millisecond)
		}
		for _, one := range slices.Backward(running) { // in another order than they ended
			touch(t, s, one)
			time.Sleep(time.Millisecond)
		}
		require.Len(t, states(t, s, key("x")), 200)
		require.Equal(t, 200, s.EndedRecords(fn), "each is indexed once")
		time.Sleep(sessions.InFlightLease)
		require.Empty(t, states(t, s, key("x")))
		for range 4 {
			list(t, s, sessions.Ended)
		}
		require.Zero(t, s.EndedRecords(fn))
	})
}

// TestEarlierSessionOfTheID: requests of an ended session run on while the ID has had another.
func TestEarlierSessionOfTheID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		_, running := inFlight(t, s, "x", true)
		inFlight(t, s, "x", true)
		time.Sleep(2 * time.Second)
		touch(t, s, running)
		time.Sleep(2 * time.Second)
		require.Equal(t, []sessions.State{sessions.Ending, sessions.Ended}, states(t, s, key("x")))
	})
}
