package affinity

import "github.com/limpet-proxy/limpet/sessions"

// Defaults of Config.
const (
	DefaultHeader     = "X-Session-Id"
	DefaultCookieName = "limpet-session"
	DefaultCookiePath = "/"
	DefaultSSEPath    = "/sse"
)

// Config says how a function's session ID travels: the key functions[].affinity.
type Config struct {
	Preset  Preset            `yaml:"preset,omitempty"` // "": none
	Type    sessions.Affinity `yaml:"type"`
	Header  string            `yaml:"header"`            // HEADER_FIELD: the header's name, by Function Compute's rules; MCP_STREAMABLE: MCPHeader
	Sources []Source          `yaml:"sources,omitempty"` // HEADER_FIELD: where to look for an ID, in order; nil: in Header
	Cookie  CookieConfig      `yaml:"cookie"`            // GENERATED_COOKIE
	SSEPath string            `yaml:"sse_path"`          // MCP_SSE: of the stream, from the host's root
	// SSEParams are the query parameters of MCP_SSE that may have the ID; of several the first in this list counts.
	SSEParams []string `yaml:"sse_params"`
}

// CookieConfig is the key functions[].affinity.cookie.
type CookieConfig struct {
	Name     string   `yaml:"name"`
	Secure   Secure   `yaml:"secure"`
	SameSite SameSite `yaml:"same_site"`
	Path     string   `yaml:"path"`
	KeysFile string   `yaml:"keys_file"` // signing keys, one per line; "": the store's shared secret
}

// Secure says when the cookie carries the Secure attribute.
type Secure string

// The values of Secure.
const (
	SecureAuto   Secure = "auto" // when the client came over TLS, also by a trusted X-Forwarded-Proto
	SecureAlways Secure = "always"
	SecureNever  Secure = "never"
)

// SameSite is the cookie's SameSite attribute (RFC 6265bis).
type SameSite string

// The values of SameSite. SameSiteNone needs Secure.
const (
	SameSiteLax    SameSite = "lax"
	SameSiteStrict SameSite = "strict"
	SameSiteNone   SameSite = "none"
)

// DefaultConfig returns the configuration of a function that says nothing about affinity.
func DefaultConfig() Config {
	return Config{
		Type:   sessions.AffinityHeader,
		Header: DefaultHeader,
		Cookie: CookieConfig{
			Name: DefaultCookieName, Secure: SecureAuto, SameSite: SameSiteLax, Path: DefaultCookiePath,
		},
		SSEPath:   DefaultSSEPath,
		SSEParams: DefaultSSEParams(),
	}
}

// DefaultSSEParams are those of MCP's own SDKs: in TypeScript, Java and C#, in Python, and in Go.
func DefaultSSEParams() []string { return []string{"sessionId", "session_id", "sessionid"} }
