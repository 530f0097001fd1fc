package redisstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// TestYoungestFingerprintDecides: an ID has two only where a request that may also find a session brought one.
func TestYoungestFingerprintDecides(t *testing.T) {
	t.Parallel()
	s, _ := onStandalone(t)
	var last sessions.Session
	r := request(t, "x")
	for _, r.Fingerprint = range []string{"old", "young", ""} {
		got, _, err := s.Pin(t.Context(), r)
		require.NoError(t, err)
		got, err = s.End(t.Context(), got, true)
		require.NoError(t, err)
		if r.Fingerprint != "" {
			last = got
		}
	}
	r.Mode, r.Fingerprint = sessions.Create, "young"
	got, created, err := s.Pin(t.Context(), r)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, last.Epoch, got.Epoch)
	r.Fingerprint = "old"
	_, _, err = s.Pin(t.Context(), r)
	require.ErrorIs(t, err, sessions.ErrMismatch)
}

// TestDeadlinesAreThoseOfSettings compares Lua's rule with Go's.
func TestDeadlinesAreThoseOfSettings(t *testing.T) {
	t.Parallel()
	s, _ := onStandalone(t)
	for i, idle := range []time.Duration{
		0, time.Millisecond, 199 * time.Millisecond, 200 * time.Millisecond, 999_999 * time.Microsecond, time.Second,
		9 * time.Second, 10 * time.Second, time.Hour,
	} {
		r := request(t, numbered(i))
		r.IdleTimeout = idle
		got, _, err := s.Pin(t.Context(), r)
		require.NoError(t, err)
		require.WithinDuration(t, r.Settings.Deadline(got.CreatedAt, got.CreatedAt), got.Deadline, time.Microsecond, idle)
	}
}
