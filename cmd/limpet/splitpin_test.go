package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// rush is many IDs, each first used at the same moment through every replica.
type rush struct {
	ids, capacity int    // capacity is of all instances and functions together
	program       string // "": this test binary, with its race detector
	redis         redisstore.Config
}

const (
	rushReplicas  = 4
	rushInstances = 4
	// rushFunctions are as many as it takes for more than one master of a Cluster to hold sessions: the keys of one
	// function are on one.
	rushFunctions = 4
	rushWorkers   = 8 // IDs under way at once
)

func (r rush) perInstance() int { return r.capacity / rushFunctions / rushInstances }

// store is the key store of a configuration.
func (r rush) store() string {
	return fmt.Sprintf("{kind: redis, redis: {addrs: [%s], master_name: \"%s\"}}", strings.Join(r.redis.Addrs, ", "), r.redis.MasterName)
}

func rushFunction(i int) string { return fmt.Sprintf("f%d", i%rushFunctions) }

// outcome is what became of the IDs.
type outcome struct {
	mu      sync.Mutex
	pinned  int
	refused int
	created int // announcements
	split   []string
	wrong   []string
}

// run starts the replicas and sends the rush through them.
func (r rush) run(t *testing.T) *outcome {
	t.Helper()
	var programs []*sampleProgram
	for i := range rushInstances {
		programs = append(programs, startSampleOf(t, plainProgram(t), "--name", fmt.Sprint("i", i)))
	}
	s := setup{store: r.store()}
	for i := range rushFunctions {
		name := rushFunction(i)
		s.functions = append(s.functions, function{
			name: name, path: "/" + name, perInstance: r.perInstance(), programs: programs, probes: 2 * time.Second,
		})
	}
	file := s.file(t)
	replicas := make([]*process, rushReplicas)
	for i := range replicas {
		replicas[i] = r.start(t, file)
	}
	for _, p := range replicas {
		p.awaitServing()
		p.awaitReady()
	}
	var workers sync.WaitGroup
	o := &outcome{}
	for n := range rushWorkers {
		var wires []*wire
		for _, p := range replicas {
			wires = append(wires, dial(t, p.listen))
		}
		workers.Go(func() {
			for i := n; i < r.ids; i += rushWorkers {
				o.use(wires, i)
			}
		})
	}
	workers.Wait()
	return o
}

func (r rush) start(t *testing.T, file string) *process {
	t.Helper()
	if r.program == "" {
		return start(t, "serve", "-c", file)
	}
	return startProgram(t, r.program, "serve", "-c", file)
}

// use sends ID i through every replica before any has answered.
func (o *outcome) use(wires []*wire, i int) {
	id, path := fmt.Sprintf("id-%d", i), "/"+rushFunction(i)
	replies := make([]reply, len(wires))
	var err error
	for _, w := range wires {
		if err == nil {
			err = w.send(path, id)
		}
	}
	for k, w := range wires {
		if err == nil {
			replies[k], err = w.receive()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.wrong = append(o.wrong, fmt.Sprintf("%s: %v", id, err))
		return
	}
	o.judge(id, replies)
}

// judge compares the answers of one ID: all pinned to one home, or all refused for want of room.
func (o *outcome) judge(id string, replies []reply) {
	answered, counts := 0, map[int]bool{}
	for _, r := range replies {
		switch {
		case r.status == http.StatusOK:
			answered++
			counts[r.Count] = true
			if first := replies[0]; first.status == http.StatusOK && (r.Instance != first.Instance || r.epoch != first.epoch) {
				o.split = append(o.split, fmt.Sprintf("%s: %s and %s", id, first.body, r.body))
			}
		case r.status != http.StatusServiceUnavailable || r.code() != "NoCapacity" || r.header.Get("Retry-After") == "":
			o.wrong = append(o.wrong, fmt.Sprintf("%s: %v", id, r))
		}
		if r.event() == "created" {
			o.created++
		}
	}
	switch {
	case answered == 0:
		o.refused++
	case answered != len(replies):
		o.wrong = append(o.wrong, id+": refused by one replica and not by another, and nothing ends here")
	case len(counts) != len(replies) || !counts[1]:
		o.split = append(o.split, fmt.Sprintf("%s: its home counted %v", id, counts))
	default:
		o.pinned++
	}
}

// requireCounts compares what Redis counts for each instance with the sessions that are listed there.
func (r rush) requireCounts(t *testing.T, o *outcome) {
	t.Helper()
	store, err := redisstore.Open(r.redis, redisstore.Options{})
	require.NoError(t, err)
	defer store.Close()
	all := 0
	for i := range rushFunctions {
		members := map[sessions.Home]int{}
		q := sessions.Query{Function: rushFunction(i), Qualifier: sessions.LatestQualifier, State: sessions.Active, Limit: 500}
		for more := true; more; more = q.After != "" {
			page, err := store.List(t.Context(), q)
			require.NoError(t, err)
			for _, s := range page.Sessions {
				members[s.Home]++
				all++
			}
			q.After = page.Cursor
		}
		records, err := store.Instances(t.Context(), rushFunction(i))
		require.NoError(t, err)
		require.Len(t, records, rushInstances)
		for _, record := range records {
			require.Equal(t, members[record.Home], record.Sessions, "count and members of %v", record.Home)
			require.LessOrEqual(t, record.Sessions, r.perInstance())
		}
	}
	require.Equal(t, o.pinned, all)
}

func (r rush) require(t *testing.T) *outcome {
	t.Helper()
	r.redis.KeyPrefix = redisstore.DefaultKeyPrefix
	o := r.run(t)
	require.Empty(t, o.split)
	require.Empty(t, o.wrong)
	require.Equal(t, r.ids, o.pinned+o.refused)
	require.Equal(t, o.pinned, o.created, "each creation is announced once")
	r.requireCounts(t, o)
	return o
}

const (
	manyIDs = 10_000
	// clusterIDs are fewer: what a Cluster adds is where the keys are, and not when the script runs. That shows with any ID,
	// and the race is the same.
	clusterIDs = 2_000
	someIDs    = 480
)

// TestNoPinIsSplit gives the IDs as many slots as they need and not one more: a slot that is counted twice, or lost,
// shows as a refusal.
func TestNoPinIsSplit(t *testing.T) {
	t.Parallel()
	program := plainProgram(t)
	t.Run("standalone", func(t *testing.T) {
		redis := redistest.Standalone(t, redistest.Options{})
		o := rush{manyIDs, manyIDs, program, redisstore.Config{Addrs: []string{redis.Addr}}}.require(t)
		require.Equal(t, manyIDs, o.pinned)
	})
	t.Run("cluster", func(t *testing.T) {
		redis := redistest.NewCluster(t, redistest.Options{})
		o := rush{clusterIDs, clusterIDs, program, redisstore.Config{Addrs: redis.Addrs()}}.require(t)
		require.Equal(t, clusterIDs, o.pinned)
	})
	t.Run("sentinel", func(t *testing.T) {
		redis := redistest.NewSentinel(t, redistest.Options{})
		o := rush{someIDs, someIDs, "", redisstore.Config{Addrs: redis.Addrs(), MasterName: redistest.MasterName}}.require(t)
		require.Equal(t, someIDs, o.pinned)
	})
}

func TestNoInstanceExceedsItsCapacity(t *testing.T) {
	t.Parallel()
	redis := redistest.Standalone(t, redistest.Options{})
	o := rush{2 * someIDs, someIDs, "", redisstore.Config{Addrs: []string{redis.Addr}}}.require(t)
	require.Equal(t, someIDs, o.pinned, "as many as there is room for")
}
