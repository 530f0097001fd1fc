package load

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTurns(t *testing.T) {
	s, at := &session{}, func(n int) time.Time { return start().Add(time.Duration(n) * time.Second) }
	require.True(t, s.arrive(at(1)), "somebody has to be told")
	require.False(t, s.arrive(at(2)), "somebody was")
	require.False(t, s.arrive(at(3)))

	require.Equal(t, turn{scheduled: at(1), due: at(1)}, s.next())
	s.done(at(5))
	more, ended := s.relax()
	require.True(t, more)
	require.False(t, ended)

	// The next two could not be sent before the one ahead of them was answered.
	require.Equal(t, turn{scheduled: at(2), due: at(5)}, s.next())
	s.done(at(6))
	require.Equal(t, turn{scheduled: at(3), due: at(6)}, s.next())
	s.done(at(7))
	more, ended = s.relax()
	require.False(t, more)
	require.False(t, ended)

	require.True(t, s.arrive(at(9)))
	require.False(t, s.leave(), "one waits")
	require.Equal(t, turn{scheduled: at(9), due: at(9)}, s.next())
	s.done(at(10))
	more, ended = s.relax()
	require.False(t, more)
	require.True(t, ended)

	require.True(t, (&session{}).leave(), "nothing waits")
}

// TestASessionEndsOnce, whoever comes first: the one who lets it leave, or the one who works on its last request.
func TestASessionEndsOnce(t *testing.T) {
	for range 2000 {
		s := &session{}
		var ends, done atomic.Int32
		var all sync.WaitGroup
		work := func() {
			for {
				s.next()
				done.Add(1)
				more, ended := s.relax()
				if ended {
					ends.Add(1)
				}
				if !more {
					return
				}
			}
		}
		for range 3 {
			if s.arrive(start()) {
				all.Go(work)
			}
		}
		if s.leave() {
			ends.Add(1)
		}
		all.Wait()
		require.EqualValues(t, 1, ends.Load())
		require.EqualValues(t, 3, done.Load())
	}
}
