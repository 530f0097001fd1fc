package main_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// witness remembers of each session the last response that a client got: what the proxy has acknowledged.
type witness struct {
	mu    sync.Mutex
	known map[string]reply
}

func (w *witness) saw(id string, r reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[id] = r
}

func (w *witness) snapshot() map[string]reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.known)
}

// lost returns the sessions that are not where their last response came from: the same instance and epoch, and the
// state there counts on. It may have counted a request whose response was lost with the proxy.
func (w *witness) lost(p *process, ids []string) (lost []string) {
	client, known := newClient(), w.snapshot()
	var mu sync.Mutex
	inParallel(16, slices.Values(ids), func(id string) {
		r, err := good(client, p.listen, id)
		last := known[id]
		if err == nil && r.Instance == last.Instance && r.Start == last.Start && r.epoch == last.epoch && r.Count > last.Count {
			w.saw(id, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		lost = append(lost, fmt.Sprintf("%s: had %s, has %v (%v)", id, last.body, r, err))
	})
	return lost
}

const (
	killWorkers = 8
	// killThink is between the sessions of a worker: what counts is that many are under way when the process is killed, not
	// how many there were before.
	killThink = 2 * time.Millisecond
	// killWindow is within which a process that has come up is killed.
	killWindow = 400 * time.Millisecond
)

// loadAndKill uses new sessions, and in between those of before, until the process is killed at a random moment. It
// returns the new sessions that a client got a response of.
func (w *witness) loadAndKill(t *testing.T, p *process, round int) (fresh []string) {
	t.Helper()
	before := slices.Collect(maps.Keys(w.snapshot()))
	client := newClient()
	var mu sync.Mutex
	var workers sync.WaitGroup
	for n := range killWorkers {
		workers.Go(func() {
			for i := 0; ; i++ {
				time.Sleep(killThink)
				id := fmt.Sprintf("r%d-w%d-%d", round, n, i)
				r, err := good(client, p.listen, id)
				if err != nil {
					return // killed; that nothing fails before is checked below
				}
				w.saw(id, r)
				mu.Lock()
				fresh = append(fresh, id)
				mu.Unlock()
				if len(before) == 0 || i%4 != 0 {
					continue
				}
				// Its count may go up by more than this request: what is checked later is that it does.
				if _, err := good(client, p.listen, before[rand.IntN(len(before))]); err != nil {
					return
				}
			}
		})
	}
	time.Sleep(rand.N(killWindow))
	select {
	case <-p.done:
		require.Fail(t, "it ended before it was killed", p.stderr.tail())
	default:
	}
	p.kill()
	workers.Wait()
	return fresh
}

// survive kills the proxy again and again, and looks after each restart for the sessions of the last round, at the
// end for those of all.
func survive(t *testing.T, kills int, file string) {
	t.Helper()
	w := &witness{known: map[string]reply{}}
	p := serve(t, file)
	for round := range kills {
		fresh := w.loadAndKill(t, p, round)
		p = serve(t, file)
		require.Empty(t, w.lost(p, fresh))
	}
	all := slices.Collect(maps.Keys(w.snapshot()))
	require.Greater(t, len(all), 10*kills, "under load")
	require.Empty(t, w.lost(p, all))
	t.Logf("%d kills, %d sessions", kills, len(all))
}

func TestNoAcknowledgedSessionIsLostByKill9(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		survive(t, 20, setup{
			store:     fmt.Sprintf("{kind: embedded, path: %q}", filepath.Join(t.TempDir(), "store")),
			functions: []function{{instances: samples(t, 4)}},
		}.file(t))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		redis := redistest.Standalone(t, redistest.Options{})
		survive(t, 5, setup{
			store:     fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr),
			functions: []function{{instances: samples(t, 4)}},
		}.file(t))
	})
}

// TestTheWitnessSeesALoss proves that the test above can fail: in memory, sessions do not survive.
func TestTheWitnessSeesALoss(t *testing.T) {
	t.Parallel()
	file := setup{functions: []function{{instances: samples(t, 4)}}}.file(t)
	client := newClient()
	p := serve(t, file)
	before, err := good(client, p.listen, "id")
	require.NoError(t, err)
	w := &witness{known: map[string]reply{"id": before}}
	p.kill()
	p = serve(t, file)
	require.Len(t, w.lost(p, []string{"id"}), 1)
	p.kill()
	p = serve(t, file)
	after, err := good(client, p.listen, "id")
	require.NoError(t, err)
	require.Greater(t, after.epoch, before.epoch, "a later pin has a greater epoch, also after a loss of data")
	require.Equal(t, 1, after.Count)
	require.Equal(t, "created", after.event())
}
