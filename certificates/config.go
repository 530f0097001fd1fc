// Package certificates keeps what a TLS listener shows, and what it asks its clients for, in step with the files that hold
// it.
package certificates

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"
)

// Config is the key tls, and the key admin_tls: what a listener needs to speak TLS.
type Config struct {
	Certificates []Pair     `yaml:"certificates"` // the client's server name chooses; the first is for whom none fits
	MinVersion   Version    `yaml:"min_version"`
	ClientAuth   ClientAuth `yaml:"client_auth"`
	ClientCAFile string     `yaml:"client_ca_file"` // PEM: who may sign certificates of clients
}

// Pair is one certificate with its key, in PEM. Intermediate certificates follow in CertFile.
type Pair struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Version is the least version of TLS that a client may speak.
type Version string

// The values of Version. Older ones have known weaknesses (RFC 8996).
const (
	TLS12 Version = "tls1.2"
	TLS13 Version = "tls1.3"
)

// ClientAuth says whether clients show certificates.
type ClientAuth string

// The values of ClientAuth.
const (
	AuthNone     ClientAuth = "none"     // not asked for
	AuthOptional ClientAuth = "optional" // asked for; one that is shown has to be good
	AuthRequired ClientAuth = "required" // without a good one there is no connection
)

// Defaults of Config.
const (
	DefaultMinVersion = TLS12
	DefaultClientAuth = AuthNone
)

// DefaultConfig returns what the keys left out of tls and admin_tls mean.
func DefaultConfig() Config {
	return Config{MinVersion: DefaultMinVersion, ClientAuth: DefaultClientAuth}
}

// Validate calls report for everything that no listener could work with. It reads the files, and accepts what New accepts.
func (c Config) Validate(report func(key, problem string)) {
	if c.MinVersion.number() == 0 {
		report("min_version", fmt.Sprintf("%.20q is no version, accepted are %s and %s", string(c.MinVersion), TLS12, TLS13))
	}
	if len(c.Certificates) == 0 {
		report("certificates", "is missing or empty, accepted is a list of at least one {cert_file, key_file}")
	}
	for i, p := range c.Certificates {
		if _, wrong := p.load(); wrong != nil {
			report(fmt.Sprintf("certificates[%d].%s", i, wrong.key), wrong.Error())
		}
	}
	c.validateClients(report)
}

func (c Config) validateClients(report func(key, problem string)) {
	if _, ok := c.ClientAuth.kind(); !ok {
		report("client_auth", fmt.Sprintf("%.20q is unknown, accepted are %s, %s and %s", string(c.ClientAuth), AuthNone, AuthOptional, AuthRequired))
		return
	}
	if c.ClientAuth == AuthNone {
		if c.ClientCAFile != "" {
			report("client_ca_file", "is not used with client_auth none, accepted are optional and required, or to leave it out")
		}
		return
	}
	if _, wrong := loadCAs(c.ClientCAFile); wrong != nil {
		report(wrong.key, wrong.Error())
	}
}

// Expired returns the certificate files whose certificate is not valid at now, for a warning. Files that cannot be read
// are not among them.
func (c Config) Expired(now time.Time) (keys []string) {
	for i, p := range c.Certificates {
		if cert, wrong := p.load(); wrong == nil && (now.Before(cert.Leaf.NotBefore) || now.After(cert.Leaf.NotAfter)) {
			keys = append(keys, fmt.Sprintf("certificates[%d].cert_file", i))
		}
	}
	return keys
}

// number is the version's in the protocol, 0 for one that is none.
func (v Version) number() uint16 {
	switch v {
	case TLS12:
		return tls.VersionTLS12
	case TLS13:
		return tls.VersionTLS13
	default:
		return 0
	}
}

func (a ClientAuth) kind() (kind tls.ClientAuthType, ok bool) {
	switch a {
	case AuthNone:
		return tls.NoClientCert, true
	case AuthOptional:
		return tls.VerifyClientCertIfGiven, true
	case AuthRequired:
		return tls.RequireAndVerifyClientCert, true
	default:
		return 0, false
	}
}

// files are all that the configuration names.
func (c Config) files() []string {
	var all []string
	for _, p := range c.Certificates {
		all = append(all, p.CertFile, p.KeyFile)
	}
	if c.ClientAuth != AuthNone {
		all = append(all, c.ClientCAFile)
	}
	return all
}

// problem is what is wrong with a file, and the key that names it.
type problem struct{ key, text string }

// Error is one line: a file's own name may hold a line break.
func (p *problem) Error() string { return strings.ReplaceAll(p.text, "\n", `\n`) }
