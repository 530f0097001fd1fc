package main

import (
	"time"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// plan is the configuration that is being put in force.
type plan struct {
	cfgs    []proxy.FunctionConfig
	next    map[functionID]*running // pools first
	removed map[functionID]time.Time
}

// rules are those of cfg's sessions, which keep to what each version says of its instances.
func (in plan) rules(cfg proxy.FunctionConfig) sessions.Rules {
	r := rules(cfg)
	r.Versions = map[string]sessions.VersionRules{}
	for _, other := range in.cfgs {
		if other.Name != cfg.Name {
			continue
		}
		if other.Qualifier != cfg.Qualifier && other.Affinity.Type != sessions.AffinityNone {
			r.Others = append(r.Others, other.Qualifier)
		}
		if !other.IsAlias() {
			v := sessions.VersionRules{PerInstance: other.Sessions.PerInstance, AliveWithin: other.Instances.AliveWithin()}
			r.Versions[other.Qualifier] = v
			r.AliveWithin = max(r.AliveWithin, v.AliveWithin) // of a version that only other replicas know yet
		}
	}
	return r
}

// idle gives an alias the greatest requests_per_instance of its function's versions: as many idle connections to an
// instance are worth keeping.
func (in plan) idle(cfg proxy.FunctionConfig) proxy.FunctionConfig {
	if !cfg.IsAlias() {
		return cfg
	}
	for _, other := range in.cfgs {
		if other.Name == cfg.Name {
			cfg.RequestsPerInstance = max(cfg.RequestsPerInstance, other.RequestsPerInstance)
		}
	}
	return cfg
}

// reservationGrace is how long a slot is kept for a session beyond what its instance may take to answer: for the request's
// body to be sent, and the ID to be bound.
const reservationGrace = 30 * time.Second

func rules(cfg proxy.FunctionConfig) sessions.Rules {
	return sessions.Rules{
		Function: cfg.Name, Qualifier: cfg.Qualifier, Config: cfg.Sessions, Affinity: cfg.Affinity.Type,
		OnLoss: cfg.OnInstanceLoss, LossGrace: cfg.LossGrace, Wait: cfg.WhenFull.Wait,
		AliveWithin:     cfg.Instances.AliveWithin(),
		Immovable:       cfg.Affinity.Type == sessions.AffinityMCPStreamable || cfg.Affinity.Type == sessions.AffinityMCPSSE,
		CutEnded:        cfg.Affinity.Type == sessions.AffinityMCPSSE,
		ReservationLife: cfg.Timeouts.Connect + cfg.Timeouts.ResponseHeader + reservationGrace,
	}
}
