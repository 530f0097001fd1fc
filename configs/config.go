// Package configs loads the packages' own Config structs, strictly, from one YAML file.
package configs

import (
	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/certificates"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

// DefaultDeployment names a deployment that has no name of its own.
const DefaultDeployment = "limpet"

// Config is a whole configuration file.
type Config struct {
	Listen         string                 `yaml:"listen"`
	TLS            *certificates.Config   `yaml:"tls,omitempty"` // of Listen; nil: without
	H2C            bool                   `yaml:"h2c"`           // HTTP/2 on Listen without TLS too
	Admin          string                 `yaml:"admin"`
	AdminTLS       *certificates.Config   `yaml:"admin_tls,omitempty"` // of Admin; nil: without
	Deployment     string                 `yaml:"deployment"`
	TrustedProxies []string               `yaml:"trusted_proxies"` // IP addresses and CIDR ranges
	Shutdown       proxy.ShutdownConfig   `yaml:"shutdown"`
	Limits         proxy.LimitsConfig     `yaml:"limits"`
	AccessLog      proxy.AccessLogConfig  `yaml:"access_log"`
	Auth           api.AuthConfig         `yaml:"auth"`
	SessionAPI     api.SessionsConfig     `yaml:"session_api"`
	Store          StoreConfig            `yaml:"store"`
	Cache          CacheConfig            `yaml:"cache"`
	Functions      []proxy.FunctionConfig `yaml:"functions"`
}

// StoreConfig is the key store.
type StoreConfig struct {
	Kind                 StoreKind `yaml:"kind"`
	embeddedstore.Config `yaml:",inline"`
	Redis                redisstore.Config `yaml:"redis"`
}

// StoreKind says which store keeps the sessions.
type StoreKind string

// The values of StoreKind.
const (
	StoreEmbedded StoreKind = "embedded"
	StoreRedis    StoreKind = "redis"
)

// CacheConfig is the key cache.
type CacheConfig struct {
	Sessions int `yaml:"sessions"` // LRU entries
}

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{
		Listen:     proxy.DefaultListen,
		Admin:      api.DefaultAdmin,
		Deployment: DefaultDeployment,
		Shutdown:   proxy.ShutdownConfig{Delay: proxy.DefaultShutdownDelay, Deadline: proxy.DefaultShutdownDeadline},
		Limits:     proxy.LimitsConfig{HeaderBytes: proxy.DefaultHeaderBytes, HeaderTimeout: proxy.DefaultHeaderTimeout, Streams: proxy.DefaultStreams},
		AccessLog:  proxy.AccessLogConfig{Enabled: true, Sample: 1},
		SessionAPI: api.DefaultSessionsConfig(),
		Store:      StoreConfig{Kind: StoreEmbedded, Redis: redisstore.DefaultConfig()},
		Cache:      CacheConfig{Sessions: sessions.DefaultCacheSessions},
	}
}
