package main

import (
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

// end stops what runs, and waits for it.
func (r *running) end() {
	if r.split != nil {
		r.split.Close()
		return
	}
	r.stop()
	<-r.stopped
}

// aliasesLast orders entries so that the pools of an alias's versions are there before it.
func aliasesLast(a, b prepared) int {
	switch {
	case a.cfg.IsAlias() == b.cfg.IsAlias():
		return 0
	case b.cfg.IsAlias():
		return -1
	default:
		return 1
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

// split makes the pools of an alias's function one, by its weights.
func (in plan) split(alias proxy.FunctionConfig) (*instances.Split, error) {
	cfg := instances.SplitConfig{Pools: map[string]*instances.Pool{}, Weights: alias.Weights, Removed: map[string]time.Time{}}
	for id, r := range in.next {
		if id.name == alias.Name && r.pool != nil {
			cfg.Pools[id.qualifier] = r.pool
		}
	}
	for id, at := range in.removed {
		if id.name == alias.Name {
			cfg.Removed[id.qualifier] = at
		}
	}
	return instances.NewSplit(cfg)
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
