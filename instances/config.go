package instances

import "time"

// Defaults of Config.
const (
	DefaultHealthPath     = "/healthz"
	DefaultHealthInterval = 2 * time.Second
	DefaultHealthTimeout  = time.Second
	DefaultFailures       = 3
	DefaultSuccesses      = 2
	DefaultDrainDeadline  = 10 * time.Minute
	DefaultMinProcesses   = 1
	DefaultMaxProcesses   = 8
	DefaultProcessIdle    = 5 * time.Minute
	DefaultStartTimeout   = time.Minute
	DefaultStopGrace      = 10 * time.Second
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

// ProcessConfig runs local processes as instances.
type ProcessConfig struct {
	// Command is the program and its arguments. ${PORT} in one is the port of the loopback address that the process is
	// to listen on; the environment, which is Limpet's own, has it as PORT too.
	Command []string `yaml:"command"`
	Min     int      `yaml:"min"` // processes that run, or with isolation wait for a session, at least
	Max     int      `yaml:"max"` // processes at once, at most
	// IdleTimeout is how long a process beyond Min may be without sessions and requests.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// StartTimeout is how long a process may take until it is healthy.
	StartTimeout time.Duration `yaml:"start_timeout"`
	// StopGrace is how long a process may take to end after SIGTERM.
	StopGrace time.Duration `yaml:"stop_grace"`
	Memory    ByteSize      `yaml:"memory"` // of a process with all its children; 0: no limit
	CPU       float64       `yaml:"cpu"`    // processors, likewise
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

// DefaultProcessConfig returns what the keys left out of functions[].instances.process mean.
func DefaultProcessConfig() ProcessConfig {
	return ProcessConfig{
		Min: DefaultMinProcesses, Max: DefaultMaxProcesses, IdleTimeout: DefaultProcessIdle,
		StartTimeout: DefaultStartTimeout, StopGrace: DefaultStopGrace,
	}
}

// DefaultConfig returns the configuration of a function that says nothing about its instances.
func DefaultConfig() Config { return Config{DrainDeadline: DefaultDrainDeadline} }

// AliveWithin is how long after another replica saw an instance healthy this one may not call it lost: as long as it
// takes that replica to find it failing.
func (c Config) AliveWithin() time.Duration {
	return newRules(PoolConfig{Config: c}).aliveWithin()
}
