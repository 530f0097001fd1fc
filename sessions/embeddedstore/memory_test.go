package embeddedstore_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// TestIndices: whatever happens to sessions, no index has one twice or keeps it too long.
func TestIndices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		r := request("")
		r.IdleTimeout = time.Minute
		var pinned []sessions.Session
		for i := range 20 {
			r.ID = fmt.Sprint(i)
			pinned = append(pinned, pin(t, s, r))
			time.Sleep(time.Second)
		}
		for i, got := range pinned { // from the first, whose deadline is overtaken by none and now overtakes all
			touch(t, s, sessions.Touch{Key: got.Key, Epoch: got.Epoch})
			require.Equal(t, 20-i/2-i%2, s.ActiveRecords(fn), "each is indexed once")
			time.Sleep(time.Second)
			_, err := s.Update(t.Context(), update(got.Key, time.Hour+time.Duration(i)*time.Second))
			require.NoError(t, err)
			got, err = s.Rehome(t.Context(), sessions.RehomeRequest{Session: got, Certain: true, Placement: r.Placement})
			require.NoError(t, err)
			require.Equal(t, 20-i/2-i%2, s.ActiveRecords(fn), "each is indexed once")
			if i%2 == 0 {
				_, err = s.End(t.Context(), got, i%4 == 0)
				require.NoError(t, err)
			}
		}
		require.Equal(t, 5, s.EndedRecords(fn))
		time.Sleep(time.Hour)
		n, err := s.Sweep(t.Context(), fn)
		require.NoError(t, err)
		require.Equal(t, 10, n)
		require.Zero(t, s.ActiveRecords(fn))
		require.Equal(t, 15, s.EndedRecords(fn))
		time.Sleep(sessions.DefaultRetention)
		_, err = s.Sweep(t.Context(), fn)
		require.NoError(t, err)
		require.Zero(t, s.EndedRecords(fn))
	})
}

// TestOnceIsForgotten: names do not pile up, whether or not anybody sweeps.
func TestOnceIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		for i := range 1000 {
			first, err := s.Once(t.Context(), fmt.Sprint(i), time.Second)
			require.NoError(t, err)
			require.True(t, first)
			time.Sleep(100 * time.Millisecond)
		}
		require.LessOrEqual(t, s.OnceNames(), 10)
		time.Sleep(time.Second)
		_, err := s.Sweep(t.Context(), fn)
		require.NoError(t, err)
		require.Zero(t, s.OnceNames())
	})
}

// TestOnceTime looks at the very µs before and at the end of a name's time.
func TestOnceTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "")
		for _, want := range []bool{true, false, true, false} {
			first, err := s.Once(t.Context(), "x", time.Second)
			require.NoError(t, err)
			require.Equal(t, want, first)
			if want {
				time.Sleep(time.Second - time.Microsecond)
			} else {
				time.Sleep(time.Microsecond)
			}
		}
	})
}
