package main

import (
	"time"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/metrics"
)

// statuses is what health and page say of the functions.
func (f *functions) statuses() []api.FunctionStatus {
	var all []api.FunctionStatus
	for _, r := range f.snapshot() {
		cfg := r.function.Config
		s := api.FunctionStatus{Name: cfg.Name, Qualifier: cfg.Qualifier, Affinity: string(cfg.Affinity.Type), Probed: r.ready(), Problem: r.problem()}
		if r.pool == nil {
			all = append(all, s)
			continue
		}
		for _, v := range r.pool.Snapshot() {
			s.Instances = append(s.Instances, api.InstanceStatus{
				ID: v.ID, State: v.State, Since: v.Since, Sessions: v.Sessions,
				PerInstance: cfg.Sessions.PerInstance, InFlight: v.InFlight, DrainUntil: v.DrainUntil,
			})
		}
		all = append(all, s)
	}
	f.aliasStatuses(all)
	return all
}

// samples is what metrics say of the instances.
func (f *functions) samples() []metrics.InstanceSample {
	var all []metrics.InstanceSample
	for _, s := range f.statuses() {
		for _, i := range s.Instances {
			all = append(all, metrics.InstanceSample{
				Function: s.Name, Qualifier: s.Qualifier, Instance: i.ID, State: i.State,
				Sessions: i.Sessions, InFlight: i.InFlight,
				Draining: !i.DrainUntil.IsZero(), DrainLeft: time.Until(i.DrainUntil),
			})
		}
	}
	return all
}

// waiting is what metrics say of the queues for a slot.
func (f *functions) waiting() []metrics.WaitingSample {
	var all []metrics.WaitingSample
	for _, r := range f.snapshot() {
		cfg := r.function.Config
		all = append(all, metrics.WaitingSample{Function: cfg.Name, Qualifier: cfg.Qualifier, Requests: r.queue.Waiting()})
	}
	return all
}
