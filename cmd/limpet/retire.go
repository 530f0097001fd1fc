package main

import (
	"context"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// retireTimeout bounds the last report of a function.
const retireTimeout = 3 * time.Second

// retire tells the store that the instances of a function that is no longer listed are gone: its pool has ended, and
// nobody else would.
func (f *functions) retire(old *running) {
	<-old.stopped // its own last report is written
	cfg := old.function.Config
	r := sessions.Report{Function: cfg.Name, Version: cfg.Qualifier}
	for _, v := range old.pool.Snapshot() {
		if v.Hearsay {
			continue
		}
		r.Instances = append(r.Instances, sessions.InstanceReport{ID: v.ID, Health: sessions.HealthGone})
	}
	ctx, cancel := context.WithTimeout(context.Background(), retireTimeout)
	defer cancel()
	if _, err := f.store.Report(ctx, r); err != nil {
		f.logger.Warn("instances of a function that is no longer listed not reported gone",
			"function", cfg.Name, "qualifier", cfg.Qualifier, "error", err)
	}
}
