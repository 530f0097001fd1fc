package embeddedstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// writes are all operations that change something.
func writes(s *embeddedstore.Store, old sessions.Session) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Pin":    func(ctx context.Context) error { _, _, err := s.Pin(ctx, request("new")); return err },
		"End":    func(ctx context.Context) error { _, err := s.End(ctx, old, true); return err },
		"Touch":  func(ctx context.Context) error { _, err := s.Touch(ctx, nil); return err },
		"Sweep":  func(ctx context.Context) error { _, err := s.Sweep(ctx, fn); return err },
		"Ping":   s.Ping,
		"Secret": func(ctx context.Context) error { _, err := s.Secret(ctx, "new"); return err },
		"Once":   func(ctx context.Context) error { _, err := s.Once(ctx, "new", time.Minute); return err },
		"Update": func(ctx context.Context) error {
			_, err := s.Update(ctx, sessions.UpdateRequest{Key: old.Key})
			return err
		},
		"Rehome": func(ctx context.Context) error {
			_, err := s.Rehome(ctx, sessions.RehomeRequest{Session: old, Certain: true, Placement: request("").Placement})
			return err
		},
		"Report": func(ctx context.Context) error {
			_, err := s.Report(ctx, sessions.Report{Function: fn, Version: "v", Instances: []sessions.InstanceReport{{ID: "new"}}})
			return err
		},
	}
}

// TestDiskFails: after a failed sync nothing is acknowledged any more, what is on disk can still be read, and a
// restart brings back exactly what was acknowledged.
func TestDiskFails(t *testing.T) {
	dir := t.TempDir()
	s, err := embeddedstore.Open(embeddedstore.Config{Path: dir})
	require.NoError(t, err)
	old := pin(t, s, request("old"))
	want := all(t, s)
	s.BreakDisk()
	_, _, err = s.Pin(t.Context(), request("unlucky"))
	require.ErrorIs(t, err, sessions.ErrUnavailable)
	require.ErrorIs(t, err, embeddedstore.ErrDisk)
	_, err = s.Get(t.Context(), key("unlucky"))
	require.ErrorIs(t, err, sessions.ErrUnavailable, "a session that may not be on disk was handed out")
	for name, write := range writes(s, old) {
		require.ErrorIs(t, write(t.Context()), sessions.ErrUnavailable, name)
	}
	got, err := s.Get(t.Context(), old.Key)
	require.NoError(t, err)
	require.Equal(t, old.Epoch, got.Epoch)
	_, created, err := s.Pin(t.Context(), request("old"))
	require.NoError(t, err, "a hit on what is on disk")
	require.False(t, created)
	require.ErrorIs(t, s.Close(), embeddedstore.ErrDisk)
	now := reopened(t, dir)
	require.Subset(t, now.active, want.active)
}

// TestReadsWaitForTheDisk: while the disk works on a session's creation, nobody is told of the session, else a
// crash could lose one that somebody was already routed by.
func TestReadsWaitForTheDisk(t *testing.T) {
	s := open(t, t.TempDir())
	settled := pin(t, s, request("settled"))
	gate, waiting := make(chan struct{}), make(chan struct{}, 1)
	s.HoldDisk(gate, waiting)
	told := make(chan string, 8)
	tell := func(name string, op func() error) {
		go func() {
			if err := op(); err != nil {
				name += ": " + err.Error()
			}
			told <- name
		}()
	}
	r := request("x")
	r.Fingerprint = "call"
	tell("pin", func() error { _, _, err := s.Pin(t.Context(), r); return err })
	<-waiting
	tell("hit", func() error { _, _, err := s.Pin(t.Context(), request("x")); return err })
	tell("get", func() error { _, err := s.Get(t.Context(), key("x")); return err })
	tell("list", func() error {
		_, err := s.List(t.Context(), sessions.Query{Function: fn, Qualifier: "LATEST", Limit: 9})
		return err
	})
	tell("history", func() error { _, err := s.History(t.Context(), key("x")); return err })
	tell("call", func() error {
		again := request("x")
		again.Mode, again.Fingerprint = sessions.Create, "call"
		_, _, err := s.Pin(t.Context(), again)
		return err
	})
	got, err := s.Get(t.Context(), settled.Key)
	require.NoError(t, err, "what is on disk needs no wait")
	require.Equal(t, settled.Epoch, got.Epoch)
	touch(t, s, sessions.Touch{Key: settled.Key, Epoch: settled.Epoch, Delivered: true}) // touches do not wait
	select {
	case name := <-told:
		require.Fail(t, "acknowledged before it was on disk", name)
	case <-time.After(50 * time.Millisecond):
	}
	close(gate)
	var names []string
	for range 6 {
		names = append(names, <-told)
	}
	require.ElementsMatch(t, []string{"pin", "hit", "get", "list", "history", "call"}, names)
}

// TestWritesWaitForTheDisk: an update, and a name that counts as used, are acknowledged when they are on disk.
func TestWritesWaitForTheDisk(t *testing.T) {
	for name, write := range map[string]func(context.Context, *embeddedstore.Store) error{
		"update": func(ctx context.Context, s *embeddedstore.Store) error {
			_, err := s.Update(ctx, update(key("x"), time.Minute))
			return err
		},
		"once": func(ctx context.Context, s *embeddedstore.Store) error {
			_, err := s.Once(ctx, "x", time.Minute)
			return err
		},
	} {
		s := open(t, t.TempDir())
		pin(t, s, request("x"))
		gate, waiting, done := make(chan struct{}), make(chan struct{}, 1), make(chan error, 2)
		s.HoldDisk(gate, waiting)
		for range 2 { // the second, too, rests on what is not on disk yet
			go func() { done <- write(t.Context(), s) }()
		}
		<-waiting
		select {
		case err := <-done:
			require.Fail(t, "acknowledged before it was on disk", "%s: %v", name, err)
		case <-time.After(50 * time.Millisecond):
		}
		close(gate)
		require.NoError(t, <-done)
		require.NoError(t, <-done)
	}
}

// TestEndIsDurableBeforeNotFound: who is told that a session has ended may rely on it.
func TestEndIsDurableBeforeNotFound(t *testing.T) {
	durableBeforeNotFound(t, func(ctx context.Context, s *embeddedstore.Store, old sessions.Session) error {
		_, err := s.End(ctx, old, false)
		return err
	})
	durableBeforeNotFound(t, func(ctx context.Context, s *embeddedstore.Store, old sessions.Session) error {
		_, err := s.Update(ctx, update(old.Key, time.Microsecond)) // which is over
		return err
	})
}

func durableBeforeNotFound(t *testing.T, end func(context.Context, *embeddedstore.Store, sessions.Session) error) {
	t.Helper()
	s := open(t, t.TempDir())
	old := pin(t, s, request("x"))
	gate, waiting := make(chan struct{}), make(chan struct{}, 1)
	s.HoldDisk(gate, waiting)
	done := make(chan error, 2)
	go func() { done <- end(t.Context(), s, old) }()
	<-waiting
	go func() { _, err := s.Get(t.Context(), old.Key); done <- err }()
	select {
	case err := <-done:
		require.Fail(t, "acknowledged before it was on disk", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(gate)
	errs := []error{<-done, <-done}
	require.Contains(t, errs, error(nil))
	require.Contains(t, errs, sessions.ErrNotFound)
}

func TestClosed(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		s := open(t, dir)
		old := pin(t, s, request("x"))
		require.NoError(t, s.Close())
		for name, write := range writes(s, old) {
			require.ErrorIs(t, write(t.Context()), sessions.ErrUnavailable, name)
		}
		_, err := s.Get(t.Context(), old.Key)
		require.ErrorIs(t, err, sessions.ErrUnavailable)
		require.NoError(t, s.Close())
	}
}

func TestCancelled(t *testing.T) {
	s := open(t, "")
	old := pin(t, s, request("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, write := range writes(s, old) {
		err := write(ctx)
		require.ErrorIs(t, err, sessions.ErrUnavailable, name)
		require.ErrorIs(t, err, context.Canceled, name)
	}
}

// TestTouchesReachTheDisk: without any other write, and before Close, a touch is in the log soon.
func TestTouchesReachTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := request("x")
	r.IdleTimeout = time.Minute
	old := pin(t, s, r)
	before := len(readFile(t, logFile(dir, 1)))
	touch(t, s, sessions.Touch{Key: old.Key, Epoch: old.Epoch, Delivered: true})
	require.Eventually(t, func() bool { return len(readFile(t, logFile(dir, 1))) > before }, time.Second, time.Millisecond)
	// As after kill -9: what the process did not get to write is lost.
	copied := dirOf(t, map[string][]byte{logFile("", 1): readFile(t, logFile(dir, 1))})
	again := reopened(t, copied).active[0]
	require.Equal(t, sessions.Event{}, again.Event)
	require.True(t, again.Deadline.After(old.Deadline))
}

// TestSnapshotWaitsForTheDisk: a snapshot has seen sessions that are not on disk yet, and may have missed the ends
// that they owe their slots to. It counts only when the log on disk has both.
func TestSnapshotWaitsForTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	gate, waiting, done := make(chan struct{}), make(chan struct{}, 1), make(chan error, 1)
	s.HoldDisk(gate, waiting)
	go func() { _, _, err := s.Pin(t.Context(), request("x")); done <- err }()
	<-waiting
	written := make(chan struct{})
	go func() { s.Snapshot(); close(written) }()
	select {
	case <-written:
		require.Fail(t, "the snapshot did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	require.NoFileExists(t, snapFile(dir, 1))
	close(gate)
	require.NoError(t, <-done)
	<-written
	require.FileExists(t, snapFile(dir, 1))
	want := all(t, s)
	require.NoError(t, s.Close())
	require.Equal(t, want, reopened(t, dir))
}
