package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// secrets are what the replicas of a deployment have in common, by name.
type secrets map[string][]byte

// The names of secrets in the store.
const (
	secretCookie     = "cookie"      // signs the cookies of functions without a keys_file
	secretAccessLog  = "access-log"  // of the session hashes in logs
	secretSessionAPI = "session-api" // seals page tokens
	secretInstances  = "instances"   // makes the IDs of instances that are found by address
)

// loadSecrets waits for the store.
func loadSecrets(ctx context.Context, store sessions.Shared) (secrets, error) {
	all := secrets{}
	for _, name := range []string{secretCookie, secretAccessLog, secretSessionAPI, secretInstances} {
		secret, err := sharedSecret(ctx, store, name)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		all[name] = secret
	}
	return all, nil
}

// newSessionAPI returns nil before there are secrets.
func (p *process) newSessionAPI(auth *api.Auth, cfg api.SessionsConfig) (*api.SessionAPI, error) {
	if p.secrets == nil {
		return nil, nil
	}
	log := proxy.AccessLog{Key: p.secrets[secretAccessLog]}
	return api.SessionAPI{
		Auth: auth, Deployment: p.cfg.Deployment, MaxTTL: cfg.MaxTTL, Store: p.store, Functions: p.functions.api,
		Invoke: http.HandlerFunc(p.handler.Invoke), Secret: p.secrets[secretSessionAPI],
		Audit: p.logger, HashSession: log.SessionHash,
	}.New()
}

// api is what the session API needs of the functions in force.
func (f *functions) api() []api.Function {
	var all []api.Function
	for _, r := range f.snapshot() {
		cfg, rule := r.function.Config, r.function.Rule
		fn := api.Function{
			Name: cfg.Name, Qualifier: cfg.Qualifier, Affinity: cfg.Affinity.Type, Source: sourceNames(cfg.Instances), Table: r.function.Table,
			DrainDeadline: cfg.Instances.DrainDeadline, Versions: cfg.Weights.Versions(),
			Issue: func(h http.Header, s sessions.Session, secure bool) {
				if cfg.Affinity.Type == sessions.AffinityCookie {
					rule.Respond(h, affinity.Grant{ID: s.ID, Issue: true, TTL: s.TTL, Secure: secure})
				}
			},
		}
		if r.pool != nil {
			fn.Refresh, fn.InFlight = r.pool.Refresh, r.pool.InFlight
		}
		all = append(all, fn)
	}
	return all
}
