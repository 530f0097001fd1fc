package main_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// census counts the commands below a limpet, again and again.
type census struct {
	mu   sync.Mutex
	seen map[int]bool
	most int
}

func (c *census) run(p *process, stop <-chan struct{}) {
	for {
		pids := p.commands()
		c.mu.Lock()
		c.most = max(c.most, len(pids))
		for _, pid := range pids {
			c.seen[pid] = true
		}
		c.mu.Unlock()
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

const isolatedMax = 12

// oneSession uses a session three times and ends it. It returns the start nonce of the process that it had.
func oneSession(p *process, client *http.Client, id string) (string, error) {
	start := ""
	for n := 1; n <= 3; n++ {
		r, err := good(client, p.listen, id)
		if err != nil {
			return "", err
		}
		if r.Count != n || n > 1 && r.Start != start || n == 1 && r.event() != "created" {
			return "", fmt.Errorf("session %s, request %d: %v %s", id, n, r, r.event())
		}
		start = r.Start
	}
	return start, p.end(id)
}

func TestTwoHundredIsolatedSessionsOnProcesses(t *testing.T) {
	t.Parallel()
	isolate(t, 200, servePlain)
}

// TestIsolatedSessionsOnProcesses is the same with fewer, under the race detector.
func TestIsolatedSessionsOnProcesses(t *testing.T) {
	t.Parallel()
	isolate(t, 24, serve)
}

// isolate uses and ends more sessions than there may be processes at once. Commands are this limpet again.
func isolate(t *testing.T, sessions int, serve func(t testing.TB, file string) *process) {
	t.Helper()
	s := local(function{isolation: true, more: "    when_full: {wait: 1m}"},
		fmt.Sprintf(`{command: %s, min: 2, max: %d, idle_timeout: 1s}`, instanceCommand("x"), isolatedMax))
	p := serve(t, s.file(t))
	counted, stop, done := &census{seen: map[int]bool{}}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		counted.run(p, stop)
	}()
	client := &http.Client{Timeout: 2 * time.Minute, Transport: newClient().Transport}
	var ids []string
	for n := range sessions {
		ids = append(ids, fmt.Sprintf("session%d", n))
	}
	var mu sync.Mutex
	served := map[string]string{}
	inParallel(16, slices.Values(ids), func(id string) {
		start, err := oneSession(p, client, id)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
			return
		}
		if other, twice := served[start]; twice {
			t.Errorf("sessions %s and %s had one process", id, other)
		}
		served[start] = id
	})
	close(stop)
	<-done
	require.Len(t, served, sessions)
	require.LessOrEqual(t, counted.most, isolatedMax)
	require.Greater(t, counted.most, 2)

	// All sessions have ended, and so have their processes; two wait for the next.
	p.eventually(func() error {
		if n := len(p.commands()); n != 2 {
			return fmt.Errorf("%d processes", n)
		}
		return nil
	})
	t.Logf("%d sessions, at most %d processes at once, %d of them seen", len(served), counted.most, len(counted.seen))
	alive := p.commands()
	var over []int
	for pid := range counted.seen {
		if !slices.Contains(alive, pid) {
			over = append(over, pid)
		}
	}
	require.Greater(t, len(over), sessions/2)
	p.awaitGone(over)
}
