package api

// DefaultAdmin is where the admin plane listens.
const DefaultAdmin = "127.0.0.1:9090"

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
}

// Verb is what a key may do.
type Verb string

// The values of Verb.
const (
	Read   Verb = "read"
	Write  Verb = "write"
	Invoke Verb = "invoke"
)
