package sessions

import "time"

// Defaults of Config.
const (
	DefaultTTL         = 6 * time.Hour
	DefaultIdleTimeout = 30 * time.Minute
	DefaultPerInstance = 20
	DefaultLossGrace   = 30 * time.Second
	// DefaultCacheSessions is how many entries the LRU holds: the key cache.sessions.
	DefaultCacheSessions = 100_000
)

// Config are the rules of one function's sessions: the key functions[].sessions.
type Config struct {
	TTL            time.Duration `yaml:"ttl"`
	IdleTimeout    time.Duration `yaml:"idle_timeout"`
	PerInstance    int           `yaml:"per_instance"`
	Isolation      bool          `yaml:"isolation"`
	DisableIDReuse bool          `yaml:"disable_id_reuse"`
}

// DefaultConfig returns the rules of a function that names none.
func DefaultConfig() Config {
	return Config{TTL: DefaultTTL, IdleTimeout: DefaultIdleTimeout, PerInstance: DefaultPerInstance}
}

// LossPolicy says what becomes of the sessions of a lost instance: the key functions[].on_instance_loss.
type LossPolicy string

const (
	// LossRehome moves each session to another instance on its next request, and tells both ends.
	LossRehome LossPolicy = "rehome"
	// LossFail answers 503 while the instance may come back, for the loss grace, and then ends the session.
	LossFail LossPolicy = "fail"
)
