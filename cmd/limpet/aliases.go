package main

import (
	"context"
	"maps"
	"time"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// homes is what the function's table asks about instances.
func (r *running) homes() sessions.Pool {
	if r.split != nil {
		return r.split
	}
	return r.pool
}

// dials is what finds the function's instances for the proxy.
func (r *running) dials() proxy.Pool {
	if r.split != nil {
		return r.split
	}
	return r.pool
}

// find is what learns from the registry of homes that only other replicas know.
func (r *running) find() func(context.Context, sessions.Home) {
	if r.split != nil {
		return r.split.Find
	}
	return r.pool.Find
}

// growth is what asks for more instances, and what says that there are some, all of them full.
func (r *running) growth() (want func(version string, n int), occupied func() bool) {
	if r.split != nil {
		return r.split.Want, r.split.Occupied
	}
	return func(_ string, n int) { r.pool.Want(n) }, r.pool.Occupied
}

// halt stops what runs.
func (r *running) halt() {
	if r.split != nil {
		r.split.Close()
	}
	if r.pool != nil {
		r.stop()
	}
}

// wait returns when it has ended.
func (r *running) wait() {
	if r.pool != nil {
		<-r.stopped
	}
}

// nextRemoved are the versions that are no longer configured once ready is in force: sessions that an alias had there find
// their home gone.
func (f *functions) nextRemoved(ready []prepared) map[functionID]time.Time {
	removed := maps.Clone(f.removed)
	if removed == nil {
		removed = map[functionID]time.Time{}
	}
	for id, r := range f.all {
		if r.pool != nil {
			removed[id] = time.Now()
		}
	}
	for _, p := range ready {
		if !p.cfg.IsAlias() {
			delete(removed, p.id())
		}
	}
	return removed
}

// split makes the pools of a function's versions one: for an alias by its weights, for a version with all the weight, and nil
// for one that never had another beside it.
func (in plan) split(cfg proxy.FunctionConfig) (*instances.Split, error) {
	sc := instances.SplitConfig{Pools: map[string]*instances.Pool{}, Weights: cfg.Weights, Removed: map[string]time.Time{}}
	for id, r := range in.next {
		if id.name == cfg.Name && r.pool != nil {
			sc.Pools[id.qualifier] = r.pool
		}
	}
	for id, at := range in.removed {
		if id.name == cfg.Name {
			sc.Removed[id.qualifier] = at
		}
	}
	if cfg.IsAlias() {
		return instances.NewSplit(sc)
	}
	if len(sc.Pools)+len(sc.Removed) == 1 {
		return nil, nil
	}
	sc.Weights = map[string]int{cfg.Qualifier: 1}
	return instances.NewSplit(sc)
}

// ready says whether each instance has been probed once. Those of an alias are its versions'.
func (r *running) ready() bool { return r.pool == nil || r.pool.Ready() }

// aliasStatuses completes the statuses of aliases, with what is said of their versions.
func (f *functions) aliasStatuses(all []api.FunctionStatus) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, s := range all {
		r := f.all[functionID{s.Name, s.Qualifier}]
		if r == nil || r.split == nil {
			continue
		}
		weights := r.function.Config.Weights
		for _, version := range weights.Versions() {
			for _, v := range all {
				if v.Name == s.Name && v.Qualifier == version {
					all[i].Versions = append(all[i].Versions, api.NewVersionStatus(v, weights[version]))
					all[i].Probed = all[i].Probed && v.Probed
				}
			}
		}
	}
}
