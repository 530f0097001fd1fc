package instances_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// What probes of the fake world fail with.
var (
	errRefused = &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errTimeout = &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	errStatus  = errors.New("health answer 500")
)

// world is a pool on a fake clock with a fake network and a fake registry. Everything in it runs inside a synctest
// bubble: between two calls of pass nothing moves.
type world struct {
	t        *testing.T
	pool     *instances.Pool
	cfg      instances.PoolConfig
	registry *registry
	stop     func()

	mu     sync.Mutex
	hosts  map[string]host
	probes map[string]int
}

// host is how an address answers probes.
type host struct {
	start string
	err   error
	takes time.Duration
}

func newWorld(t *testing.T, ids ...string) *world {
	t.Helper()
	w := &world{t: t, registry: newRegistry(), hosts: map[string]host{}, probes: map[string]int{}}
	w.cfg = instances.PoolConfig{
		Function: "f", Version: "LATEST", Config: config(ids...), RequestsPerInstance: 2, Registry: w.registry,
	}
	pool, err := instances.NewPool(w.cfg)
	require.NoError(t, err)
	pool.WithProbe(w.probe)
	w.pool = pool
	return w
}

func config(ids ...string) instances.Config {
	c := instances.DefaultConfig()
	health := instances.DefaultHealthConfig()
	c.Health = &health
	for _, id := range ids {
		c.Static = append(c.Static, instances.StaticInstance{ID: id, URL: "http://" + id + ".test:80"})
	}
	return c
}

// run starts the pool and lets all that happens at once happen.
func (w *world) run() *world {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.pool.Run(ctx)
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	synctest.Wait()
	return w
}

func (w *world) probe(ctx context.Context, u *url.URL, _ string) (string, error) {
	w.mu.Lock()
	h := w.hosts[u.Hostname()]
	w.probes[u.Hostname()]++
	w.mu.Unlock()
	if h.takes > 0 {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(h.takes):
		}
	}
	return h.start, h.err
}

// set says how the instance answers probes from now on.
func (w *world) set(id string, h host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[id+".test"] = h
}

func (w *world) probed(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.probes[id+".test"]
}

// pass lets d go by, and everything that follows at its end happen.
func (w *world) pass(d time.Duration) {
	time.Sleep(d) // the bubble's clock: no real time
	synctest.Wait()
}

// rounds lets n probe rounds go by: every instance has then been probed at least n times.
func (w *world) rounds(n int) {
	w.pass(time.Duration(n)*instances.DefaultHealthInterval*11/10 + time.Millisecond)
}

func (w *world) view(id string) instances.View {
	for _, v := range w.pool.Snapshot() {
		if v.ID == id && v.State != instances.StateGone {
			return v
		}
	}
	w.t.Fatalf("no instance %s", id)
	return instances.View{}
}

func (w *world) home(id string) sessions.Home {
	return sessions.Home{Version: "LATEST", ID: id, Incarnation: w.view(id).Incarnation}
}

func (w *world) state(h sessions.Home) sessions.HomeState {
	state, _ := w.pool.State(h)
	return state
}

func (w *world) candidates() []string {
	var ids []string
	for _, h := range w.pool.Candidates(0) {
		ids = append(ids, h.ID)
	}
	return ids
}

func (w *world) instance(id string) *instances.Instance {
	i, ok := w.pool.Lookup(sessions.Home{ID: id})
	require.True(w.t, ok, "no instance %s", id)
	return i
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
