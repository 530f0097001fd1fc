package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/limpet-proxy/limpet/certificates"
	"github.com/limpet-proxy/limpet/configs"
	"github.com/limpet-proxy/limpet/metrics"
)

// The listeners, as metrics and logs name them: by their keys.
const (
	dataListener  = "listen"
	adminListener = "admin"
)

// keepers keep the TLS of the listeners, by the listener's name. One without TLS has none.
type keepers map[string]*certificates.Keeper

// newKeepers reads the files of both listeners.
func newKeepers(cfg configs.Config) (keepers, error) {
	all := keepers{}
	for name, c := range tlsConfigs(cfg) {
		keeper, err := certificates.New(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = keeper
	}
	return all, nil
}

func tlsConfigs(cfg configs.Config) map[string]certificates.Config {
	all := map[string]certificates.Config{}
	if cfg.TLS != nil {
		all[dataListener] = *cfg.TLS
	}
	if cfg.AdminTLS != nil {
		all[adminListener] = *cfg.AdminTLS
	}
	return all
}

// tls is the configuration of a listener; nil: without.
func (k keepers) tls(name string) *tls.Config {
	if keeper := k[name]; keeper != nil {
		return keeper.TLS()
	}
	return nil
}

// prepare reads all files of a reload's configuration, which has TLS where the process has it, and returns what puts it in
// force.
func (k keepers) prepare(cfg configs.Config) (commit func(), err error) {
	var commits []func()
	for name, c := range tlsConfigs(cfg) {
		commit, err := k[name].Prepare(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		commits = append(commits, commit)
	}
	return func() {
		for _, commit := range commits {
			commit()
		}
	}, nil
}

// followCertificates puts certificates in force when their files change, until ctx is done.
func (p *process) followCertificates(ctx context.Context) {
	if len(p.keepers) == 0 {
		return
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.refreshCertificates()
		case <-ctx.Done():
			return
		}
	}
}

func (p *process) refreshCertificates() {
	for name, keeper := range p.keepers {
		switch changed, err := keeper.Refresh(); {
		case !changed:
		case err != nil:
			p.logger.Error("certificates not reloaded, the old ones stay in force", "listener", name, "error", err)
			p.metrics.CertificatesReloaded(name, false)
		default:
			p.logger.Info("certificates reloaded", "listener", name)
			p.metrics.CertificatesReloaded(name, true)
		}
	}
}

// samples is what metrics say of the certificates in force.
func (k keepers) samples() (all []metrics.CertificateSample) {
	for name, keeper := range k {
		for _, e := range keeper.Expiries() {
			all = append(all, metrics.CertificateSample{Listener: name, File: e.File, NotAfter: e.NotAfter})
		}
	}
	return all
}
