// Package instances knows which instances a function has, which of them are healthy and which may take a new session.
package instances

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// ErrConfig means that a PoolConfig cannot be run with.
var ErrConfig = errors.New("instances cannot be configured so")

// Registry is what a pool needs of the store; every sessions.Store is one.
type Registry interface {
	// Report stores this replica's view and returns the record of each reported instance, in the order given.
	// sessions.ErrUnavailable.
	Report(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error)
	// Instances returns all records of the function. sessions.ErrUnavailable.
	Instances(ctx context.Context, function string) ([]sessions.InstanceRecord, error)
}

// PoolConfig says what a pool is made of.
type PoolConfig struct {
	// Function and Version name the pool. They never change.
	Function, Version string
	// Config has the static list and the probe. Zeros in Config.Health, and of Config.DrainDeadline, mean the defaults.
	Config Config
	// Sources are where instances come from beside Config.Static. Where two list the same ID, or the same address, the
	// first one counts, and the static list is before all others. A source that the last configuration had too goes on
	// running.
	Sources []Source
	// RequestsPerInstance bounds the requests in flight on one instance; below 1 there is no bound.
	RequestsPerInstance int
	// Connect bounds the TCP connect that is the probe where Config.Health is nil, if it is shorter than
	// DefaultHealthTimeout. 0: it does not.
	Connect time.Duration
	// LossGrace is how long sessions wait for a lost home; 0 where they are re-homed.
	LossGrace time.Duration
	// Own are the process's own listeners, which are no instances, whatever other replicas say.
	Own []netip.AddrPort
	// Registry hears of every instance and names its incarnations. Required.
	Registry Registry
	// Logger gets changes of state; nil: nobody does.
	Logger *slog.Logger
}

var _ sessions.Pool = (*Pool)(nil)

// Pool is the instances of one version of a function. Reads (Candidates, State, Lookup, Pick) load one pointer and
// never wait; what changes an instance makes the next snapshot under a mutex. Safe for concurrent use.
type Pool struct {
	current atomic.Pointer[snapshot]
	ready   atomic.Bool
	probe   probeFunc
	kick    chan struct{} // of capacity 1: report at once
	inquiry inquiry
	version string
	elastic atomic.Pointer[[]Elastic]
	wanted  atomic.Int64 // when Want last asked for a report, in ns

	protocol atomic.Pointer[Protocol] // of all instances

	mu         sync.Mutex
	cfg        PoolConfig
	rules      rules
	log        *slog.Logger
	sources    []Source
	leaving    []Source // no longer configured; what they listed stays until the others have heard what there is
	heard      bool     // every source has heard what there is
	inherited  bool     // what an earlier process has left is known
	clashes    map[clash]bool
	instances  []*Instance // in the sources' order
	reach      *reach
	disbeliefs map[sessions.Home]time.Time // that were asked for in vain
	removed    map[string]removal
	doubting   bool // this replica suspects itself
	running    *run // nil unless Run runs
}

// run is what Run has started.
type run struct {
	ctx        context.Context
	began      time.Time
	goroutines sync.WaitGroup
	sources    map[Source]context.CancelFunc
}

// NewPool returns a pool whose instances are all starting. Nothing is probed until Run. ErrConfig.
func NewPool(cfg PoolConfig) (*Pool, error) {
	p := &Pool{version: cfg.Version, probe: newProbe(), kick: make(chan struct{}, 1), removed: map[string]removal{}, disbeliefs: map[sessions.Home]time.Time{}}
	p.current.Store(&snapshot{changed: make(chan struct{})})
	p.cfg.Function, p.cfg.Version = cfg.Function, cfg.Version
	if err := p.Apply(cfg); err != nil {
		return nil, err
	}
	return p, nil
}

// Apply makes cfg the pool's configuration; after an error (ErrConfig) the old one is in force as it was.
//
// An instance whose ID and URL stay keeps its requests in flight, its health and its circuit. One that is no longer
// listed is gone: its Gone is cancelled, and the registry is told. Another URL under the same ID is another program:
// the old one is gone and the new one starts.
func (p *Pool) Apply(cfg PoolConfig) error {
	sources, err := cfg.check()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if cfg.Function != p.cfg.Function || cfg.Version != p.cfg.Version {
		return fmt.Errorf("%w: the pool of %s %s cannot become that of %s %s",
			ErrConfig, p.cfg.Function, p.cfg.Version, cfg.Function, cfg.Version)
	}
	p.cfg = cfg
	p.speak(cfg.Config.Protocol)
	p.setSources(sources)
	p.log = cfg.Logger
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.log = p.log.With("function", cfg.Function, "qualifier", cfg.Version)
	old := p.rules
	p.rules = newRules(cfg)
	for _, i := range p.instances {
		i.limit.Store(int64(cfg.RequestsPerInstance))
		if old != p.rules && p.running != nil {
			i.probeNow()
		}
	}
	p.followSources()
	p.syncLocked()
	return nil
}

// check returns the sources that cfg describes.
func (cfg PoolConfig) check() ([]Source, error) {
	if cfg.Registry == nil {
		return nil, fmt.Errorf("%w: no registry", ErrConfig)
	}
	var problems []error
	report := func(key, problem string) { problems = append(problems, fmt.Errorf("%s: %s", key, problem)) }
	cfg.Config.withDefaults().validate(report, len(cfg.Sources) > 0)
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrConfig, errors.Join(problems...))
	}
	listed, err := newStatic(cfg.Config.Static)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return append([]Source{listed}, cfg.Sources...), nil
}

// Run probes the instances and reports them until ctx is done, and returns when all it started has ended. Call it
// once. What the pool knows stays readable afterwards.
func (p *Pool) Run(ctx context.Context) {
	r := &run{ctx: ctx, began: time.Now(), sources: map[Source]context.CancelFunc{}}
	p.mu.Lock()
	p.running = r
	p.followSources()
	for _, i := range p.instances {
		p.startProbing(i)
	}
	p.mu.Unlock()

	p.reportUntil(ctx)

	// From here on Apply starts nothing more, so that Wait waits for all there is.
	p.mu.Lock()
	p.running = nil
	p.mu.Unlock()
	r.goroutines.Wait()
}

// Ready says whether the sources have said what there is, or have had sourcePatience for it, and every instance was
// probed, and the result reported or the report failed. It stays true: an instance that a reload adds makes no replica
// unready.
func (p *Pool) Ready() bool { return p.ready.Load() }

// publish makes the present state of the instances what readers see. freed says that a candidate has a free slot
// that it had not.
func (p *Pool) publish(freed bool) {
	old, next := p.current.Load(), p.snapshot()
	next.changed = old.changed
	wake := freed || next.gains(old)
	if wake {
		next.changed = make(chan struct{})
	}
	p.current.Store(next)
	if wake {
		close(old.changed) // after the store: who wakes reads what woke it
	}
}

func (p *Pool) snapshot() *snapshot {
	s := &snapshot{byID: make(map[string]entry, len(p.instances)+len(p.removed))}
	for id, r := range p.removed {
		s.byID[id] = entry{state: sessions.HomeGone, newer: sessions.HomeGone, since: r.at, through: r.instance.incarnation.Load()}
	}
	for _, i := range p.instances {
		e := entry{instance: i, state: i.home(), newer: i.newer(), replacedBelow: i.replacedBelow(), candidate: i.candidate()}
		if e.state == sessions.HomeLost {
			e.since = i.health.since
		}
		s.byID[i.id] = e
		if e.candidate {
			s.candidates = append(s.candidates, i.Home())
			s.takers = append(s.takers, i)
		}
		if e.state == sessions.HomeDrained {
			s.drained = append(s.drained, i.Home())
		}
		if i.listed() && i.health.healthy() {
			s.healthy = append(s.healthy, i)
			s.occupied = s.occupied || i.filled && !i.drains()
		}
	}
	if staying := slices.DeleteFunc(slices.Clone(s.healthy), (*Instance).drains); len(staying) > 0 {
		s.healthy = staying
	} else {
		s.leaving = len(s.healthy) > 0
	}
	return s
}
