package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/limpet-proxy/limpet/configs"
	processes "github.com/limpet-proxy/limpet/instances/process"
	"github.com/limpet-proxy/limpet/proxy"
)

// newHost returns what the processes of all functions share. listen is where this replica takes requests.
func newHost(store configs.StoreKind, listen string) (processes.Host, error) {
	binary, err := ownBinary()
	if err != nil {
		return processes.Host{}, fmt.Errorf("where is this program: %w", err)
	}
	return processes.Host{
		Keeper: []string{binary, keepName}, Owner: replicaName(store, listen), Ports: &processes.Ports{},
	}, nil
}

// replicaName tells this replica from others on its store, and is the same after a restart. An embedded store has one.
func replicaName(store configs.StoreKind, listen string) string {
	if store == configs.StoreEmbedded {
		return "0"
	}
	host, _ := os.Hostname() // without a name it is told from others by its address alone
	sum := sha256.Sum256([]byte(host + "\x00" + listen))
	return hex.EncodeToString(sum[:4])
}

// processSource is the source of the function's processes: old's, if it has run some before. It starts nothing yet.
func (f *functions) processSource(cfg proxy.FunctionConfig, old *running) source {
	if old != nil && old.local() != nil {
		return source{Source: old.local()}
	}
	host := f.host
	host.Logger = f.logger.With("function", cfg.Name, "qualifier", cfg.Qualifier)
	return source{Source: processes.New(f.processConfig(cfg), host)}
}

func (f *functions) processConfig(cfg proxy.FunctionConfig) processes.Config {
	pool := f.poolConfig(prepared{cfg: cfg})
	return processes.Config{
		ProcessConfig: *cfg.Instances.Process, Isolation: cfg.Sessions.Isolation, PerInstance: cfg.Sessions.PerInstance,
		LossGrace: pool.LossGrace, DrainDeadline: cfg.Instances.DrainDeadline, Probe: pool.Probe(),
	}
}

// local is the source of the function's processes; nil if it runs none.
func (r *running) local() *processes.Source {
	for _, s := range r.sources {
		if local, ok := s.Source.(*processes.Source); ok {
			return local
		}
	}
	return nil
}

// problem is why processes do not start, "" if they do.
func (r *running) problem() string {
	if local := r.local(); local != nil {
		return local.Problem()
	}
	return ""
}
