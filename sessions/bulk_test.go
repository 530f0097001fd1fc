package sessions_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

// tally counts what a table asks its store for.
type tally struct {
	*store
	rehomes, moved, others atomic.Int64
}

func (s *tally) Rehome(ctx context.Context, r sessions.RehomeRequest) (sessions.Session, error) {
	s.rehomes.Add(1)
	got, err := s.store.Rehome(ctx, r)
	if err == nil {
		s.moved.Add(1)
	}
	return got, err
}

func (s *tally) End(ctx context.Context, ended sessions.Session, keep bool) (sessions.Session, error) {
	s.others.Add(1)
	return s.store.End(ctx, ended, keep)
}

func (s *tally) List(ctx context.Context, q sessions.Query) (sessions.Page, error) {
	s.others.Add(1)
	return s.store.List(ctx, q)
}

// calls are all that are not those of touches.
func (s *tally) calls() int64 { return s.pins.Load() + s.rehomes.Load() + s.others.Load() }

// bulk is an instance a with many sessions and two others with a few, all of them known to one replica.
type bulk struct {
	*sessions.Table
	pool  *pool
	store *tally
	ids   map[sessions.Home][]string
}

const bulkLost, bulkOthers = 10_000, 1000

func newBulk(t testing.TB) *bulk {
	t.Helper()
	r := rules()
	r.PerInstance = bulkLost + bulkOthers
	w := &bulk{pool: newPool("a"), store: &tally{store: newBench(t, r, sessions.CacheConfig{}).store}, ids: map[sessions.Home][]string{}}
	w.Table = sessions.NewTable(sessions.TableConfig{
		Rules: r, Cache: sessions.NewCache(sessions.CacheConfig{Size: 4 * bulkLost, Life: time.Hour}), Store: w.store, Pool: w.pool,
	})
	w.fill(t, bulkLost)
	w.pool.candidates = newPool("b", "c").candidates
	w.fill(t, 2*bulkOthers)
	require.Len(t, w.ids[home("a")], bulkLost)
	return w
}

// fill makes n more sessions.
func (w *bulk) fill(t testing.TB, n int) {
	for range n {
		id := fmt.Sprint("s", w.store.pins.Load())
		h := w.ask(t, id).Home
		w.ids[h] = append(w.ids[h], id)
	}
}

// ask is one request of a session that is answered.
func (w *bulk) ask(t testing.TB, id string) sessions.Session {
	u, err := w.Use(t.Context(), id)
	if err != nil {
		t.Error(id, err)
		return sessions.Session{}
	}
	defer u.Release()
	u.Delivered()
	return *u.Session()
}

// TestBulkLossMovesLazily: an instance with 10,000 sessions is lost. Nothing happens to a session before somebody asks for it;
// then it is moved once, however many ask. The survivors get equal parts, and their own sessions cost nothing.
func TestBulkLossMovesLazily(t *testing.T) {
	w := newBulk(t)
	w.pool.set(home("a"), sessions.HomeLost)
	before := w.store.calls()
	for _, survivor := range []string{"b", "c"} {
		for _, id := range w.ids[home(survivor)] {
			require.Equal(t, home(survivor), w.ask(t, id).Home)
		}
	}
	require.Equal(t, before, w.store.calls(), "nobody walks over the lost sessions, and the others are known")
	to := w.move(t, 3)
	require.EqualValues(t, bulkLost, w.store.moved.Load(), "one move for each session")
	require.Equal(t, before+w.store.rehomes.Load(), w.store.calls(), "and nothing else is asked")
	require.Less(t, w.store.rehomes.Load(), int64(bulkLost*3/2), "nearly all who come together ask once")
	require.InDelta(t, bulkLost/2, to["b"], bulkLost/50, "%v", to)
	require.Equal(t, bulkLost, to["b"]+to["c"])
}

// move has several clients at once ask for each of a's sessions, and returns how many of them went where.
func (w *bulk) move(t *testing.T, clients int) (to map[string]int) {
	var mu sync.Mutex
	to = map[string]int{}
	var requests sync.WaitGroup
	for part := range slices.Chunk(w.ids[home("a")], bulkLost/20) {
		for client := range clients {
			requests.Go(func() {
				for _, id := range part {
					s := w.ask(t, id)
					mu.Lock()
					if client == 0 {
						to[s.Home.ID]++
					}
					mu.Unlock()
				}
			})
		}
	}
	requests.Wait()
	return to
}

// BenchmarkOthersDuringBulkLoss is the look-up of sessions whose home lives, while nothing happens and while another
// instance's sessions are moved without a pause: the ratio of the two p99 in one run is what the others notice.
func BenchmarkOthersDuringBulkLoss(b *testing.B) {
	b.Run("quiet", func(b *testing.B) { newBulk(b).others(b) })
	b.Run("moving", func(b *testing.B) {
		w := newBulk(b)
		stop := make(chan struct{})
		var mover sync.WaitGroup
		mover.Go(func() {
			from, to := home("a"), home("b")
			for {
				w.pool.set(from, sessions.HomeLost)
				for _, id := range w.ids[home("a")] {
					select {
					case <-stop:
						return
					default:
						w.ask(b, id)
					}
				}
				w.pool.set(from, sessions.HomeUp)
				from, to = to, from
			}
		})
		w.others(b)
		close(stop)
		mover.Wait()
	})
}

// others uses the sessions of c.
func (w *bulk) others(b *testing.B) {
	ids := w.ids[home("c")]
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		began := time.Now()
		w.ask(b, ids[i%len(ids)])
		took = append(took, time.Since(began))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
}
