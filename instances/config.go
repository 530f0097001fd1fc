package instances

import (
	"reflect"
	"time"
)

// Defaults of Config.
const (
	DefaultHealthPath     = "/healthz"
	DefaultHealthInterval = 2 * time.Second
	DefaultHealthTimeout  = time.Second
	DefaultFailures       = 3
	DefaultSuccesses      = 2
	DefaultDrainDeadline  = 10 * time.Minute
)

// Config says where a function's instances come from and how their health is known: the key functions[].instances.
type Config struct {
	Static        []StaticInstance  `yaml:"static"`
	DNS           *DNSConfig        `yaml:"dns,omitempty"`
	Kubernetes    *KubernetesConfig `yaml:"kubernetes,omitempty"`
	Process       *ProcessConfig    `yaml:"process,omitempty"`
	Health        *HealthConfig     `yaml:"health,omitempty"` // nil: a TCP connect is the probe
	DrainDeadline time.Duration     `yaml:"drain_deadline"`   // how long sessions may stay on a draining instance, unless its drain says
}

// StaticInstance is one place that the configuration itself lists.
type StaticInstance struct {
	ID  string `yaml:"id"`
	URL string `yaml:"url"` // http or https, host and port, no path
}

// DNSConfig discovers instances by A, AAAA or SRV records. Not built yet.
type DNSConfig struct {
	Name    string        `yaml:"name"`
	Port    int           `yaml:"port"`
	Refresh time.Duration `yaml:"refresh"`
}

// KubernetesConfig discovers instances by EndpointSlices. Not built yet.
type KubernetesConfig struct {
	Namespace string `yaml:"namespace"`
	Service   string `yaml:"service"`
	Port      int    `yaml:"port"`
}

// ProcessConfig runs local processes as instances. Not built yet.
type ProcessConfig struct {
	Command []string `yaml:"command"`
	Min     int      `yaml:"min"`
	Max     int      `yaml:"max"`
}

// HealthConfig is the active probe.
type HealthConfig struct {
	Path      string        `yaml:"path"` // GET; 2xx is healthy
	Interval  time.Duration `yaml:"interval"`
	Timeout   time.Duration `yaml:"timeout"`
	Failures  int           `yaml:"failures"`  // in a row, until a healthy instance is lost
	Successes int           `yaml:"successes"` // in a row, until a lost instance is ready again; a new one needs one
}

// DefaultHealthConfig returns what the keys left out of functions[].instances.health mean.
func DefaultHealthConfig() HealthConfig {
	return HealthConfig{
		Path: DefaultHealthPath, Interval: DefaultHealthInterval, Timeout: DefaultHealthTimeout,
		Failures: DefaultFailures, Successes: DefaultSuccesses,
	}
}

// DefaultConfig returns the configuration of a function that says nothing about its instances.
func DefaultConfig() Config { return Config{DrainDeadline: DefaultDrainDeadline} }

// IsZero says whether nothing is set, which is no configuration of a version, but that of an alias.
func (c Config) IsZero() bool { return reflect.ValueOf(c).IsZero() }

// AliveWithin is how long after another replica saw an instance healthy this one may not call it lost: as long as it
// takes that replica to find it failing.
func (c Config) AliveWithin() time.Duration {
	return newRules(PoolConfig{Config: c}).aliveWithin()
}
