package sessions_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// The two interleavings that Walk's doc speaks of, and those that a session may go through between two pages.
func TestWalkListsNoSessionTwice(t *testing.T) {
	for _, c := range []struct {
		name    string
		between func(t *testing.T, r *records, first sessions.Session)
	}{
		{"it ends", func(t *testing.T, r *records, s sessions.Session) { r.end(t, s, true) }},
		{"it ends within the same µs", func(t *testing.T, r *records, s sessions.Session) {
			_, err := r.End(t.Context(), s, true)
			require.NoError(t, err)
		}},
		{"it expires", func(t *testing.T, r *records, _ sessions.Session) {
			time.Sleep(2 * time.Minute)
			_, err := r.Sweep(t.Context(), "f")
			require.NoError(t, err)
		}},
		{"an update ends it", func(t *testing.T, r *records, s sessions.Session) {
			ttl := time.Millisecond
			_, err := r.Update(t.Context(), sessions.UpdateRequest{Key: s.Key, TTL: &ttl})
			require.NoError(t, err)
		}},
		{"it ends and comes again", func(t *testing.T, r *records, s sessions.Session) {
			r.end(t, s, true)
			r.pin(t, "blue", s.ID, time.Hour)
		}},
	} {
		for _, id := range []string{"", "first"} {
			t.Run(c.name+map[bool]string{true: ", by ID"}[id != ""], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRecords(t)
					r.end(t, r.pin(t, "blue", "first", time.Minute), true)
					first := r.pin(t, "blue", "first", time.Minute)
					r.pin(t, "blue", "second", time.Hour)
					time.Sleep(time.Second)
					seen := map[uint64]int{}
					q := sessions.WalkQuery{Function: "f", ID: id, States: both, Limit: 1}
					for n := 0; n == 0 || q.After != ""; n++ {
						page, err := sessions.Walk(t.Context(), r, q)
						require.NoError(t, err)
						for _, s := range page.Sessions {
							seen[s.Epoch]++
						}
						if q.After = page.Cursor; n == 0 {
							c.between(t, r, first)
						}
					}
					require.Equal(t, 1, seen[first.Epoch])
					for epoch, n := range seen {
						require.Equal(t, 1, n, "%d", epoch)
					}
				})
			})
		}
	}
}

// unswept is a store that lists an expired session as Active until swept.
type unswept struct {
	*records
	expired sessions.Session
}

func (u *unswept) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	page, err := u.records.List(ctx, q)
	if u.expired.State == q.State {
		u.expired.ReadAt = time.Now()
		page.Sessions = append([]sessions.Session{u.expired}, page.Sessions...)
	}
	return page, err
}

func TestWalkLeavesOutWhatOnlyNobodyHasSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords(t)
		u := &unswept{records: r, expired: r.pin(t, "blue", "s", time.Minute)}
		r.end(t, u.expired, false)
		r.pin(t, "blue", "other", time.Hour)
		time.Sleep(2 * time.Minute)
		page, err := sessions.Walk(t.Context(), u, sessions.WalkQuery{Function: "f", States: both, Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Sessions, 1, "the expired one is not Active")
		u.expired.State, u.expired.EndedAt = sessions.Ended, u.expired.Deadline // a sweep
		page, err = sessions.Walk(t.Context(), u, sessions.WalkQuery{Function: "f", States: both, Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Sessions, 2)
	})
}

// A store may give the end of the TTL as the time of an end that an update of the TTL brought.
func TestWalkLeavesOutWhatWasChangedSinceItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords(t)
		u := &unswept{records: r, expired: r.pin(t, "blue", "s", time.Hour)}
		r.end(t, u.expired, false)
		q := sessions.WalkQuery{Function: "f", States: both, Limit: 1}
		r.pin(t, "blue", "other", time.Hour)
		page, err := sessions.Walk(t.Context(), u, q)
		require.NoError(t, err)
		require.Equal(t, "s", page.Sessions[0].ID)
		q.After = page.Cursor
		time.Sleep(time.Second)
		u.expired.State, u.expired.EndedAt, u.expired.ModifiedAt = sessions.Ended, u.expired.CreatedAt, time.Now()
		q.Limit = 10
		page, err = sessions.Walk(t.Context(), u, q)
		require.NoError(t, err)
		for _, s := range page.Sessions {
			require.Equal(t, "other", s.ID)
		}
	})
}

func TestWalkWhileQualifiersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := sample(t)
		q := sessions.WalkQuery{Function: "f", States: both, Limit: 3} // to the Ended of blue
		page, err := sessions.Walk(t.Context(), r, q)
		require.NoError(t, err)
		q.Limit = 1
		var got []string
		vanishing := &without{records: r, qualifier: "blue"}
		r.pin(t, "aaa", "before", time.Hour)
		r.pin(t, "cyan", "between", time.Hour)
		r.pin(t, "zzz", "after", time.Hour)
		for q.After = page.Cursor; q.After != ""; q.After = page.Cursor {
			page, err = sessions.Walk(t.Context(), vanishing, q)
			require.NoError(t, err)
			for _, s := range page.Sessions {
				got = append(got, s.Qualifier+"/"+s.ID)
			}
		}
		require.Equal(t, []string{"cyan/between", "green/a1", "green/a2", "green/e1", "green/e2", "zzz/after"}, got)
	})
}

// without is a store that has forgotten a qualifier.
type without struct {
	*records
	qualifier string
}

func (w *without) Qualifiers(ctx context.Context, function string) ([]string, error) {
	all, err := w.Store.Qualifiers(ctx, function)
	return slices.DeleteFunc(slices.Clone(all), func(q string) bool { return q == w.qualifier }), err
}
