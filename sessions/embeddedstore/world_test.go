package embeddedstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

const fn = "counter"

// homes are instances that no registry knows.
var homes = []sessions.Home{{Version: "LATEST", ID: "a", Incarnation: 1}, {Version: "LATEST", ID: "b", Incarnation: 1}}

func key(id string) sessions.Key {
	return sessions.Key{Function: fn, Qualifier: "LATEST", ID: id}
}

func request(id string) sessions.PinRequest {
	return sessions.PinRequest{
		Key: key(id), Settings: sessions.Settings{TTL: time.Hour}, Affinity: sessions.AffinityHeader,
		Placement: sessions.Placement{Candidates: homes, PerInstance: 1 << 30},
	}
}

func pin(tb testing.TB, s *embeddedstore.Store, r sessions.PinRequest) sessions.Session {
	tb.Helper()
	got, created, err := s.Pin(tb.Context(), r)
	require.NoError(tb, err)
	require.True(tb, created)
	return got
}

func list(tb testing.TB, s *embeddedstore.Store, state sessions.State) []sessions.Session {
	tb.Helper()
	var all []sessions.Session
	for q := (sessions.Query{Function: fn, Qualifier: "LATEST", State: state, Limit: 1000}); ; {
		page, err := s.List(tb.Context(), q)
		require.NoError(tb, err)
		all = append(all, page.Sessions...)
		if q.After = page.Cursor; q.After == "" {
			return all
		}
	}
}

// everything is what a restart must bring back.
type everything struct {
	active, ended []sessions.Session
	instances     []sessions.InstanceRecord
	qualifiers    []string
	secret        []byte
}

func all(tb testing.TB, s *embeddedstore.Store) everything {
	tb.Helper()
	e := everything{active: list(tb, s, sessions.Active), ended: list(tb, s, sessions.Ended)}
	for _, l := range [][]sessions.Session{e.active, e.ended} {
		for i := range l {
			l[i].ReadAt = time.Time{}
		}
	}
	var err error
	e.instances, err = s.Instances(tb.Context(), fn)
	for i := range e.instances {
		e.instances[i].ReadAt = time.Time{}
	}
	require.NoError(tb, err)
	for i := range e.instances {
		e.instances[i].LastHealthy = time.Time{} // need not last
	}
	e.qualifiers, err = s.Qualifiers(tb.Context(), fn)
	require.NoError(tb, err)
	e.secret, err = s.Secret(tb.Context(), "key")
	require.NoError(tb, err)
	return e
}

// live does some of everything, under IDs that begin with prefix.
func live(tb testing.TB, s *embeddedstore.Store, prefix string) {
	tb.Helper()
	ctx := tb.Context()
	_, err := s.Secret(ctx, "key")
	require.NoError(tb, err)
	first, err := s.Once(ctx, prefix, time.Hour)
	require.NoError(tb, err)
	require.True(tb, first)
	records, err := s.Report(ctx, sessions.Report{Function: fn, Version: "LATEST", Instances: []sessions.InstanceReport{
		{ID: "c", URL: "http://c", Start: prefix, Health: sessions.HealthUp},
		{ID: "d", URL: "http://d", Health: sessions.HealthGone},
		{ID: prefix, Health: sessions.HealthLost},
	}})
	require.NoError(tb, err)
	place := sessions.Placement{Candidates: []sessions.Home{records[0].Home, homes[0], homes[1]}, PerInstance: 1 << 30}
	for i := range 10 {
		r := request(fmt.Sprintf("%s-%d", prefix, i))
		r.Settings = sessions.Settings{TTL: time.Hour, IdleTimeout: time.Duration(i) * time.Minute, DisableIDReuse: i%2 == 0}
		r.Placement, r.Origin, r.Name = place, sessions.OriginAPI, "name of "+r.ID
		r.Isolation = i == 9
		if i == 9 {
			r.Candidates = []sessions.Home{{Version: "LATEST", ID: "used" + prefix, Incarnation: 3}}
		}
		got := pin(tb, s, r)
		switch i {
		case 0, 1, 2:
			_, err = s.End(ctx, got, i != 1)
		case 3, 4:
			_, err = s.Rehome(ctx, sessions.RehomeRequest{Session: got, Reason: sessions.ReasonGone, Certain: true, Placement: place})
		case 7, 8:
			_, err = s.Update(ctx, update(got.Key, 2*time.Hour))
		case 5, 6:
			_, err = s.Touch(ctx, []sessions.Touch{{Key: got.Key, Epoch: got.Epoch, Delivered: i == 5}})
		}
		require.NoError(tb, err)
	}
}

// generation returns the number of a directory's newest log.
func generation(tb testing.TB, dir string) (n int) {
	tb.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "log-*"))
	require.NoError(tb, err)
	require.NotEmpty(tb, logs)
	_, err = fmt.Sscanf(filepath.Base(logs[len(logs)-1]), "log-%x", &n)
	require.NoError(tb, err)
	return n
}

func logFile(dir string, generation int) string {
	return filepath.Join(dir, fmt.Sprintf("log-%016x", generation))
}

func snapFile(dir string, generation int) string {
	return filepath.Join(dir, fmt.Sprintf("snapshot-%016x", generation))
}

func readFile(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	require.NoError(tb, err)
	return b
}

// dirOf returns a new directory with these files.
func dirOf(tb testing.TB, files map[string][]byte) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, b := range files {
		require.NoError(tb, os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o600))
	}
	return dir
}

// reopened closes nothing: it opens a directory, looks at everything and closes it again.
func reopened(tb testing.TB, dir string) everything {
	tb.Helper()
	s, err := embeddedstore.Open(embeddedstore.Config{Path: dir})
	require.NoError(tb, err)
	defer func() { require.NoError(tb, s.Close()) }()
	return all(tb, s)
}

func openError(dir string) error {
	s, err := embeddedstore.Open(embeddedstore.Config{Path: dir})
	if err == nil {
		_ = s.Close()
	}
	return err
}

// update asks for another TTL.
func update(k sessions.Key, ttl time.Duration) sessions.UpdateRequest {
	return sessions.UpdateRequest{Key: k, TTL: &ttl}
}

// touch sends touches and returns the indices of the stale ones.
func touch(tb testing.TB, s *embeddedstore.Store, touches ...sessions.Touch) []int {
	tb.Helper()
	stale, err := s.Touch(tb.Context(), touches)
	require.NoError(tb, err)
	return stale
}
