package sessions_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

var both = []sessions.State{sessions.Active, sessions.Ended}

func TestWalkGoesThroughQualifiersAndStates(t *testing.T) {
	all := []string{
		"blue/a1 active", "blue/a2 active", "blue/e1 ended", "blue/e2 ended",
		"green/a1 active", "green/a2 active", "green/e1 ended", "green/e2 ended",
	}
	active, ended := []string{all[0], all[1], all[4], all[5]}, []string{all[2], all[3], all[6], all[7]}
	for _, c := range []struct {
		name  string
		query sessions.WalkQuery
		want  []string
	}{
		{"all", sessions.WalkQuery{States: both}, all},
		{"of one qualifier", sessions.WalkQuery{Qualifier: "green", States: both}, all[4:]},
		{"active", sessions.WalkQuery{States: both[:1]}, active},
		{"ended", sessions.WalkQuery{States: both[1:]}, ended},
		{"ended first", sessions.WalkQuery{States: []sessions.State{sessions.Ended, sessions.Active}}, slices.Concat(all[2:4], all[0:2], all[6:8], all[4:6])},
		{"of one instance", sessions.WalkQuery{Version: "LATEST", Instance: "b", States: both}, []string{all[4], all[5], all[0], all[1]}},
		{"of one instance and qualifier", sessions.WalkQuery{Version: "LATEST", Instance: "a", Qualifier: "green", States: both}, all[6:]},
		{"of one ID", sessions.WalkQuery{ID: "e1", States: both}, []string{all[2], all[6]}},
		{"of one ID and qualifier", sessions.WalkQuery{ID: "a2", Qualifier: "green", States: both}, all[5:6]},
		{"of no state", sessions.WalkQuery{}, nil},
		{"of an unknown qualifier", sessions.WalkQuery{Qualifier: "red", States: both}, nil},
	} {
		for limit := 1; limit <= 9; limit++ {
			t.Run(fmt.Sprintf("%s, by %d", c.name, limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := sample(t)
					c.query.Limit = limit
					got, lengths := r.walk(t, c.query)
					if c.query.Instance != "" { // the Active ones are in an order of the store's
						require.ElementsMatch(t, c.want, got)
					} else {
						require.Equal(t, c.want, got)
					}
					require.Len(t, lengths, max(1, (len(c.want)+limit-1)/limit), "full pages, and no empty one: %v", lengths)
				})
			})
		}
	}
}

func TestWalkThroughTheRecordsOfAnID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords(t)
		var want []string
		for range 7 {
			r.end(t, r.pin(t, "blue", "s", time.Hour), true)
			want = append(want, "blue/s ended")
		}
		r.pin(t, "blue", "s", time.Hour)
		time.Sleep(time.Microsecond)
		for limit := 1; limit < 10; limit++ {
			got, lengths := r.walk(t, sessions.WalkQuery{ID: "s", States: both, Limit: limit})
			require.Equal(t, append([]string{"blue/s active"}, want...), got)
			require.Len(t, lengths, (8+limit-1)/limit)
		}
	})
}

func TestWalkListsDeletedOnesOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords(t)
		s := r.pin(t, "blue", "s", time.Hour)
		_, err := r.Touch(t.Context(), []sessions.Touch{{Key: s.Key, Epoch: s.Epoch, InFlight: true}})
		require.NoError(t, err)
		r.end(t, s, false)
		got, _ := r.walk(t, sessions.WalkQuery{States: both, Limit: 10})
		require.Empty(t, got)
		got, _ = r.walk(t, sessions.WalkQuery{States: both, Limit: 10, Deleted: true})
		require.Equal(t, []string{"blue/s ending"}, got)
	})
}

// sparse is a store whose pages are short, as they may be.
type sparse struct{ *records }

func (s sparse) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	page, err := s.records.List(ctx, q)
	page.Sessions = nil
	return page, err
}

func TestWalkAsksABoundedNumberOfTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecords(t)
		for i := range 30 {
			r.pin(t, "blue", fmt.Sprint(i), time.Hour)
		}
		q, calls, pages := sessions.WalkQuery{Function: "f", States: both, Limit: 1}, 0, 0
		for ; pages == 0 || q.After != ""; pages++ {
			page, err := sessions.Walk(t.Context(), sparse{r}, q)
			require.NoError(t, err)
			require.Empty(t, page.Sessions)
			require.LessOrEqual(t, r.calls-calls, 4+2)
			q.After, calls = page.Cursor, r.calls
		}
		require.Equal(t, 6, pages, "but it gets on")
	})
}

func TestWalkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := sample(t)
		broken := errors.New("broken")
		q := sessions.WalkQuery{Function: "f", States: both, Limit: 3}
		r.fail = func(call int) error { return map[int]error{2: broken}[call] }
		_, err := sessions.Walk(t.Context(), r, q)
		require.ErrorIs(t, err, broken)

		r.calls, r.fail = 0, func(call int) error { return map[int]error{2: broken}[call] }
		q.Limit = 2
		page, err := sessions.Walk(t.Context(), r, q)
		require.NoError(t, err, "the page is there; only whether it is the last is not known")
		require.Len(t, page.Sessions, 2)
		require.NotEmpty(t, page.Cursor)
	})
}

func TestWalkRefusesACursorOfAnotherQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := sample(t)
		q := sessions.WalkQuery{Function: "f", States: both, Limit: 1}
		page, err := sessions.Walk(t.Context(), r, q)
		require.NoError(t, err)
		for _, other := range []sessions.WalkQuery{
			{States: both[1:], After: page.Cursor},
			{Qualifier: "green", States: both, After: page.Cursor},
			{Version: "LATEST", Instance: "a", States: both, After: page.Cursor},
			{States: both, After: page.Cursor[1:]},
			{States: both, ID: "a1", After: page.Cursor}, // its inner cursor is an epoch
		} {
			other.Function = "f"
			_, err = sessions.Walk(t.Context(), r, other)
			require.ErrorIs(t, err, sessions.ErrCursor, "%+v", other)
		}
	})
}
