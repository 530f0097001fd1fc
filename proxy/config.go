package proxy

import (
	"time"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// Defaults of the data plane.
const (
	DefaultListen              = "127.0.0.1:8080"
	DefaultPath                = "/"
	DefaultRequestsPerInstance = 200
	DefaultInvokePath          = "/invoke"
	DefaultConnectTimeout      = 2 * time.Second
	DefaultResponseHeader      = 60 * time.Second
	DefaultStreamIdle          = 10 * time.Minute
	DefaultHeaderBytes         = 32 << 10
	DefaultHeaderTimeout       = 5 * time.Second
	DefaultShutdownDelay       = 2 * time.Second
	DefaultShutdownDeadline    = 30 * time.Second
	DefaultUpgrade             = "websocket"
	DefaultStreams             = 1000
)

// FunctionConfig is one entry of the key functions. Name and Qualifier identify it.
type FunctionConfig struct {
	Name                string              `yaml:"name"`
	Qualifier           string              `yaml:"qualifier"`
	Match               MatchConfig         `yaml:"match"`
	Weights             Weights             `yaml:"weights,omitempty"` // of an alias; nil: this is a version, with instances of its own
	Affinity            affinity.Config     `yaml:"affinity"`
	Sessions            sessions.Config     `yaml:"sessions"`
	RequestsPerInstance int                 `yaml:"requests_per_instance"` // in flight; each replica counts for itself
	OnInstanceLoss      sessions.LossPolicy `yaml:"on_instance_loss"`
	LossGrace           time.Duration       `yaml:"loss_grace"`
	WhenFull            WhenFullConfig      `yaml:"when_full"`
	Instances           instances.Config    `yaml:"instances,omitempty"` // of a version
	Invoke              bool                `yaml:"invoke"`
	InvokePath          string              `yaml:"invoke_path"`
	Upgrades            []string            `yaml:"upgrades"` // protocols that a client may upgrade to; others are not passed on
	Timeouts            TimeoutsConfig      `yaml:"timeouts"`
}

// MatchConfig says which requests are a function's. Host, if set, comes before Path; the longest Path wins.
type MatchConfig struct {
	Host string `yaml:"host"` // without port, any case; "": every host
	Path string `yaml:"path"` // a prefix that ends at a segment boundary
}

// WhenFullConfig says how long a new session may wait for a slot.
type WhenFullConfig struct {
	Wait time.Duration `yaml:"wait"`
}

// TimeoutsConfig bounds what an instance may take.
type TimeoutsConfig struct {
	Connect        time.Duration `yaml:"connect"`
	ResponseHeader time.Duration `yaml:"response_header"`
	Idle           time.Duration `yaml:"idle"` // of a stream: no byte either way, or nothing of what is sent is taken
}

// DefaultFunctionConfig returns what the keys left out of a function mean.
func DefaultFunctionConfig() FunctionConfig {
	return FunctionConfig{
		Qualifier:           sessions.LatestQualifier,
		Match:               MatchConfig{Path: DefaultPath},
		Affinity:            affinity.DefaultConfig(),
		Sessions:            sessions.DefaultConfig(),
		RequestsPerInstance: DefaultRequestsPerInstance,
		OnInstanceLoss:      sessions.LossRehome,
		LossGrace:           sessions.DefaultLossGrace,
		Instances:           instances.DefaultConfig(),
		InvokePath:          DefaultInvokePath,
		Upgrades:            []string{DefaultUpgrade},
		Timeouts: TimeoutsConfig{
			Connect: DefaultConnectTimeout, ResponseHeader: DefaultResponseHeader, Idle: DefaultStreamIdle,
		},
	}
}

// LimitsConfig is the key limits: what the data listener takes from a client.
type LimitsConfig struct {
	HeaderBytes   ByteSize      `yaml:"header_bytes"`
	HeaderTimeout time.Duration `yaml:"header_timeout"`
	Streams       int           `yaml:"streams"` // requests at once on one HTTP/2 connection
}

// ShutdownConfig is the key shutdown.
type ShutdownConfig struct {
	Delay    time.Duration `yaml:"delay"`    // /readyz says 503 and requests are still taken
	Deadline time.Duration `yaml:"deadline"` // then: how long requests in flight may take to finish
}

// AccessLogConfig is the key access_log.
type AccessLogConfig struct {
	Enabled bool    `yaml:"enabled"`
	Sample  float64 `yaml:"sample"` // the share of successful requests that is logged, 0 to 1; errors always are
}
