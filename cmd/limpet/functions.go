package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/instances"
	processes "github.com/limpet-proxy/limpet/instances/process"
	"github.com/limpet-proxy/limpet/metrics"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// functionID identifies a function.
type functionID struct{ name, qualifier string }

// running is a function at work. It is immutable; its pool and queue outlive a reload, and so do sources that it leaves as
// they were.
type running struct {
	function *proxy.Function
	pool     *instances.Pool   // of a version; nil for an alias
	split    *instances.Split  // over all versions of the function, made anew by each reload; nil where there is only one
	sources  []source          // of the pool, beside the static list
	local    *processes.Source // of the pool; nil: it runs no processes
	queue    *sessions.Queue
	stop     context.CancelFunc // ends the pool
	stopped  chan struct{}      // closed when the pool's goroutines have ended
}

// functions are those that this process serves, and what they share.
type functions struct {
	store   sessions.Store
	cache   *sessions.Cache
	metrics *metrics.Metrics
	logger  *slog.Logger
	host    processes.Host
	keys    *affinity.Keys // signs the cookies of functions without a keys_file

	shared bool             // other replicas may share the store
	own    []netip.AddrPort // the process's listeners

	instanceKey []byte // makes the IDs of instances that are found by address

	retiring sync.WaitGroup // reports of instances whose function is no longer listed

	mu      sync.Mutex
	all     map[functionID]*running
	removed map[functionID]time.Time // versions that a reload has taken away
}

// prepared is a function that is checked and built but not in force.
type prepared struct {
	cfg     proxy.FunctionConfig
	rule    affinity.Rule
	sources []source
	pool    *instances.Pool   // fresh; dropped when the function runs already; nil for an alias
	local   *processes.Source // fresh, likewise, unless the function has run no processes yet
}

// apply makes cfgs the functions in force and returns their routes: all of them, or, after an error, none.
func (f *functions) apply(cfgs []proxy.FunctionConfig) (*proxy.Routes, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ready := make([]prepared, 0, len(cfgs))
	for _, cfg := range cfgs {
		p, err := f.prepare(cfg, f.all[functionID{cfg.Name, cfg.Qualifier}])
		if err != nil {
			return nil, fmt.Errorf("function %s/%s: %w", cfg.Name, cfg.Qualifier, err)
		}
		ready = append(ready, p)
	}
	in := plan{cfgs, make(map[functionID]*running, len(ready)), f.nextRemoved(ready)}
	for _, p := range ready {
		r, err := f.work(p)
		if err != nil {
			return nil, fmt.Errorf("function %s/%s: %w", p.cfg.Name, p.cfg.Qualifier, err)
		}
		in.next[p.id()] = r
	}
	serving := make([]*proxy.Function, 0, len(ready))
	for _, p := range ready {
		if err := f.enforce(p, in); err != nil {
			return nil, fmt.Errorf("function %s/%s: %w", p.cfg.Name, p.cfg.Qualifier, err)
		}
		serving = append(serving, in.next[p.id()].function)
	}
	for id, old := range f.all {
		f.replaced(old, in.next[id])
	}
	f.all, f.removed = in.next, in.removed
	return proxy.NewRoutes(serving), nil
}

// replaced ends what of old, the work of one entry before, is not at work in next, which may be nil.
func (f *functions) replaced(old, next *running) {
	if next == nil {
		old.function.Transports.CloseIdle()
	}
	if old.split != nil {
		old.split.Close()
	}
	if old.pool != nil && (next == nil || next.pool != old.pool) {
		old.stop()
		f.retiring.Go(func() { f.retire(old) })
	}
}

// prepare does all that can fail. old is what runs of the function, nil if nothing does.
func (f *functions) prepare(cfg proxy.FunctionConfig, old *running) (prepared, error) {
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
	p := prepared{cfg: cfg, rule: rule}
	if cfg.IsAlias() {
		return p, nil
	}
	if p.sources, err = f.newSources(cfg, old); err != nil {
		return prepared{}, err
	}
	p.local = f.newProcesses(cfg)
	p.pool, err = instances.NewPool(f.poolConfig(p))
	return p, err
}

func (p prepared) id() functionID { return functionID{p.cfg.Name, p.cfg.Qualifier} }

func (f *functions) poolConfig(p prepared) instances.PoolConfig {
	cfg := p.cfg
	pc := instances.PoolConfig{
		Function: cfg.Name, Version: cfg.Qualifier, Config: cfg.Instances,
		RequestsPerInstance: cfg.RequestsPerInstance, Connect: cfg.Timeouts.Connect,
		Registry: f.store, Logger: f.logger, Own: f.own,
	}
	for _, s := range p.sources {
		pc.Sources = append(pc.Sources, s.Source)
	}
	if cfg.OnInstanceLoss == sessions.LossFail {
		pc.LossGrace = cfg.LossGrace
	}
	if p.local != nil {
		pc.Sources = append(pc.Sources, p.local)
	}
	return pc
}

// enforce makes p the function at work, on the pools of in.
func (f *functions) enforce(p prepared, in plan) (err error) {
	r := in.next[p.id()]
	if r.split, err = in.split(p.cfg); err != nil {
		return err
	}
	m := f.metrics.Function(p.cfg.Name, p.cfg.Qualifier)
	function := &proxy.Function{Config: p.cfg, Rule: p.rule, Pool: r.dials(), Metrics: m, Transports: transports(in.idle(p.cfg), f.all[p.id()])}
	if p.cfg.Affinity.Type != sessions.AffinityNone {
		tc := sessions.TableConfig{
			Rules: in.rules(p.cfg), Cache: f.cache, Store: f.store, Pool: r.homes(), Queue: r.queue, Observe: proxy.Observe(m),
			Lost:    func() { f.metrics.Ended(p.cfg.Name, metrics.EndedLost, 1) },
			Drained: func() { f.metrics.Ended(p.cfg.Name, metrics.EndedDrained, 1) },
		}
		if f.shared {
			tc.Find = r.find()
		}
		tc.Want, tc.Occupied = r.growth()
		function.Table = sessions.NewTable(tc)
	}
	r.function = function
	return nil
}

// work returns what is to be at work for p, without its function. What was at work before lends its pool, and with it the
// requests in flight and the health of the instances that stay.
func (f *functions) work(p prepared) (*running, error) {
	old := f.all[p.id()]
	var r running
	switch {
	case p.cfg.IsAlias():
		r = running{queue: sessions.NewQueue()}
	case old == nil || old.pool == nil:
		r = f.start(p)
	default:
		p.local = keptProcesses(old.local, p)
		if err := old.pool.Apply(f.poolConfig(p)); err != nil {
			return nil, err
		}
		if p.local != nil {
			p.local.Apply(f.processConfig(p.cfg))
		}
		r = *old
		r.local = p.local
	}
	if old != nil {
		r.queue = old.queue
	}
	r.sources = p.sources
	return &r, nil
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
		r.halt() // together: processes take their time to end
	}
	for _, r := range all {
		r.wait()
		r.function.Transports.CloseIdle()
	}
	f.retiring.Wait()
}
