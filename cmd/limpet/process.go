package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/configs"
	"github.com/limpet-proxy/limpet/metrics"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// process is a proxy at work: two listeners, the functions, and what they share.
type process struct {
	cfg       configs.Config                       // that it started with
	shutdown  atomic.Pointer[proxy.ShutdownConfig] // in force
	logger    *slog.Logger
	accessLog *slog.Logger // where access logs go, if they are on
	secrets   secrets      // shared by the replicas; nil before the store has answered

	data, admin net.Listener
	keepers     keepers
	server      *proxy.Server
	handler     *proxy.Handler
	adminServer *http.Server
	adminPlane  atomic.Pointer[http.Handler] // in force
	metrics     *metrics.Metrics
	registry    *prometheus.Registry
	store       sessions.Store
	news        sessions.News // nil: the store has none
	watch       *storeWatch
	cache       *sessions.Cache
	functions   *functions
	leaving     atomic.Bool
	inForce     atomic.Bool // the functions are, so that requests are taken

	background sync.WaitGroup
	stop       context.CancelFunc // of the background
}

// newProcess binds both listeners and opens the store. Nothing is served before serve.
func newProcess(cfg configs.Config, logger, accessLog *slog.Logger) (*process, error) {
	p := &process{cfg: cfg, logger: logger, accessLog: accessLog, registry: prometheus.NewRegistry()}
	p.shutdown.Store(&p.cfg.Shutdown)
	p.metrics = metrics.New(p.registry)
	p.metrics.Build(buildVersion())
	var err error
	if p.keepers, err = newKeepers(cfg); err != nil {
		return nil, err
	}
	if p.store, p.news, err = openStore(cfg.Store, p.metrics, logger); err != nil {
		return nil, fmt.Errorf("open the session store: %w", err)
	}
	if err := p.listen(); err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	p.watch = &storeWatch{kind: cfg.Store.Kind, store: p.store, logger: logger}
	p.cache = sessions.NewCache(sessions.CacheConfig{
		Size: cfg.Cache.Sessions, Life: sessions.DefaultCacheLife, StaleMax: staleMax(cfg.Store), News: p.news,
	})
	p.functions = &functions{
		store: p.store, cache: p.cache, metrics: p.metrics, logger: logger, all: map[functionID]*running{},
		shared: cfg.Store.Kind == configs.StoreRedis, own: p.listeners(),
	}
	if p.functions.host, err = newHost(cfg.Store.Kind, p.data.Addr().String()); err != nil {
		return nil, errors.Join(err, p.data.Close(), p.admin.Close(), p.store.Close())
	}
	p.metrics.CollectInstances(p.functions.samples)
	p.metrics.CollectTable(p.tableSample)
	p.metrics.CollectCertificates(p.keepers.samples)
	return p, nil
}

func (p *process) listen() (err error) {
	if p.data, err = net.Listen("tcp", p.cfg.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if p.admin, err = net.Listen("tcp", p.cfg.Admin); err != nil {
		return errors.Join(fmt.Errorf("admin: %w", err), p.data.Close())
	}
	return nil
}

// listeners are the addresses that are taken.
func (p *process) listeners() (all []netip.AddrPort) {
	for _, l := range []net.Listener{p.data, p.admin} {
		if at, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			all = append(all, at)
		}
	}
	return all
}

// serve serves until ctx is done, then leaves in order and returns. started, if not nil, is called once functions are
// in force and requests are taken; its context is done when the process begins to leave.
func (p *process) serve(ctx context.Context, started func(context.Context)) error {
	ctx, ended := context.WithCancel(ctx)
	defer ended()
	background, stop := context.WithCancel(context.Background())
	p.stop = stop
	failed := make(chan error, 2)
	if err := p.serveAdmin(failed); err != nil {
		return errors.Join(err, p.close())
	}
	if err := p.start(ctx, background, failed); err != nil {
		p.server.Shutdown(0)
		if ctx.Err() != nil {
			err = nil // told to stop before the store had answered
		}
		return errors.Join(err, p.close())
	}
	if started != nil {
		started(ctx)
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ended() // also when a listener failed: what started has begun must not be waited for in vain
	p.leave()
	return errors.Join(err, p.close())
}

// start takes requests and puts the functions in force. Until the store has answered there are no keys to sign and
// hash with: requests are answered with 503 StoreUnavailable, and /readyz says why.
func (p *process) start(ctx, background context.Context, failed chan<- error) error {
	p.background.Go(func() { p.watch.run(background) })
	p.background.Go(func() { p.cache.Follow(background) })
	p.handler = proxy.NewHandler(p.logger, p.metrics.Function("", ""))
	p.background.Go(func() { p.followCertificates(background) })
	p.server = proxy.NewServer(p.handler, p.cfg.Limits, p.logger)
	p.server.Speak(proxy.Protocols{TLS: p.keepers.tls(dataListener), H2C: p.cfg.H2C})
	p.background.Go(func() {
		if err := p.server.Serve(p.data); err != nil {
			failed <- fmt.Errorf("listen: %w", err)
		}
	})
	var err error
	if p.secrets, err = loadSecrets(ctx, p.store); err != nil {
		return err
	}
	if p.functions.keys, err = affinity.NewKeys(p.secrets[secretCookie]); err != nil {
		return err
	}
	p.functions.instanceKey = p.secrets[secretInstances]
	if err := p.apply(p.cfg); err != nil {
		return err
	}
	p.background.Go(func() { p.cache.Run(background, p.store, p.touchesWritten) })
	p.background.Go(func() { p.sweeper().Run(background) })
	p.background.Go(func() { p.drainer().Run(background) })
	return nil
}

// apply puts cfg in force: all of what a running process can change, or nothing.
func (p *process) apply(cfg configs.Config) error {
	err := p.tryApply(cfg)
	p.metrics.Reloaded(err == nil)
	return err
}

func (p *process) tryApply(cfg configs.Config) error {
	plane := proxy.Plane{AccessLog: proxy.AccessLog{Sample: cfg.AccessLog.Sample, Key: p.secrets[secretAccessLog]}}
	if cfg.AccessLog.Enabled {
		plane.AccessLog.Logger = p.accessLog
	}
	var err error
	if plane.Trusted, err = proxy.ParseTrusted(cfg.TrustedProxies); err != nil {
		return err
	}
	admin, err := p.newAdmin(cfg)
	if err != nil {
		return err
	}
	certified, err := p.keepers.prepare(cfg)
	if err != nil {
		return err
	}
	if plane.Routes, err = p.functions.apply(cfg.Functions); err != nil { // last: only it has effects
		return err
	}
	certified()
	p.awaitReady(probePatience)
	p.handler.Swap(plane)
	p.inForce.Store(true)
	p.adminPlane.Store(&admin)
	p.shutdown.Store(&cfg.Shutdown)
	return nil
}

// storeStatus is the store's, but for the moment between its first answer and the functions' being in force: requests still get
// StoreUnavailable then, and a replica without functions would pass for ready.
func (p *process) storeStatus() api.StoreStatus {
	s := p.watch.status()
	s.Reached = s.Reached && p.inForce.Load()
	return s
}

const (
	// readyPoll is how often awaitReady looks.
	readyPoll = 5 * time.Millisecond
	// probePatience is how long new functions may take to probe their instances before requests come: without it the
	// first would find no healthy instance, or a program that has replaced the session's home.
	probePatience = time.Second
)

// awaitReady returns once every instance has been probed, or after patience.
func (p *process) awaitReady(patience time.Duration) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(readyPoll) {
		ready := true
		for _, r := range p.functions.snapshot() {
			ready = ready && r.ready()
		}
		if ready {
			return
		}
	}
}
