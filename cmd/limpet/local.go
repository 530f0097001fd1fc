package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/limpet-proxy/limpet/configs"
	processes "github.com/limpet-proxy/limpet/instances/process"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
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

// newProcesses returns the source of the function's processes, nil where it runs none. It starts nothing yet.
func (f *functions) newProcesses(cfg proxy.FunctionConfig) *processes.Source {
	if cfg.Instances.Process == nil {
		return nil
	}
	host := f.host
	host.Logger = f.logger.With("function", cfg.Name, "qualifier", cfg.Qualifier)
	return processes.New(f.processConfig(cfg), host)
}

func (f *functions) processConfig(cfg proxy.FunctionConfig) processes.Config {
	c := processes.Config{
		ProcessConfig: *cfg.Instances.Process, Isolation: cfg.Sessions.Isolation, PerInstance: cfg.Sessions.PerInstance,
		DrainDeadline: cfg.Instances.DrainDeadline, Probe: f.poolConfig(prepared{cfg: cfg}).Probe(),
	}
	if cfg.OnInstanceLoss == sessions.LossFail {
		c.LossGrace = cfg.LossGrace
	}
	return c
}

// keptProcesses is the source that the function of p has from now on: the one that runs, if both have one.
func keptProcesses(old *processes.Source, p prepared) *processes.Source {
	if old != nil && p.local != nil {
		return old
	}
	return p.local
}

// problem is why processes do not start, "" if they do.
func (r *running) problem() string {
	if r.local == nil {
		return ""
	}
	return r.local.Problem()
}
