package load

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// clients take and give sessions, n at once, each for as long as use says, until ctx is done.
func clients(ctx context.Context, d *deck, n int, use func(s, ended *session)) *sync.WaitGroup {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for {
				s, ended, err := d.take(ctx)
				if err != nil {
					return
				}
				use(s, ended)
				d.give(s, time.Now())
			}
		})
	}
	return &all
}

// TestNoSessionIsUsedByTwo, whatever the number of clients and sessions, with churn and thought; and each has exactly
// the requests that it may, however it ends.
func TestNoSessionIsUsedByTwo(t *testing.T) {
	for name, plan := range map[string]Plan{
		"plain":        {},
		"churn":        {SessionRequests: 3},
		"age":          {SessionLife: Span{0, time.Millisecond}},
		"both":         {SessionRequests: 3, SessionLife: Span{time.Microsecond, time.Millisecond}},
		"with thought": {SessionRequests: 3, SessionLife: Span{time.Microsecond, time.Millisecond}, Think: Span{0, 100 * time.Microsecond}},
	} {
		for _, sessions := range []int{1, 7, 100} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				d := newTestDeck(t, sessions, plan)
				var mu sync.Mutex
				inUse, uses, over := map[*session]bool{}, map[*session]int{}, map[*session]bool{}
				total := 0
				clients(ctx, d, 20, func(s, ended *session) {
					mu.Lock()
					defer func() {
						inUse[s] = false
						mu.Unlock()
					}()
					if total++; total >= 3000 {
						cancel()
					}
					if inUse[s] || over[s] || ended != nil && (inUse[ended] || over[ended]) {
						t.Error("a session is used by two, or after its end")
					}
					if ended != nil {
						over[ended] = true
					}
					inUse[s] = true
					if uses[s]++; plan.SessionRequests > 0 && uses[s] > plan.SessionRequests {
						t.Error("a session has more requests than it may")
					}
					mu.Unlock()
					time.Sleep(time.Microsecond)
					mu.Lock()
				}).Wait()
				require.GreaterOrEqual(t, total, 3000)
				require.Equal(t, sessions, d.held(), "all are back")
				require.Empty(t, d.waiting)
				for s, n := range uses {
					switch {
					case over[s], plan.SessionLife.Most > 0:
					case plan.SessionRequests > 0 && len(alive(d, map[*session]int{s: 1})) == 0:
						require.Equal(t, plan.SessionRequests, n, "it ended before its last request")
					}
				}
			})
		}
	}
}

// TestClosedThoughtIsHonoured to the nanosecond: no session is used before it has thought, and, where clients wait, none
// waits longer.
func TestClosedThoughtIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		d := newDeck(&Plan{Think: Span{time.Second, time.Second}})
		d.allow(10, time.Now())
		var mu sync.Mutex
		back, total := map[*session]time.Time{}, 0
		clients(ctx, d, 25, func(s, _ *session) {
			mu.Lock()
			defer mu.Unlock()
			total++
			if last, known := back[s]; known && time.Since(last) != time.Second {
				t.Errorf("it rested %v", time.Since(last))
			}
			mu.Unlock()
			time.Sleep(time.Second / 2)
			mu.Lock()
			back[s] = time.Now()
		}).Wait()
		require.Equal(t, 10*40, total, "each one 1.5 s after the one before it")
	})
}

// TestEveryoneWaitsOnlyAsLongAsNeeded: thoughts of different lengths, more clients than sessions, and sessions that come
// later. A client that is not told of one would show as time.
func TestEveryoneWaitsOnlyAsLongAsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeck(&Plan{Think: Span{time.Millisecond, 3 * time.Second}})
		d.allow(3, time.Now())
		var used atomic.Int32
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		all := clients(ctx, d, 40, func(_, _ *session) { used.Add(1) })
		for range 1000 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			d.mu.Lock()
			require.Empty(t, d.ready, "clients wait, so nothing lies ready")
			for _, r := range d.thinking {
				require.True(t, r.until.After(time.Now()))
			}
			d.mu.Unlock()
		}
		before := used.Load()
		d.allow(30, time.Now())
		synctest.Wait()
		require.Equal(t, before+27, used.Load(), "new ones are used at once")
		cancel()
		all.Wait()
		require.Empty(t, d.waiting)
	})
}

// TestOneIsToldForEachSession, all at once; and of those that wait only the one in front looks at the clock.
func TestOneIsToldForEachSession(t *testing.T) {
	d := newTestDeck(t, 1, Plan{Think: Span{time.Second, time.Second}})
	s, _ := d.tryTake(start())
	d.give(s, start())
	var all []*waiter
	for n := range 4 {
		w := &waiter{told: make(chan struct{}, 1)}
		got, _, wait := d.takeOrQueue(w, start())
		require.Nil(t, got)
		require.Equal(t, []time.Duration{time.Second, longWait, longWait, longWait}[n], wait)
		all = append(all, w)
	}
	d.allow(3, start())
	for n, w := range all {
		require.Len(t, w.told, []int{1, 1, 0, 0}[n], "waiter %d", n)
	}
	for _, w := range all[:2] {
		got, _, _ := d.takeOrQueue(w, start())
		require.NotNil(t, got)
	}
	// One that was told in vain is in front again, and looks at the clock.
	d.leave(all[0])
	require.Len(t, all[2].told, 1)
	_, _, wait := d.takeOrQueue(all[2], start())
	require.Equal(t, time.Second, wait)
	require.Equal(t, []*waiter{all[2], all[3]}, d.waiting)
}

// TestWhoGivesUpPassesItsPlaceOn: the waiter in front is the one that looks at the clock.
func TestWhoGivesUpPassesItsPlaceOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeck(&Plan{Think: Span{time.Second, time.Second}})
		d.allow(1, time.Now())
		s, _, err := d.take(t.Context())
		require.NoError(t, err)
		d.give(s, time.Now())
		began := time.Now()

		ctx, cancel := context.WithCancel(t.Context())
		var gaveUp, got sync.WaitGroup
		gaveUp.Go(func() {
			_, _, err := d.take(ctx)
			if err == nil {
				t.Error("it was taken before its thought was over")
			}
		})
		synctest.Wait()
		got.Go(func() {
			if _, _, err := d.take(t.Context()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		gaveUp.Wait()
		got.Wait()
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestTakeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := newTestDeck(t, 1, Plan{})
	_, _, err := d.take(ctx)
	require.NoError(t, err)
	time.AfterFunc(10*time.Millisecond, cancel)
	_, _, err = d.take(ctx) // none is left
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, d.waiting)

	d = newTestDeck(t, 1, Plan{})
	_, _, err = d.take(ctx)
	require.ErrorIs(t, err, context.Canceled, "though one is ready")
}
