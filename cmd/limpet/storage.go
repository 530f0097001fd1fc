package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/configs"
	"github.com/limpet-proxy/limpet/metrics"
	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

const (
	// pingEvery is how often the store is asked whether it answers, for /readyz.
	pingEvery = time.Second
	// secretRetry is how long a start that cannot reach the store waits before it tries again.
	secretRetry = 500 * time.Millisecond
)

// openStore opens the store of cfg, observed by m, and returns its news if it has any. Redis need not answer yet.
func openStore(cfg configs.StoreConfig, m *metrics.Metrics, logger *slog.Logger) (sessions.Store, sessions.News, error) {
	var store sessions.Store
	var err error
	if cfg.Kind == configs.StoreRedis {
		store, err = redisstore.Open(cfg.Redis, redisstore.Options{Logger: logger})
	} else {
		store, err = embeddedstore.Open(cfg.Config)
	}
	if err != nil {
		return nil, nil, err
	}
	news, _ := store.(sessions.News)
	return sessions.Observed{Store: store, Hook: func(op string, took time.Duration, err error) {
		m.StoreOperation(storeOps[op], storeResult(err), took)
	}}, news, nil
}

var storeOps = map[string]metrics.StoreOp{
	"pin": metrics.OpPin, "rehome": metrics.OpRehome, "end": metrics.OpEnd, "touch": metrics.OpTouch,
	"sweep": metrics.OpSweep, "get": metrics.OpGet, "list": metrics.OpList, "report": metrics.OpReport,
	"instances": metrics.OpInstances, "secret": metrics.OpSecret, "ping": metrics.OpPing,
	"update": metrics.OpUpdate, "history": metrics.OpHistory, "qualifiers": metrics.OpQualifiers, "once": metrics.OpOnce, "forget": metrics.OpForget, "mark": metrics.OpMark,
	"bind": metrics.OpBind,
}

// storeResult tells an answer that is not the wanted one from no answer.
func storeResult(err error) metrics.StoreResult {
	if err == nil {
		return metrics.StoreOK
	}
	for _, refusal := range []error{
		sessions.ErrExists, sessions.ErrNotFound, sessions.ErrFull, sessions.ErrIDReuse, sessions.ErrMoved, sessions.ErrAlive,
		sessions.ErrMismatch,
	} {
		if errors.Is(err, refusal) {
			return metrics.StoreRefused
		}
	}
	if errors.Is(err, sessions.ErrUnavailable) {
		return metrics.StoreUnavailable
	}
	return metrics.StoreError
}

// staleMax is how long cached sessions route while the store does not answer: see sessions.CacheConfig.
func staleMax(cfg configs.StoreConfig) time.Duration {
	switch {
	case cfg.Kind != configs.StoreRedis, cfg.Redis.OnOutage == redisstore.OutageStrict:
		return 0
	case cfg.Redis.OnOutage == redisstore.OutageAvailable:
		return -1
	default:
		return cfg.Redis.StaleMax
	}
}

func (p *process) tableSample() metrics.TableSample {
	st := p.cache.Stats()
	return metrics.TableSample{
		CacheEntries: st.Entries, CacheEvictions: st.Evicted, CacheInvalidations: st.News, TouchBacklog: st.Tracked,
		Waiting: p.functions.waiting(), NewsAge: p.newsAge(),
	}
}

// newsAge is how old the oldest of the functions' news are; negative without news.
func (p *process) newsAge() time.Duration {
	oldest := time.Duration(-1)
	if p.news == nil {
		return oldest
	}
	for _, name := range p.functions.names() {
		fresh := p.news.Fresh(name)
		if fresh.Since.IsZero() {
			continue
		}
		at := fresh.At
		if at.Before(fresh.Since) {
			at = fresh.Since // nothing was heard yet
		}
		oldest = max(oldest, time.Since(at))
	}
	return oldest
}

// storeWatch asks the store again and again whether it answers.
type storeWatch struct {
	kind        configs.StoreKind
	store       sessions.Shared
	logger      *slog.Logger
	reached, up atomic.Bool
}

func (w *storeWatch) status() api.StoreStatus {
	return api.StoreStatus{Kind: string(w.kind), Reached: w.reached.Load(), Up: w.up.Load()}
}

// run asks until ctx is done.
func (w *storeWatch) run(ctx context.Context) {
	for {
		w.ask(ctx)
		select {
		case <-time.After(pingEvery):
		case <-ctx.Done():
			return
		}
	}
}

func (w *storeWatch) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pingEvery)
	defer cancel()
	err := w.store.Ping(ctx)
	if err == nil {
		w.reached.Store(true)
	}
	if was := w.up.Swap(err == nil); was && err != nil {
		w.logger.Warn("session store does not answer", "error", err)
	} else if !was && err == nil {
		w.logger.Info("session store answers")
	}
}

// sharedSecret asks the store for a secret until it answers or ctx is done: a proxy that starts before its Redis
// recovers without a hand.
func sharedSecret(ctx context.Context, store sessions.Shared, name string) ([]byte, error) {
	for {
		secret, err := store.Secret(ctx, name)
		if !errors.Is(err, sessions.ErrUnavailable) {
			return secret, err
		}
		select {
		case <-time.After(secretRetry):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
