package instances

import (
	"net/http"
	"reflect"
	"time"
)

// Defaults of Config.
const (
	DefaultHealthPath     = "/healthz"
	DefaultHealthMethod   = http.MethodGet
	DefaultHealthInterval = 2 * time.Second
	DefaultHealthTimeout  = time.Second
	DefaultFailures       = 3
	DefaultSuccesses      = 2
	DefaultDrainDeadline  = 10 * time.Minute
	DefaultProtocol       = HTTP1
	DefaultDNSRefresh     = 5 * time.Second
	DefaultDNSFamily      = FamilyAny
	DefaultNamespace      = "default"
	DefaultMinProcesses   = 1
	DefaultMaxProcesses   = 8
	DefaultProcessIdle    = 5 * time.Minute
	DefaultStartTimeout   = time.Minute
	DefaultStopGrace      = 10 * time.Second
)

// Config says where a function's instances come from and how their health is known: the key functions[].instances.
type Config struct {
	Static     []StaticInstance  `yaml:"static"`
	DNS        *DNSConfig        `yaml:"dns,omitempty"`
	Kubernetes *KubernetesConfig `yaml:"kubernetes,omitempty"`
	Process    *ProcessConfig    `yaml:"process,omitempty"`
	Protocol   Protocol          `yaml:"protocol"`         // that all of them speak, their health answers too
	Health     *HealthConfig     `yaml:"health,omitempty"` // nil: a TCP connect is the probe
	// AllowedRanges are where an instance may be dialled that only other replicas list. None: private networks, and
	// loopback where an instance of the function's own is there.
	AllowedRanges []string `yaml:"allowed_ranges"`
	// DrainDeadline is how long sessions may stay on a draining instance, unless its drain says.
	DrainDeadline time.Duration `yaml:"drain_deadline"`
}

// StaticInstance is one place that the configuration itself lists.
type StaticInstance struct {
	ID  string `yaml:"id"`
	URL string `yaml:"url"` // http or https, host and port, no path
}

// DNSConfig discovers instances by the A and AAAA records of a name or, where it begins with _service._proto., by its SRV
// records (RFC 2782). They are spoken to by http.
type DNSConfig struct {
	Name    string        `yaml:"name"`    // with the system's search domains, unless it ends in a dot or Server is set
	Port    int           `yaml:"port"`    // of A and AAAA; 0 for SRV, whose records have their own
	Refresh time.Duration `yaml:"refresh"` // the records' TTL counts where it is shorter
	Server  string        `yaml:"server"`  // address and port of a name server; "": those of /etc/resolv.conf
	Family  Family        `yaml:"family"`  // which addresses are asked for
}

// Family names a kind of IP addresses.
type Family string

// The kinds of addresses that DNSConfig.Family may name.
const (
	FamilyAny  Family = "any"
	FamilyIPv4 Family = "ipv4"
	FamilyIPv6 Family = "ipv6"
)

// DefaultDNSConfig returns what the keys left out of functions[].instances.dns mean.
func DefaultDNSConfig() DNSConfig {
	return DNSConfig{Refresh: DefaultDNSRefresh, Family: DefaultDNSFamily}
}

// KubernetesConfig discovers instances by the EndpointSlices of a Service: each Pod behind it is one. They are spoken to
// by http.
type KubernetesConfig struct {
	Namespace string `yaml:"namespace"`
	Service   string `yaml:"service"`
	// Port is the Pods' own port, the Service's targetPort. PortName takes its place: a name of the Service's ports.
	Port     int    `yaml:"port"`
	PortName string `yaml:"port_name"`
	// Kubeconfig and Context say where the API server is. Without both: that of this Pod's service account or, elsewhere,
	// what kubectl takes, $KUBECONFIG or ~/.kube/config.
	Kubeconfig string `yaml:"kubeconfig"`
	Context    string `yaml:"context"`
}

// DefaultKubernetesConfig returns what the keys left out of functions[].instances.kubernetes mean.
func DefaultKubernetesConfig() KubernetesConfig {
	return KubernetesConfig{Namespace: DefaultNamespace}
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
	Path      string        `yaml:"path"`
	Method    string        `yaml:"method"` // GET, HEAD, OPTIONS or POST, the last without a body
	Status    Statuses      `yaml:"status"` // of a healthy answer; redirects are not followed
	Interval  time.Duration `yaml:"interval"`
	Timeout   time.Duration `yaml:"timeout"`
	Failures  int           `yaml:"failures"`  // in a row, until a healthy instance is lost
	Successes int           `yaml:"successes"` // in a row, until a lost instance is ready again; a new one needs one
}

// DefaultHealthConfig returns what the keys left out of functions[].instances.health mean.
func DefaultHealthConfig() HealthConfig {
	return HealthConfig{
		Path: DefaultHealthPath, Method: DefaultHealthMethod, Status: DefaultHealthStatus(),
		Interval: DefaultHealthInterval, Timeout: DefaultHealthTimeout,
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
func DefaultConfig() Config {
	return Config{Protocol: DefaultProtocol, DrainDeadline: DefaultDrainDeadline}
}

// IsZero says whether nothing is set, which is no configuration of a version, but that of an alias.
func (c Config) IsZero() bool { return reflect.ValueOf(c).IsZero() }

// AliveWithin is how long after another replica saw an instance healthy this one may not call it lost: as long as it
// takes that replica to find it failing.
func (c Config) AliveWithin() time.Duration {
	return newRules(PoolConfig{Config: c}).aliveWithin()
}
