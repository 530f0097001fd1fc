package api

import "time"

// DefaultAdmin is where the admin plane listens.
const DefaultAdmin = "127.0.0.1:9090"

// The longest lives that an API call may give a session, whatever the function's own ttl.
const (
	// DefaultFCMaxTTL is what Function Compute documents for sessionTTLInSeconds.
	DefaultFCMaxTTL = 6 * time.Hour
	// DefaultAgentCoreMaxTTL is what AgentCore documents for sessionTimeoutSeconds.
	DefaultAgentCoreMaxTTL = 8 * time.Hour
)

// SessionsConfig is the key session_api.
type SessionsConfig struct {
	MaxTTL MaxTTLConfig `yaml:"max_ttl"`
}

// MaxTTLConfig are the ceilings of the lives that calls ask for, in whole seconds.
type MaxTTLConfig struct {
	FC        time.Duration `yaml:"fc"`
	AgentCore time.Duration `yaml:"agentcore"`
}

// DefaultSessionsConfig returns what the keys left out of session_api mean.
func DefaultSessionsConfig() SessionsConfig {
	return SessionsConfig{MaxTTL: MaxTTLConfig{FC: DefaultFCMaxTTL, AgentCore: DefaultAgentCoreMaxTTL}}
}

// AuthConfig is the key auth: who may use the admin listener.
type AuthConfig struct {
	Keys []KeyConfig `yaml:"keys"`
}

// KeyConfig is one caller of the admin listener.
type KeyConfig struct {
	ID         string   `yaml:"id"`
	SecretFile string   `yaml:"secret_file"`
	Functions  []string `yaml:"functions"` // names of functions, or "*"
	Allow      []Verb   `yaml:"allow"`
	Rate       float64  `yaml:"rate"` // calls a second, of each replica; 0 is without limit
}

// Verb is what a key may do.
type Verb string

// The values of Verb.
const (
	Read   Verb = "read"
	Write  Verb = "write"
	Invoke Verb = "invoke"
)
