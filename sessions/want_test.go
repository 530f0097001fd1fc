package sessions_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// asked is what a table asked its pool's side for.
type asked struct {
	mu       sync.Mutex
	n        []int
	version  string // as the last one said
	occupied bool
}

func (a *asked) want(version string, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version = version
	a.n = append(a.n, n)
}

func (a *asked) all() []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n
}

// wanting is a bench whose only slot is taken, with a table that asks for more.
func wanting(t *testing.T, wait time.Duration) (*bench, *asked) {
	b, _ := full(t, wait)
	a := &asked{}
	b.Table = sessions.NewTable(sessions.TableConfig{
		Rules: b.Rules(), Cache: b.cache, Store: b.store, Pool: b.pool, Queue: sessions.NewQueue(), Want: a.want,
		Occupied: func() bool { return a.occupied },
	})
	return b, a
}

func TestSessionsWithoutRoomAskForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := wanting(t, 0)
		u := b.use(t, "first")
		u.Release()
		require.Empty(t, a.all(), "one that is there needs none")
		_, err := b.Use(t.Context(), "second")
		require.ErrorIs(t, err, sessions.ErrFull)
		require.Equal(t, []int{1}, a.all())
		_, err = b.UseExisting(t.Context(), "third")
		require.ErrorIs(t, err, sessions.ErrNotFound)
		require.Equal(t, []int{1}, a.all(), "it would not be made")
		_, _, err = b.Create(t.Context(), sessions.CreateRequest{ID: "fourth", Settings: sessions.Settings{TTL: time.Hour}})
		require.ErrorIs(t, err, sessions.ErrFull)
		require.Equal(t, []int{1, 1}, a.all())
		b.pool.set(home("a"), sessions.HomeGone)
		_, err = b.Use(t.Context(), "first")
		require.ErrorIs(t, err, sessions.ErrNoInstance)
		require.Equal(t, []int{1, 1, 1}, a.all(), "nor has one that moves")
		require.Equal(t, home("a").Version, a.version, "and it may have to stay with its version")
	})
}

func TestTheQueueAsksForAllThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, a := wanting(t, time.Minute)
		var waiting []<-chan error
		for _, id := range []string{"a1", "a2", "a3"} {
			waiting = append(waiting, b.join(t.Context(), id))
		}
		time.Sleep(time.Second)
		all := a.all()
		require.Equal(t, 3, all[len(all)-1])
		require.Greater(t, len(all), 5, "again and again")
		b.pool.set(home("b"), sessions.HomeUp)
		synctest.Wait()
		require.NoError(t, <-waiting[0])
		time.Sleep(time.Second)
		all = a.all()
		require.Equal(t, 2, all[len(all)-1])
		b.pool.set(home("c"), sessions.HomeUp)
		b.pool.set(home("d"), sessions.HomeUp)
		require.NoError(t, <-waiting[1])
		require.NoError(t, <-waiting[2])
	})
}

// Instances that are full are not such as are not healthy: the client is to hear which.
func TestOccupiedIsFull(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b, a := wanting(t, wait)
			b.pool.candidates = nil
			_, err := b.Use(t.Context(), "second")
			require.ErrorIs(t, err, sessions.ErrNoInstance)
			a.occupied = true
			_, err = b.Use(t.Context(), "second")
			require.ErrorIs(t, err, sessions.ErrFull)
		})
	}
}
