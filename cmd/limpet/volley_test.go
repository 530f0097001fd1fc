package main_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

// volley is what each session was answered, through every replica at the same moment.
type volley struct {
	mu      sync.Mutex
	replies map[string][]reply // by session, then in the order of the replicas
	refused []reply            // before them
	err     error
}

// volleyWorkers are how many sessions are asked for at once.
const volleyWorkers = 8

// fire asks for each session through every replica before any has answered. A reply for which again is true is kept as
// refused, and its replica is asked once more.
func fire(t testing.TB, replicas []*process, ids []string, again func(reply) bool) *volley {
	t.Helper()
	v := &volley{replies: map[string][]reply{}}
	var workers sync.WaitGroup
	queue := make(chan string)
	for range volleyWorkers {
		var wires []*wire
		for _, p := range replicas {
			wires = append(wires, dial(t, p.listen))
		}
		workers.Go(func() {
			for id := range queue {
				v.ask(wires, id, again)
			}
		})
	}
	for _, id := range ids {
		queue <- id
	}
	close(queue)
	workers.Wait()
	require.NoError(t, v.err)
	return v
}

func (v *volley) ask(wires []*wire, id string, again func(reply) bool) {
	replies := make([]reply, len(wires))
	var refused []reply
	var err error
	for _, w := range wires {
		err = cmp.Or(err, w.send("/", id))
	}
	deadline := time.Now().Add(2 * patience)
	for i, w := range wires {
		if err != nil {
			break
		}
		replies[i], err = w.receive()
		for err == nil && (again(replies[i]) || unanswered(replies[i])) && time.Now().Before(deadline) {
			if !unanswered(replies[i]) {
				refused = append(refused, replies[i])
			}
			time.Sleep(50 * time.Millisecond) // what it waits for has no event
			replies[i], err = w.ask("/", id)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.replies[id], v.refused = replies, append(v.refused, refused...)
	v.err = errors.Join(v.err, err)
}

// one returns the home that all replies of the session name, with its epoch, and what the session was told: one event at
// the most, which both ends have heard.
func (v *volley) one(t testing.TB, id string) (instance string, epoch uint64, event string) {
	t.Helper()
	counts := map[int]bool{}
	first := v.replies[id][0]
	for _, r := range v.replies[id] {
		require.Equal(t, http.StatusOK, r.status, "%s: %v", id, r)
		require.Equal(t, []any{first.Instance, first.epoch}, []any{r.Instance, r.epoch}, id)
		require.Equal(t, fmt.Sprint(r.epoch), r.Epoch, "the instance is told the same epoch")
		require.Equal(t, r.event(), r.Event, "the instance is told what the client is")
		if r.event() != "" {
			require.Empty(t, event, "%s: told twice", id)
			event = r.event()
		}
		counts[r.Count] = true
	}
	require.Len(t, counts, len(v.replies[id]), "%s: each request counted once, in one place", id)
	return first.Instance, first.epoch, event
}

// records reads all active sessions of the function from Redis.
func records(t testing.TB, addr, function string) map[string]sessions.Session {
	t.Helper()
	store, err := redisstore.Open(redisstore.Config{Addrs: []string{addr}, KeyPrefix: redisstore.DefaultKeyPrefix}, redisstore.Options{})
	require.NoError(t, err)
	defer store.Close()
	all := map[string]sessions.Session{}
	q := sessions.Query{Function: function, Qualifier: sessions.LatestQualifier, State: sessions.Active, Limit: 500}
	for more := true; more; more = q.After != "" {
		page, err := store.List(t.Context(), q)
		require.NoError(t, err)
		for _, s := range page.Sessions {
			all[s.Key.ID] = s
		}
		q.After = page.Cursor
	}
	return all
}

// ids are the names of n sessions.
func ids(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s-%d", prefix, i))
	}
	return all
}

// never takes the first reply, whatever it is.
func never(reply) bool { return false }

// broken says that the instance died with the request, or before it, on a connection that had been kept: nothing is sent
// twice, and the client has to ask again.
func broken(r reply) bool { return r.code() == "BadGateway" }

// unanswered says that Redis did not answer in time. That is a matter of a machine that does much else, and no test of
// many requests asks whether it happens.
func unanswered(r reply) bool { return r.code() == "StoreUnavailable" }

// away says that the instance is not there: for now, for all that the replica knows.
func away(r reply) bool { return broken(r) || r.code() == "InstanceUnavailable" }

func sortedIDs(of map[string]sessions.Session) []string { return slices.Sorted(maps.Keys(of)) }
