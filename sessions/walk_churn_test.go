package sessions_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// churn makes, uses, changes, moves and ends sessions of few IDs until ctx is done.
func (r *records) churn(ctx context.Context, t testing.TB, rnd *rand.Rand) {
	for ctx.Err() == nil {
		time.Sleep(time.Duration(rnd.IntN(300)) * time.Microsecond)
		k := sessions.Key{Function: "f", Qualifier: []string{"blue", "green"}[rnd.IntN(2)], ID: fmt.Sprint("churn", rnd.IntN(20))}
		place := sessions.Placement{Candidates: []sessions.Home{home("a"), home("b")}, PerInstance: 1 << 20}
		s, _, err := r.Store.Pin(ctx, sessions.PinRequest{
			Key: k, Settings: sessions.Settings{TTL: time.Duration(1+rnd.IntN(20)) * time.Millisecond}, Placement: place,
		})
		if err == nil {
			switch rnd.IntN(6) {
			case 0, 1:
				_, err = r.End(ctx, s, true)
			case 2:
				_, err = r.Touch(ctx, []sessions.Touch{{Key: k, Epoch: s.Epoch, InFlight: true}})
			case 3:
				ttl := time.Duration(1+rnd.IntN(40)) * time.Millisecond
				_, err = r.Update(ctx, sessions.UpdateRequest{Key: k, TTL: &ttl})
			case 4:
				_, err = r.Rehome(ctx, sessions.RehomeRequest{Session: s, Certain: true, Placement: place})
			case 5:
				_, err = r.Sweep(ctx, "f")
			}
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, sessions.ErrNotFound) && !errors.Is(err, sessions.ErrMoved) {
			t.Errorf("churn: %v", err)
			return
		}
	}
}

func TestWalkUnderChurn(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			r := newRecords(t)
			var stable []sessions.Key
			for i := range 60 {
				id := fmt.Sprint("stable", i)
				stable = append(stable, r.pin(t, []string{"blue", "green"}[i%2], id, time.Hour, home("a")).Key)
				r.pin(t, "blue", fmt.Sprint("churn", i%20), 5*time.Millisecond)
			}
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for i := range uint64(4) {
				wg.Go(func() { r.churn(ctx, t, rand.New(rand.NewPCG(seed, i))) })
			}
			rnd := rand.New(rand.NewPCG(seed, 99))
			r.before = func(int) { time.Sleep(time.Duration(rnd.IntN(400)) * time.Microsecond) }
			for _, q := range []sessions.WalkQuery{
				{States: both}, {Qualifier: "blue", States: both}, {Version: "LATEST", Instance: "a", States: both},
				{States: []sessions.State{sessions.Ended, sessions.Active}},
			} {
				q.Function, q.Limit = "f", 1+rnd.IntN(9)
				if q.States[0] == sessions.Ended {
					q.Limit = 50 // or sessions would end faster than the walk reads
				}
				seen := r.seen(t, q)
				for _, k := range stable {
					if q.Qualifier == "" || q.Qualifier == k.Qualifier {
						require.True(t, seen[k], "seed %d: %+v is missing from %+v", seed, k, q)
					}
				}
			}
			stop()
			wg.Wait()
		})
	}
}

// seen walks and returns whose sessions it saw; none twice.
func (r *records) seen(t testing.TB, q sessions.WalkQuery) map[sessions.Key]bool {
	t.Helper()
	type identity struct {
		sessions.Key
		epoch uint64
	}
	twice, seen := map[identity]bool{}, map[sessions.Key]bool{}
	for n := 0; n == 0 || q.After != ""; n++ {
		require.Less(t, n, 1000, "the walk ends")
		page, err := sessions.Walk(t.Context(), r, q)
		require.NoError(t, err)
		for _, s := range page.Sessions {
			id := identity{s.Key, s.Epoch}
			require.False(t, twice[id], "twice: %+v", s)
			twice[id], seen[s.Key] = true, true
		}
		q.After = page.Cursor
	}
	return seen
}
