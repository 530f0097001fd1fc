package embeddedstore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// crashed returns what a kill -9 at this moment would leave of the directory: everything acknowledged, and nothing
// that Close would have added.
func crashed(tb testing.TB, dir string) string {
	tb.Helper()
	n := generation(tb, dir)
	files := map[string][]byte{logFile("", n): readFile(tb, logFile(dir, n))}
	if n > 1 {
		files[snapFile("", n)] = readFile(tb, snapFile(dir, n))
	}
	return dirOf(tb, files)
}

// survives runs look on a crashed directory, from its log alone, and from its snapshot.
func survives(t *testing.T, s *embeddedstore.Store, dir string, look func(t *testing.T, s *embeddedstore.Store)) {
	t.Helper()
	t.Run("log", func(t *testing.T) { look(t, open(t, crashed(t, dir))) })
	rotate(t, s, dir)
	t.Run("snapshot", func(t *testing.T) { look(t, open(t, crashed(t, dir))) })
}

func TestUpdateSurvives(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := request("x")
	r.IdleTimeout = time.Minute
	got := pin(t, s, r)
	touch(t, s, sessions.Touch{Key: got.Key, Epoch: got.Epoch, Delivered: true})
	ttl, idle, block := 3*time.Hour, time.Duration(0), true
	got, err := s.Update(t.Context(), sessions.UpdateRequest{Key: got.Key, TTL: &ttl, IdleTimeout: &idle, DisableIDReuse: &block})
	require.NoError(t, err)
	over := pin(t, s, request("over"))
	over, err = s.Update(t.Context(), update(over.Key, time.Microsecond))
	require.NoError(t, err)
	require.Equal(t, sessions.Ended, over.State)
	survives(t, s, dir, func(t *testing.T, s *embeddedstore.Store) {
		now, err := s.Get(t.Context(), got.Key)
		require.NoError(t, err)
		now.ReadAt = got.ReadAt
		require.Equal(t, got, now)
		ended := list(t, s, sessions.Ended)
		require.Len(t, ended, 1)
		ended[0].ReadAt = over.ReadAt
		require.Equal(t, over, ended[0])
	})
}

func TestCallSurvives(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	call := func(id, fingerprint string) sessions.PinRequest {
		r := request(id)
		r.Mode, r.Fingerprint, r.Name, r.DisableIDReuse = sessions.Create, fingerprint, "name of "+id, true
		return r
	}
	want := map[string]sessions.Session{"live": pin(t, s, call("live", "one"))}
	ended, err := s.End(t.Context(), pin(t, s, call("ended", "one")), true)
	require.NoError(t, err)
	want["ended"] = ended
	survives(t, s, dir, func(t *testing.T, s *embeddedstore.Store) {
		for id, w := range want {
			got, created, err := s.Pin(t.Context(), call(id, "one"))
			require.NoError(t, err)
			require.False(t, created)
			require.Equal(t, "name of "+id, got.Name)
			got.ReadAt = w.ReadAt
			require.Equal(t, w, got)
			_, _, err = s.Pin(t.Context(), call(id, "another"))
			require.ErrorIs(t, err, sessions.ErrMismatch)
		}
	})
}

func TestOnceSurvives(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for name, ttl := range map[string]time.Duration{"long": time.Hour, "short": time.Millisecond} {
		first, err := s.Once(t.Context(), name, ttl)
		require.NoError(t, err)
		require.True(t, first)
	}
	time.Sleep(2 * time.Millisecond) // the short one's time is over: no wait for another party
	survives(t, s, dir, func(t *testing.T, s *embeddedstore.Store) {
		require.Equal(t, 1, s.OnceNames(), "what is over is not read back")
		for name, want := range map[string]bool{"long": false, "short": true} {
			first, err := s.Once(t.Context(), name, time.Hour)
			require.NoError(t, err)
			require.Equal(t, want, first, name)
		}
	})
}

// TestManyOncesSurvive: more than a snapshot writes at a time, of which many are forgotten at one moment.
func TestManyOncesSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		const names = 1000
		for i := range names {
			first, err := s.Once(t.Context(), string(rune('一'+i)), time.Hour+time.Duration(i/400))
			require.NoError(t, err)
			require.True(t, first)
		}
		s.Snapshot()
		require.NoError(t, s.Close())
		// The log is not what counts: another, empty one takes its place.
		empty := readFile(t, logFile(dir, 1))[:16]
		s = open(t, dirOf(t, map[string][]byte{snapFile("", 1): readFile(t, snapFile(dir, 1)), logFile("", 1): empty}))
		require.Equal(t, names, s.OnceNames())
		for i := range names {
			first, err := s.Once(t.Context(), string(rune('一'+i)), time.Hour)
			require.NoError(t, err)
			require.False(t, first)
		}
	})
}

// TestDeletedStaysDeleted: the record of a deleted session whose requests run is in no file.
func TestDeletedStaysDeleted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := request("x")
	r.Function, r.DisableIDReuse = "other", true // than the one that rotate fills
	got := pin(t, s, r)
	touch(t, s, sessions.Touch{Key: got.Key, Epoch: got.Epoch, InFlight: true})
	got, err := s.End(t.Context(), got, false)
	require.NoError(t, err)
	require.Equal(t, sessions.Ending, got.State)
	survives(t, s, dir, func(t *testing.T, s *embeddedstore.Store) {
		history, err := s.History(t.Context(), got.Key)
		require.NoError(t, err)
		require.Empty(t, history)
		page, err := s.List(t.Context(), sessions.Query{Function: "other", Qualifier: "LATEST", State: sessions.Ended, Limit: 9})
		require.NoError(t, err)
		require.Empty(t, page.Sessions)
		require.Greater(t, pin(t, s, r).Epoch, got.Epoch)
	})
}
