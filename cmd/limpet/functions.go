package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/instances"
	processes "github.com/limpet-proxy/limpet/instances/process"
	"github.com/limpet-proxy/limpet/metrics"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// functionID identifies a function.
type functionID struct{ name, qualifier string }

// running is a function at work. It is immutable; its pool and queue outlive a reload.
type running struct {
	function *proxy.Function
	pool     *instances.Pool
	local    *processes.Source // nil: it runs no processes
	queue    *sessions.Queue
	stop     context.CancelFunc
	stopped  chan struct{} // closed when the pool's goroutines have ended
}

// functions are those that this process serves, and what they share.
type functions struct {
	store   sessions.Store
	cache   *sessions.Cache
	metrics *metrics.Metrics
	logger  *slog.Logger
	host    processes.Host
	keys    *affinity.Keys // signs the cookies of functions without a keys_file

	retiring sync.WaitGroup // reports of instances whose function is no longer listed

	mu  sync.Mutex
	all map[functionID]*running
}

// prepared is a function that is checked and built but not in force.
type prepared struct {
	cfg   proxy.FunctionConfig
	rule  affinity.Rule
	pool  *instances.Pool   // fresh; dropped when the function runs already
	local *processes.Source // likewise, unless the function has run no processes yet
}

// apply makes cfgs the functions in force and returns their routes: all of them, or, after an error, none.
func (f *functions) apply(cfgs []proxy.FunctionConfig) (*proxy.Routes, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ready := make([]prepared, 0, len(cfgs))
	for _, cfg := range cfgs {
		p, err := f.prepare(cfg)
		if err != nil {
			return nil, fmt.Errorf("function %s/%s: %w", cfg.Name, cfg.Qualifier, err)
		}
		ready = append(ready, p)
	}
	next := make(map[functionID]*running, len(ready))
	serving := make([]*proxy.Function, 0, len(ready))
	for _, p := range ready {
		id := functionID{p.cfg.Name, p.cfg.Qualifier}
		r, err := f.enforce(p, f.all[id])
		if err != nil {
			return nil, fmt.Errorf("function %s/%s: %w", p.cfg.Name, p.cfg.Qualifier, err)
		}
		next[id] = r
		serving = append(serving, r.function)
	}
	for id, old := range f.all {
		if next[id] == nil {
			old.stop()
			old.function.Transports.CloseIdle()
			f.retiring.Go(func() { f.retire(old) })
		}
	}
	f.all = next
	return proxy.NewRoutes(serving), nil
}

// prepare does all that can fail.
func (f *functions) prepare(cfg proxy.FunctionConfig) (prepared, error) {
	keys := f.keys
	if file := cfg.Affinity.Cookie.KeysFile; cfg.Affinity.Type == sessions.AffinityCookie && file != "" {
		var err error
		if keys, err = affinity.LoadKeys(file); err != nil {
			return prepared{}, err
		}
	}
	rule, err := affinity.New(cfg.Affinity, affinity.Scope{Function: cfg.Name, Qualifier: cfg.Qualifier, Keys: keys})
	if err != nil {
		return prepared{}, err
	}
	source := f.newProcesses(cfg)
	pool, err := instances.NewPool(f.poolConfig(cfg, source))
	return prepared{cfg, rule, pool, source}, err
}

func (f *functions) poolConfig(cfg proxy.FunctionConfig, source *processes.Source) instances.PoolConfig {
	pc := instances.PoolConfig{
		Function: cfg.Name, Version: cfg.Qualifier, Config: cfg.Instances,
		RequestsPerInstance: cfg.RequestsPerInstance, Connect: cfg.Timeouts.Connect,
		Registry: f.store, Logger: f.logger,
	}
	if cfg.OnInstanceLoss == sessions.LossFail {
		pc.LossGrace = cfg.LossGrace
	}
	if source != nil {
		pc.Sources = append(pc.Sources, source)
	}
	return pc
}

// enforce makes p the function at work. old, if not nil, lends its pool, and with it the requests in flight and the
// health of the instances that stay.
func (f *functions) enforce(p prepared, old *running) (*running, error) {
	r := running{}
	if old == nil {
		r = f.start(p)
	} else if err := f.renew(&r, p, old); err != nil {
		return nil, err
	}
	m := f.metrics.Function(p.cfg.Name, p.cfg.Qualifier)
	function := &proxy.Function{
		Config: p.cfg, Rule: p.rule, Pool: r.pool, Metrics: m,
		Transports: transports(p.cfg, old),
	}
	if p.cfg.Affinity.Type != sessions.AffinityNone {
		function.Table = sessions.NewTable(sessions.TableConfig{
			Rules: rules(p.cfg), Cache: f.cache, Store: f.store, Pool: r.pool, Queue: r.queue, Observe: proxy.Observe(m),
			Lost:    func() { f.metrics.Ended(p.cfg.Name, metrics.EndedLost, 1) },
			Drained: func() { f.metrics.Ended(p.cfg.Name, metrics.EndedDrained, 1) },
			Want:    r.pool.Want, Occupied: r.pool.Occupied,
		})
	}
	r.function = function
	return &r, nil
}

// renew makes r what old becomes under the configuration of p.
func (f *functions) renew(r *running, p prepared, old *running) error {
	*r = *old
	r.local = keptProcesses(old.local, p)
	if err := r.pool.Apply(f.poolConfig(p.cfg, r.local)); err != nil {
		return err
	}
	if r.local != nil {
		r.local.Apply(f.processConfig(p.cfg))
	}
	return nil
}

// start runs a new pool.
func (f *functions) start(p prepared) running {
	ctx, stop := context.WithCancel(context.Background())
	pool := p.pool
	r := running{pool: pool, local: p.local, queue: sessions.NewQueue(), stop: stop, stopped: make(chan struct{})}
	go func() {
		defer close(r.stopped)
		pool.Run(ctx)
	}()
	return r
}

// transports keeps the connections to the instances where nothing that governs them has changed.
func transports(cfg proxy.FunctionConfig, old *running) *proxy.Transports {
	if old != nil {
		kept := old.function.Transports
		if kept.Timeouts == cfg.Timeouts && kept.PerInstance == cfg.RequestsPerInstance {
			return kept
		}
		defer kept.CloseIdle()
	}
	return &proxy.Transports{Timeouts: cfg.Timeouts, PerInstance: cfg.RequestsPerInstance}
}

func rules(cfg proxy.FunctionConfig) sessions.Rules {
	return sessions.Rules{
		Function: cfg.Name, Qualifier: cfg.Qualifier, Config: cfg.Sessions, Affinity: cfg.Affinity.Type,
		OnLoss: cfg.OnInstanceLoss, LossGrace: cfg.LossGrace, Wait: cfg.WhenFull.Wait,
		AliveWithin: cfg.Instances.AliveWithin(),
	}
}

// snapshot returns the functions in force, by name and qualifier.
func (f *functions) snapshot() []*running {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*running, 0, len(f.all))
	for _, r := range f.all {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *running) int {
		x, y := a.function.Config, b.function.Config
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Qualifier, y.Qualifier))
	})
	return all
}

// names are the functions' names, each once, for the sweeper.
func (f *functions) names() []string {
	seen := map[string]bool{}
	var names []string
	for _, r := range f.snapshot() {
		if name := r.function.Config.Name; !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// tables are those of the functions that have sessions.
func (f *functions) tables() (all []*sessions.Table) {
	for _, r := range f.snapshot() {
		if t := r.function.Table; t != nil {
			all = append(all, t)
		}
	}
	return all
}

// close stops every pool and waits for it.
func (f *functions) close() {
	all := f.snapshot()
	for _, r := range all {
		r.stop() // together: processes take their time to end
	}
	for _, r := range all {
		<-r.stopped
		r.function.Transports.CloseIdle()
	}
	f.retiring.Wait()
}
