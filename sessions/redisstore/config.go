package redisstore

import "time"

// Defaults of Config.
const (
	DefaultAddr      = "127.0.0.1:6379"
	DefaultKeyPrefix = "limpet"
	DefaultStaleMax  = 30 * time.Second
)

// Config is the key store.redis.
type Config struct {
	Addrs        []string      `yaml:"addrs"`       // one: standalone; several: cluster; with MasterName: sentinels
	MasterName   string        `yaml:"master_name"` // set: Addrs are sentinels
	Username     string        `yaml:"username"`
	PasswordFile string        `yaml:"password_file"`
	TLS          bool          `yaml:"tls"`
	KeyPrefix    string        `yaml:"key_prefix"`
	OnOutage     OutagePolicy  `yaml:"on_outage"`
	StaleMax     time.Duration `yaml:"stale_max"` // bounded: how long a cached session is served without Redis
}

// OutagePolicy says what cached sessions do while Redis does not answer. A replica cannot tell an outage of Redis
// from its own isolation: what it serves meanwhile may have been deleted or moved elsewhere.
type OutagePolicy string

// The values of OutagePolicy.
const (
	OutageBounded   OutagePolicy = "bounded"   // served for StaleMax after the last answer
	OutageAvailable OutagePolicy = "available" // served until the session's own deadline
	OutageStrict    OutagePolicy = "strict"    // not served
)

// DefaultConfig returns what the keys left out of store.redis mean.
func DefaultConfig() Config {
	return Config{
		Addrs: []string{DefaultAddr}, KeyPrefix: DefaultKeyPrefix,
		OnOutage: OutageBounded, StaleMax: DefaultStaleMax,
	}
}
