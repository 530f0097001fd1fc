package sessions_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

// records counts the calls of a walk, and may do something between them.
type records struct {
	sessions.Store
	calls  int
	before func(call int)
	fail   func(call int) error
}

func (r *records) called() error {
	r.calls++
	if r.before != nil {
		r.before(r.calls)
	}
	if r.fail != nil {
		return r.fail(r.calls)
	}
	return nil
}

func (r *records) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	if err := r.called(); err != nil {
		return sessions.Page{}, err
	}
	return r.Store.List(ctx, q)
}

func (r *records) History(ctx context.Context, k sessions.Key) ([]sessions.Session, error) {
	if err := r.called(); err != nil {
		return nil, err
	}
	return r.Store.History(ctx, k)
}

func newRecords(t testing.TB) *records {
	t.Helper()
	mem, err := embeddedstore.Open(embeddedstore.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mem.Close()) })
	return &records{Store: mem}
}

// pin makes a session of the qualifier, at a moment of its own.
func (r *records) pin(t testing.TB, qualifier, id string, ttl time.Duration, homes ...sessions.Home) sessions.Session {
	t.Helper()
	if homes == nil {
		homes = []sessions.Home{home("a")}
	}
	time.Sleep(time.Microsecond)
	s, _, err := r.Pin(t.Context(), sessions.PinRequest{
		Key: sessions.Key{Function: "f", Qualifier: qualifier, ID: id}, Settings: sessions.Settings{TTL: ttl},
		Placement: sessions.Placement{Candidates: homes, PerInstance: 1 << 20},
	})
	require.NoError(t, err)
	return s
}

func (r *records) end(t testing.TB, s sessions.Session, keep bool) {
	t.Helper()
	time.Sleep(time.Microsecond)
	_, err := r.End(t.Context(), s, keep)
	require.NoError(t, err)
}

// walk goes through all pages and returns what they had, and how long each was.
func (r *records) walk(t testing.TB, q sessions.WalkQuery) (all []string, lengths []int) {
	t.Helper()
	q.Function = "f"
	for {
		page, err := sessions.Walk(t.Context(), r, q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Sessions), q.Limit)
		lengths = append(lengths, len(page.Sessions))
		for _, s := range page.Sessions {
			all = append(all, fmt.Sprintf("%s/%s %v", s.Qualifier, s.ID, s.State))
		}
		if q.After = page.Cursor; q.After == "" {
			return all, lengths
		}
	}
}

// sample has two qualifiers with two Active and two Ended sessions each.
func sample(t testing.TB) *records {
	r := newRecords(t)
	for _, qualifier := range []string{"green", "blue"} {
		for _, id := range []string{"1", "2"} {
			r.end(t, r.pin(t, qualifier, "e"+id, time.Hour), true)
			r.pin(t, qualifier, "a"+id, time.Hour, home("b"))
		}
	}
	time.Sleep(time.Microsecond)
	return r
}
