package storetest

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

const (
	longLife  = time.Hour              // of sessions that shall outlive their check
	shortLife = 150 * time.Millisecond // of sessions that shall expire in it
	patience  = 10 * time.Second       // bounds every wait; only a failing check spends it
	tick      = 5 * time.Millisecond   // between two looks
	grain     = 2 * time.Millisecond   // stores keep times in µs or ms
)

// world is one function on the store under test, with a pool of instances that the registry knows to be healthy.
type world struct {
	testing.TB
	sessions.Store
	fn    string
	homes []sessions.Home
}

// newWorld opens a store and reports the instances named.
func newWorld(tb testing.TB, h Harness, ids ...string) *world {
	tb.Helper()
	return worldOn(tb, h.Open(tb), ids...)
}

// worldOn makes a world on a store that is open already.
func worldOn(tb testing.TB, s sessions.Store, ids ...string) *world {
	tb.Helper()
	w := &world{TB: tb, Store: s, fn: uniqueName()}
	if len(ids) > 0 {
		w.homes = homesOf(w.healthy(ids...))
	}
	return w
}

// replicas returns n stores that share their data.
func (h Harness) replicas(tb testing.TB, n int) []sessions.Store {
	tb.Helper()
	if h.Replicas != nil {
		return h.Replicas(tb, n)
	}
	s := h.Open(tb)
	all := make([]sessions.Store, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// uniqueName returns a name that no other check, and no earlier run on the same server, has used.
func uniqueName() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return "f" + hex.EncodeToString(b)
}

func homesOf(records []sessions.InstanceRecord) []sessions.Home {
	homes := make([]sessions.Home, len(records))
	for i, r := range records {
		homes[i] = r.Home
	}
	return homes
}

// up is the report of a healthy instance without a start nonce.
func up(id string) sessions.InstanceReport {
	return sessions.InstanceReport{ID: id, URL: "http://" + id + ".test", Health: sessions.HealthUp}
}

// started is the report of a healthy instance with a start nonce.
func started(id, nonce string) sessions.InstanceReport {
	r := up(id)
	r.Start = nonce
	return r
}

// is is the report of an instance's health without more.
func is(id string, health sessions.Health) sessions.InstanceReport {
	r := up(id)
	r.Health = health
	return r
}

func (w *world) healthy(ids ...string) []sessions.InstanceRecord {
	w.Helper()
	all := make([]sessions.InstanceReport, len(ids))
	for i, id := range ids {
		all[i] = up(id)
	}
	return w.report(sessions.Report{Instances: all})
}

// report reports as this function's LatestQualifier pool, unless r names a version.
func (w *world) report(r sessions.Report) []sessions.InstanceRecord {
	w.Helper()
	r.Function = w.fn
	if r.Version == "" {
		r.Version = sessions.LatestQualifier
	}
	got, err := w.Report(w.Context(), r)
	require.NoError(w, err)
	require.Len(w, got, len(r.Instances))
	return got
}

// say reports one instance and returns its record.
func (w *world) say(r sessions.InstanceReport) sessions.InstanceRecord {
	w.Helper()
	return w.report(sessions.Report{Instances: []sessions.InstanceReport{r}})[0]
}

// lose reports an instance lost until the store believes it.
func (w *world) lose(id string) sessions.InstanceRecord {
	w.Helper()
	var got sessions.InstanceRecord
	w.until("instance is lost", func() bool {
		got = w.report(sessions.Report{AliveWithin: time.Millisecond, Instances: []sessions.InstanceReport{is(id, sessions.HealthLost)}})[0]
		return !got.LostAt.IsZero()
	})
	return got
}

func (w *world) key(id string) sessions.Key {
	return sessions.Key{Function: w.fn, Qualifier: sessions.LatestQualifier, ID: id}
}

// request asks for a long-lived session on any instance of the pool.
func (w *world) request(id string) sessions.PinRequest {
	return sessions.PinRequest{
		Key: w.key(id), Settings: sessions.Settings{TTL: longLife},
		Affinity: sessions.AffinityHeader, Placement: w.anywhere(),
	}
}

func (w *world) anywhere() sessions.Placement {
	return sessions.Placement{Candidates: w.homes, PerInstance: 1000}
}

// pin pins a session that must not exist yet.
func (w *world) pin(r sessions.PinRequest) sessions.Session {
	w.Helper()
	s, created, err := w.Pin(w.Context(), r)
	require.NoError(w, err)
	require.True(w, created, "session %s existed", r.ID)
	return s
}

// pinShort pins a session that expires after shortLife.
func (w *world) pinShort(id string) sessions.Session {
	w.Helper()
	r := w.request(id)
	r.TTL = shortLife
	return w.pin(r)
}

func (w *world) get(id string) sessions.Session {
	w.Helper()
	s, err := w.Get(w.Context(), w.key(id))
	require.NoError(w, err)
	return s
}

func (w *world) end(s sessions.Session, keep bool) sessions.Session {
	w.Helper()
	ended, err := w.End(w.Context(), s, keep)
	require.NoError(w, err)
	return ended
}

// instance returns the registry's record of a place.
func (w *world) instance(version, id string) sessions.InstanceRecord {
	w.Helper()
	all, err := w.Instances(w.Context(), w.fn)
	require.NoError(w, err)
	for _, r := range all {
		if r.Version == version && r.ID == id {
			return r
		}
	}
	require.Fail(w, "no record of instance "+version+"/"+id)
	return sessions.InstanceRecord{}
}

// load returns how many sessions the registry counts on an instance of the pool.
func (w *world) load(id string) int {
	w.Helper()
	return w.instance(sessions.LatestQualifier, id).Sessions
}

// list walks the listing of this function's LatestQualifier in pages.
func (w *world) list(state sessions.State, limit int) []sessions.Session {
	w.Helper()
	return w.walk(sessions.Query{Qualifier: sessions.LatestQualifier, State: state, Limit: limit})
}

// walk walks a whole listing of this function in pages.
func (w *world) walk(q sessions.Query) []sessions.Session {
	w.Helper()
	q.Function = w.fn
	var all []sessions.Session
	for {
		page, err := w.List(w.Context(), q)
		require.NoError(w, err)
		require.LessOrEqual(w, len(page.Sessions), q.Limit)
		all = append(all, page.Sessions...)
		if page.Cursor == "" {
			return all
		}
		require.NotEqual(w, q.After, page.Cursor, "the cursor does not move")
		q.After = page.Cursor
	}
}

// same asserts that two copies are of one unchanged session; when they were read does not matter.
func (w *world) same(want, got sessions.Session) {
	w.Helper()
	for _, s := range []*sessions.Session{&want, &got} {
		s.ReadAt = time.Time{}
		s.CreatedAt, s.ModifiedAt = s.CreatedAt.UTC(), s.ModifiedAt.UTC()
		s.EndedAt, s.Deadline = s.EndedAt.UTC(), s.Deadline.UTC()
	}
	require.Equal(w, want, got)
}

// sameRecord asserts that two copies of an instance's record say the same, the second read after the first.
func (w *world) sameRecord(want, got sessions.InstanceRecord) {
	w.Helper()
	require.False(w, got.ReadAt.Before(want.ReadAt))
	got.ReadAt = want.ReadAt
	require.Equal(w, want, got)
}

func numbered(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = prefix + strconv.Itoa(i)
	}
	return ids
}
