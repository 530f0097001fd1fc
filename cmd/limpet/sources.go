package main

import (
	"reflect"
	"strings"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/dns"
	"github.com/limpet-proxy/limpet/instances/kubernetes"
	"github.com/limpet-proxy/limpet/proxy"
)

// source is where instances of a function come from, and the configuration that it was made of.
type source struct {
	instances.Source
	config any
}

// newSources returns the sources of a function beside its static list. One of old's whose configuration has not changed
// goes on; old may be nil.
func (f *functions) newSources(cfg proxy.FunctionConfig, old *running) ([]source, error) {
	var all []source
	if c := cfg.Instances.DNS; c != nil {
		s, err := kept(*c, old, func() (instances.Source, error) {
			log := f.logger.With("function", cfg.Name, "qualifier", cfg.Qualifier)
			return dns.New(dns.Config{DNSConfig: *c, Key: f.instanceKey, Logger: log})
		})
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if c := cfg.Instances.Kubernetes; c != nil {
		s, err := kept(*c, old, func() (instances.Source, error) {
			log := f.logger.With("function", cfg.Name, "qualifier", cfg.Qualifier)
			return kubernetes.New(kubernetes.Config{KubernetesConfig: *c, Logger: log})
		})
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// kept returns old's source of this configuration, or a new one.
func kept(config any, old *running, fresh func() (instances.Source, error)) (source, error) {
	if old != nil {
		for _, s := range old.sources {
			if reflect.DeepEqual(s.config, config) {
				return s, nil
			}
		}
	}
	s, err := fresh()
	return source{s, config}, err
}

// sourceNames are the keys by which a function's configuration names its sources.
func sourceNames(c instances.Config) string {
	var names []string
	if len(c.Static) > 0 {
		names = append(names, "static")
	}
	if c.DNS != nil {
		names = append(names, "dns")
	}
	if c.Kubernetes != nil {
		names = append(names, "kubernetes")
	}
	return strings.Join(names, ",")
}
