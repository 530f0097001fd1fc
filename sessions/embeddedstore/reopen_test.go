package embeddedstore_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	for round := range 4 {
		s := open(t, dir)
		live(t, s, fmt.Sprintf("r%d", round))
		want := all(t, s)
		require.Len(t, want.active, 7*(round+1))
		require.Len(t, want.ended, 2*(round+1))
		require.NoError(t, s.Close())
		require.Equal(t, want, reopened(t, dir))
	}
}

// TestReopenFromSnapshot does the same when everything is in a snapshot, or some of it.
func TestReopenFromSnapshot(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	live(t, s, "before")
	rotate(t, s, dir)
	want := all(t, s)
	live(t, s, "after")
	wantAfter := all(t, s)
	require.NotEqual(t, want, wantAfter)
	require.NoError(t, s.Close())
	require.FileExists(t, snapFile(dir, 2))
	require.NoFileExists(t, logFile(dir, 1))
	require.Equal(t, wantAfter, reopened(t, dir))
}

// rotate pins sessions until a snapshot has replaced the log.
func rotate(tb testing.TB, s interface {
	SetMinLog(int64)
	sessions.Pins
}, dir string) {
	tb.Helper()
	s.SetMinLog(1)
	next := generation(tb, dir) + 1
	for i := 0; ; i++ {
		_, _, err := s.Pin(tb.Context(), request(fmt.Sprintf("rotate%d-%d", next, i)))
		require.NoError(tb, err)
		if generation(tb, dir) >= next {
			break
		}
	}
	s.SetMinLog(1 << 30)
	require.Eventually(tb, func() bool {
		_, err := os.Stat(logFile(dir, next-1))
		return os.IsNotExist(err)
	}, 10*time.Second, time.Millisecond)
}

// TestUsedSurvives: an instance that has had its session takes no other after a restart, from log and snapshot.
func TestUsedSurvives(t *testing.T) {
	dir := t.TempDir()
	r := request("x")
	r.Isolation, r.Candidates = true, homes[:1]
	s := open(t, dir)
	_, err := s.End(t.Context(), pin(t, s, r), false)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	for range 2 {
		s = open(t, dir)
		_, _, err = s.Pin(t.Context(), r)
		require.ErrorIs(t, err, sessions.ErrFull)
		if generation(t, dir) == 1 {
			rotate(t, s, dir)
		}
		require.NoError(t, s.Close())
	}
}

func TestPermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "parent", "store")
	s := open(t, dir)
	live(t, s, "x")
	rotate(t, s, dir)
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		require.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))
}

// TestRotationUnderLoad writes snapshots one after the other while sessions come, move, are used and end.
func TestRotationUnderLoad(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.SetMinLog(4 << 10)
	var workers sync.WaitGroup
	errs := make(chan error, 8)
	for worker := range 8 {
		workers.Go(func() {
			for i := range 150 {
				got, _, err := s.Pin(t.Context(), request(fmt.Sprintf("%d-%d", worker, i)))
				switch {
				case err != nil:
				case i%3 == 0:
					_, err = s.End(t.Context(), got, i%2 == 0)
				case i%3 == 1:
					_, err = s.Rehome(t.Context(), sessions.RehomeRequest{Session: got, Certain: true, Placement: request("").Placement})
				default:
					_, err = s.Touch(t.Context(), []sessions.Touch{{Key: got.Key, Epoch: got.Epoch, Delivered: true}})
					if err == nil {
						_, err = s.Update(t.Context(), update(got.Key, 2*time.Hour))
					}
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	workers.Wait()
	require.Empty(t, errs)
	want := all(t, s)
	require.Len(t, want.active, 8*100)
	require.Len(t, want.ended, 8*25)
	require.Greater(t, generation(t, dir), 3, "the log was not replaced")
	require.NoError(t, s.Close())
	require.Equal(t, want, reopened(t, dir))
}

// TestCrashDuringRotation leaves a directory as a crash between any two steps would.
func TestCrashDuringRotation(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	live(t, s, "before")
	kept := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.Link(logFile(dir, 1), kept))
	rotate(t, s, dir)
	early := all(t, s)
	live(t, s, "after")
	late := all(t, s)
	require.NoError(t, s.Close())
	log1, log2, snap2 := readFile(t, kept), readFile(t, logFile(dir, 2)), readFile(t, snapFile(dir, 2))
	one, two, snap, temp := logFile("", 1), logFile("", 2), snapFile("", 2), "snapshot.tmp"
	for _, c := range []struct {
		step  string
		files map[string][]byte
		want  everything
	}{
		{"nothing of the new log", map[string][]byte{one: log1}, early},
		{"the new log is empty", map[string][]byte{one: log1, two: {}}, early},
		{"half a header", map[string][]byte{one: log1, two: log2[:7]}, early},
		{"a header of zeros", map[string][]byte{one: log1, two: make([]byte, 16)}, early},
		{"a whole header", map[string][]byte{one: log1, two: log2[:16]}, early},
		{"half a snapshot", map[string][]byte{one: log1, two: log2, temp: snap2[:len(snap2)/2]}, late},
		{"a whole snapshot", map[string][]byte{one: log1, two: log2, temp: snap2}, late},
		{"renamed", map[string][]byte{one: log1, two: log2, snap: snap2}, late},
		{"done", map[string][]byte{two: log2, snap: snap2}, late},
	} {
		dir := dirOf(t, c.files)
		require.Equal(t, c.want, reopened(t, dir), c.step)
		require.NoFileExists(t, filepath.Join(dir, temp))
		require.Equal(t, c.want, reopened(t, dir), "%s, once more", c.step)
	}
}

// TestDrainSurvives: a mark, and that it was taken back, is there after a restart, from log and snapshot.
func TestDrainSurvives(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	up := sessions.Report{Function: "f", Version: "v", Instances: []sessions.InstanceReport{
		{ID: "a", Health: sessions.HealthUp}, {ID: "b", Health: sessions.HealthUp}, {ID: "c", Start: "one", Health: sessions.HealthUp},
	}}
	records, err := s.Report(t.Context(), up)
	require.NoError(t, err)
	mark := sessions.Mark{Function: "f", Home: records[0].Home, Draining: true, Deadline: time.Hour}
	marked, err := s.Mark(t.Context(), mark)
	require.NoError(t, err)
	for _, i := range []int{1, 2} {
		mark.Home = records[i].Home
		_, err = s.Mark(t.Context(), mark)
		require.NoError(t, err)
	}
	_, err = s.Mark(t.Context(), sessions.Mark{Function: "f", Home: records[1].Home})
	require.NoError(t, err)
	up.Instances[2].Start = "two"
	_, err = s.Report(t.Context(), up)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	for range 2 {
		s = open(t, dir)
		all, err := s.Instances(t.Context(), "f")
		require.NoError(t, err)
		require.Len(t, all, 3)
		require.True(t, all[0].DrainDeadline.Equal(marked.DrainDeadline))
		require.True(t, all[0].DrainingSince.Equal(marked.DrainingSince))
		require.False(t, all[1].Draining(), "taken back")
		require.False(t, all[2].Draining(), "another incarnation")
		r := request("x")
		r.Function, r.Candidates = "f", []sessions.Home{records[0].Home}
		_, _, err = s.Pin(t.Context(), r)
		require.ErrorIs(t, err, sessions.ErrFull)
		if generation(t, dir) == 1 {
			rotate(t, s, dir)
		}
		require.NoError(t, s.Close())
	}
}
