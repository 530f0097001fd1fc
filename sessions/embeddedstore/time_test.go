package embeddedstore_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// TestTTL looks at the very µs before and at the deadline.
func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		got := pin(t, s, request("x"))
		time.Sleep(time.Hour - time.Microsecond)
		_, err := s.Get(t.Context(), got.Key)
		require.NoError(t, err)
		time.Sleep(time.Microsecond)
		_, err = s.Get(t.Context(), got.Key)
		require.ErrorIs(t, err, sessions.ErrNotFound)
		n, err := s.Sweep(t.Context(), fn)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.True(t, list(t, s, sessions.Ended)[0].EndedAt.Equal(got.CreatedAt.Add(time.Hour)))
	})
}

// TestIdle keeps a session alive with touches, each at the last moment, until its TTL ends it.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		r := request("x")
		r.IdleTimeout = 10 * time.Minute
		got := pin(t, s, r)
		life := r.IdleTimeout + r.TouchInterval()
		for range 5 {
			time.Sleep(life - time.Microsecond)
			touch(t, s, sessions.Touch{Key: got.Key, Epoch: got.Epoch})
			_, err := s.Get(t.Context(), got.Key)
			require.NoError(t, err)
		}
		time.Sleep(time.Hour - 5*(life-time.Microsecond) - time.Microsecond)
		_, err := s.Get(t.Context(), got.Key)
		require.NoError(t, err)
		time.Sleep(time.Microsecond)
		_, err = s.Get(t.Context(), got.Key)
		require.ErrorIs(t, err, sessions.ErrNotFound)
	})
}

func TestIdleAgeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		r := request("x")
		r.IdleTimeout = 10 * time.Minute
		got := pin(t, s, r)
		time.Sleep(5 * time.Minute)
		touch(t, s, sessions.Touch{Key: got.Key, Epoch: got.Epoch, Age: 2 * time.Minute})
		now, err := s.Get(t.Context(), got.Key)
		require.NoError(t, err)
		require.Equal(t, 13*time.Minute+r.TouchInterval(), now.Deadline.Sub(got.CreatedAt))
	})
}

// TestRetention: ended sessions stay listed for exactly their retention.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		blocking := request("blocking")
		blocking.DisableIDReuse = true
		pin(t, s, request("plain"))
		pin(t, s, blocking)
		sweep := func(ended, listed int) {
			t.Helper()
			n, err := s.Sweep(t.Context(), fn)
			require.NoError(t, err)
			require.Equal(t, ended, n)
			require.Len(t, list(t, s, sessions.Ended), listed)
		}
		time.Sleep(time.Hour)
		sweep(2, 2)
		time.Sleep(sessions.DefaultRetention - time.Microsecond)
		sweep(0, 2)
		time.Sleep(time.Microsecond)
		sweep(0, 1)
		time.Sleep(sessions.ReuseBlock - sessions.DefaultRetention - time.Microsecond)
		sweep(0, 1)
		time.Sleep(time.Microsecond)
		sweep(0, 0)
	})
}

// TestReuseBlock: the ID of an expired session is refused for three days, swept or not.
func TestReuseBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		r := request("x")
		r.DisableIDReuse = true
		old := pin(t, s, r)
		time.Sleep(time.Hour)
		for _, pause := range []time.Duration{0, sessions.ReuseBlock - time.Microsecond} {
			time.Sleep(pause)
			_, _, err := s.Pin(t.Context(), r)
			require.ErrorIs(t, err, sessions.ErrIDReuse)
			_, err = s.Sweep(t.Context(), fn)
			require.NoError(t, err)
		}
		time.Sleep(time.Microsecond)
		require.Greater(t, pin(t, s, r).Epoch, old.Epoch)
	})
}

// TestSlotOfTheExpired: capacity and counts never wait for a sweep.
func TestSlotOfTheExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		in, err := s.Report(t.Context(), sessions.Report{Function: fn, Version: "LATEST", Instances: []sessions.InstanceReport{{ID: "a"}}})
		require.NoError(t, err)
		early, late := request(""), request("late")
		early.Candidates = homes
		for i := range 200 { // more than an operation ends in passing
			early.ID = string(rune('A' + i))
			pin(t, s, early)
		}
		time.Sleep(time.Second)
		late.Candidates, late.PerInstance = []sessions.Home{in[0].Home}, 1
		pin(t, s, late)
		late.ID = "next"
		_, _, err = s.Pin(t.Context(), late)
		require.ErrorIs(t, err, sessions.ErrFull)
		time.Sleep(time.Hour)
		pin(t, s, late)
		in, err = s.Instances(t.Context(), fn)
		require.NoError(t, err)
		require.Equal(t, 1, in[0].Sessions)
		require.Len(t, list(t, s, sessions.Active), 1)
	})
}

func TestInstancesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		report := func(health sessions.Health) sessions.InstanceRecord {
			in, err := s.Report(t.Context(), sessions.Report{Function: fn, Version: "LATEST", Instances: []sessions.InstanceReport{{ID: "a", Health: health}}})
			require.NoError(t, err)
			return in[0]
		}
		known := func() int {
			_, err := s.Sweep(t.Context(), fn)
			require.NoError(t, err)
			in, err := s.Instances(t.Context(), fn)
			require.NoError(t, err)
			return len(in)
		}
		first := report(sessions.HealthGone)
		time.Sleep(time.Hour)
		report(sessions.HealthUnknown) // still spoken of, and as gone as before
		time.Sleep(sessions.DefaultRetention - time.Hour - time.Microsecond)
		require.Equal(t, 1, known())
		time.Sleep(time.Microsecond)
		require.Zero(t, known())
		require.Greater(t, report(sessions.HealthUp).Incarnation, first.Incarnation)
		for range 3 {
			time.Sleep(sessions.DefaultRetention - time.Microsecond)
			require.Equal(t, 1, known(), "one that is reported stays")
			report(sessions.HealthUnknown)
		}
		time.Sleep(sessions.DefaultRetention)
		require.Zero(t, known(), "one that nobody reports any more does not")
	})
}

// TestLossGrace looks at the very µs before and at the end of the grace.
func TestLossGrace(t *testing.T) {
	for away, same := range map[time.Duration]bool{30*time.Second - time.Microsecond: true, 30 * time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, "")
			report := func(health sessions.Health) sessions.InstanceRecord {
				in, err := s.Report(t.Context(), sessions.Report{
					Function: fn, Version: "LATEST", LossGrace: 30 * time.Second, AliveWithin: 5 * time.Second,
					Instances: []sessions.InstanceReport{{ID: "a", Health: health, Start: "one"}},
				})
				require.NoError(t, err)
				return in[0]
			}
			first := report(sessions.HealthUp)
			time.Sleep(5*time.Second - time.Microsecond)
			require.True(t, report(sessions.HealthLost).LostAt.IsZero(), "seen within AliveWithin")
			time.Sleep(time.Microsecond)
			require.False(t, report(sessions.HealthLost).LostAt.IsZero())
			time.Sleep(away)
			require.Equal(t, same, report(sessions.HealthUp).Home == first.Home)
		})
	}
}

// TestClockSetBack opens a directory 26 years before it was written: a bubble's clock begins in the year 2000. All
// that is left of the session and the instance's incarnation is how high the function had counted.
func TestClockSetBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := request("x")
	r.Function = "other" // than the one that rotate fills
	old := pin(t, s, r)
	_, err := s.End(t.Context(), old, false)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	for range 2 { // from the log, and from a snapshot
		files := map[string][]byte{}
		names, err := filepath.Glob(filepath.Join(dir, "*-*"))
		require.NoError(t, err)
		for _, name := range names {
			files[name] = readFile(t, name)
		}
		copied := dirOf(t, files)
		synctest.Test(t, func(t *testing.T) {
			s := open(t, copied)
			require.Less(t, uint64(time.Now().UnixMicro()), old.Epoch)
			in, err := s.Report(t.Context(), sessions.Report{Function: r.Function, Version: "LATEST", Instances: []sessions.InstanceReport{{ID: "a"}}})
			require.NoError(t, err)
			require.Greater(t, in[0].Incarnation, old.Epoch)
			require.Greater(t, pin(t, s, r).Epoch, old.Epoch)
		})
		s = open(t, dir)
		rotate(t, s, dir)
		require.NoError(t, s.Close())
	}
}

// TestExpiredMeanwhile: a session whose deadline passed while the store was closed ended when its time was over, not
// when somebody looked, and one whose retention passed too is forgotten.
func TestExpiredMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		old := pin(t, s, request("x"))
		require.NoError(t, s.Close())
		time.Sleep(2 * time.Hour)
		s = open(t, dir)
		_, err := s.Get(t.Context(), old.Key)
		require.ErrorIs(t, err, sessions.ErrNotFound)
		ended := list(t, s, sessions.Ended)
		require.Len(t, ended, 1)
		require.True(t, ended[0].EndedAt.Equal(old.Deadline))
		require.NoError(t, s.Close())
		time.Sleep(sessions.DefaultRetention)
		require.Empty(t, list(t, open(t, dir), sessions.Ended))
	})
}
