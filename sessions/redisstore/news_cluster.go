package redisstore

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// surveyInterval is how often the masters and whose functions they have are looked up, if nothing hints at a change.
	surveyInterval = time.Second
	// surveyPause is the least time between two surveys.
	surveyPause = 50 * time.Millisecond
)

// clusterLeases are one lease for each function that was asked for: those of a configuration, so they are few.
type clusterLeases struct {
	known atomic.Pointer[map[string]*clusterLease] // replaced as a whole
	mu    sync.Mutex                               // of who replaces it
	wake  chan struct{}                            // for a survey
}

// clusterLease is a function's lease and on which master its keys are.
type clusterLease struct {
	*lease
	function string
	master   atomic.Pointer[string] // address; nil: not looked up yet
}

func newClusterLeases() *clusterLeases {
	c := &clusterLeases{wake: make(chan struct{}, 1)}
	c.known.Store(&map[string]*clusterLease{})
	return c
}

func (c *clusterLeases) of(function string) *lease {
	if l, ok := (*c.known.Load())[function]; ok {
		return l.lease
	}
	return c.add(function)
}

func (c *clusterLeases) add(function string) *lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := *c.known.Load()
	if l, ok := before[function]; ok {
		return l.lease
	}
	l := &clusterLease{lease: newLease(), function: function}
	after := maps.Clone(before)
	after[function] = l
	c.known.Store(&after)
	c.hurry()
	return l.lease
}

// hurry makes the next survey come soon.
func (c *clusterLeases) hurry() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// cluster hears all masters.
//
// All are heard, wherever a function is, for its slot may move; but a function's lease is renewed only by the master that
// answers for its slot. It is asked for a key that every script which changes a session declares: while a slot moves, such
// a script runs only where that key is.
type cluster struct {
	*news
	client  *redis.ClusterClient
	leases  *clusterLeases
	masters map[string]*clusterMaster // by address
	running sync.WaitGroup
}

type clusterMaster struct {
	master
	stop context.CancelFunc
}

func (c *cluster) follow(ctx context.Context) {
	defer c.running.Wait()
	for {
		c.survey(ctx)
		pause := time.NewTimer(surveyPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		pause.Reset(surveyInterval)
		select {
		case <-c.leases.wake:
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		pause.Stop()
	}
}

// survey looks up the masters, and which functions they have.
func (c *cluster) survey(ctx context.Context) {
	var mu sync.Mutex
	found := map[string]*redis.Options{}
	err := c.client.ForEachMaster(ctx, func(_ context.Context, m *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		found[m.Options().Addr] = m.Options()
		return nil
	})
	if err != nil {
		return // no node answers: what is known goes on being asked
	}
	for addr, m := range c.masters {
		if found[addr] == nil {
			m.stop()
			delete(c.masters, addr)
		}
	}
	for addr, o := range found {
		if c.masters[addr] == nil {
			c.hear(ctx, addr, o)
		}
	}
	for _, l := range *c.leases.known.Load() {
		c.place(ctx, l)
	}
}

// hear begins to hear the master at addr.
func (c *cluster) hear(ctx context.Context, addr string, o *redis.Options) {
	ctx, stop := context.WithCancel(ctx)
	ping := probe{command: []string{"PING"}, lease: newLease(), judge: respValue.err} // shows that it lives, without functions too
	m := &clusterMaster{stop: stop, master: master{news: c.news, options: o, astray: c.leases.hurry}}
	m.probes = func() []probe {
		all := []probe{ping}
		for _, l := range *c.leases.known.Load() {
			if at := l.master.Load(); at != nil && *at == addr {
				all = append(all, probe{
					command: []string{"EXISTS", c.store.keys.marks(l.function)}, lease: l.lease, judge: respValue.err,
				})
			}
		}
		return all
	}
	c.masters[addr] = m
	c.running.Go(func() { m.follow(ctx) })
}

// place notes on which master the function of l is.
func (c *cluster) place(ctx context.Context, l *clusterLease) {
	m, err := c.client.MasterForKey(ctx, c.store.keys.marks(l.function))
	if err != nil {
		return
	}
	addr := m.Options().Addr
	if at := l.master.Load(); at == nil || *at != addr {
		l.master.Store(&addr)
	}
	if heard := c.masters[addr]; heard != nil && heard.refuses.Load() {
		l.none()
	}
}
