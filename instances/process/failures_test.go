package process_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances/process"
)

func TestPausesGrow(t *testing.T) {
	for n, pause := range process.Pauses(100) {
		want := process.MaxPause
		if n < 8 {
			want = min(process.FirstPause<<n, process.MaxPause)
		}
		require.InDelta(t, want, pause, process.Jitter*float64(want)+float64(time.Millisecond), "after %d failures", n+1)
	}
	require.NotEqual(t, process.Pauses(20), process.Pauses(20), "replicas are not to try in step")
}

// One that does not start is tried again, ever more seldom.
func TestACrashLoopIsSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, limits(1, 4))
		s.begins = func(f *process.Fake) {
			f.Reason = "exit status 1"
			close(f.Gone)
			s.alive--
		}
		s.run()
		require.Less(t, s.started(), 4)
		s.pass(10 * time.Minute)
		require.InDelta(t, 27, s.started(), 6, "seven to come to the longest pause, then one in 30 s")
		require.Contains(t, s.source.Problem(), "ended before it was healthy: exit status 1")
		_, known := s.source.Places()
		require.True(t, known, "nobody is to wait for it")
		require.GreaterOrEqual(t, s.logged("process did not start"), 20)

		s.mu.Lock()
		s.begins = nil
		s.mu.Unlock()
		s.pass(40 * time.Second)
		require.Len(t, s.ids(), 1)
		require.Empty(t, s.source.Problem())
		s.pass(process.Steady)
		was := s.started()
		s.crash(s.ids()[0])
		s.pass(time.Second)
		require.Equal(t, was+1, s.started(), "it ran well: the pauses begin anew")
		s.stop()
	})
}

// One that is healthy for a moment only is no better.
func TestACrashLoopOfHealthyOnesIsSlowedDown(t *testing.T) {
	on(t, limits(1, 4), func(s *stage) {
		for range 600 {
			for _, id := range s.ids() {
				s.crash(id)
			}
			s.pass(time.Second)
		}
		require.InDelta(s.t, 27, s.started(), 6)
	})
}

// While one serves, the growth that fails must pause too.
func TestGrowthThatFailsIsSlowedDown(t *testing.T) {
	on(t, limits(1, 4), func(s *stage) {
		s.tell(nil)
		s.pass(time.Minute)
		s.mu.Lock()
		s.refuse = errors.New("no memory")
		s.mu.Unlock()
		for range 600 {
			s.source.Want(1)
			s.pass(time.Second)
		}
		require.InDelta(s.t, 27, s.logged("process did not start"), 6)
		require.Contains(s.t, s.source.Problem(), "no memory")
		require.Len(s.t, s.ids(), 1)
	})
}

func TestOneThatIsNeverHealthyIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *process.Config) { c.StartTimeout = 5 * time.Second })
		s.sick = true
		s.run()
		s.pass(6 * time.Second)
		require.GreaterOrEqual(t, s.started(), 2)
		require.Len(t, s.terms, s.started()-1)
		require.Contains(t, s.source.Problem(), "not healthy within start_timeout, 5s: sick")
		s.stop()
	})
}

func TestOneThatIgnoresSIGTERMIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, limits(2, 4))
		s.stubborn = true
		s.run()
		began := time.Now()
		s.stop()
		require.Equal(t, s.cfg.StopGrace, time.Since(began), "all at once")
		require.Len(t, s.terms, 2)
		require.Len(t, s.kills, 2)
	})
}

// A port that another program takes is not the command's fault.
func TestATakenPortIsTriedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, limits(1, 4))
		s.begins = func(f *process.Fake) {
			if len(s.all) < 4 {
				f.Owner = 2
			}
		}
		s.run()
		require.Equal(t, 4, s.started())
		require.Len(t, s.kills, 3)
		require.Len(t, s.ids(), 1)
		require.Empty(t, s.source.Problem())
		require.Equal(t, s.all[0].ID, s.ids()[0], "the same process, which has never served")
		require.NotEqual(t, s.all[0].Port, s.all[1].Port)
		s.stop()
	})
}

// Where nobody can see whose a port is, one that found it taken has a second to end.
func TestAStrangersPortIsNotServedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, limits(1, 4))
		s.begins = func(f *process.Fake) { f.Owner = 0 }
		s.run() // a second
		require.Empty(t, s.ids())
		s.pass(time.Second)
		require.Len(t, s.ids(), 1)
		s.stop()
	})
}
