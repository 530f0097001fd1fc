package redisstore

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// How long one attempt may take. A lookup that misses the cache waits for Redis, so these are short: an operation
// that finds Redis gone fails within two attempts, and the next ones at once.
const (
	DialTimeout  = 300 * time.Millisecond
	ReadTimeout  = 300 * time.Millisecond
	WriteTimeout = 300 * time.Millisecond
	PoolTimeout  = 300 * time.Millisecond // for a free connection

	maxRetries      = 1
	maxRedirects    = 2 // Cluster: of one operation, after a slot moved or a master fell
	minRetryBackoff = 5 * time.Millisecond
	maxRetryBackoff = 50 * time.Millisecond
	minPoolSize     = 64
)

// ErrConfig means that the configuration cannot be used as it is.
var ErrConfig = errors.New("redis configuration")

func isCluster(cfg Config) bool { return cfg.MasterName == "" && len(cfg.Addrs) > 1 }

func universalOptions(cfg Config, o Options) (*redis.UniversalOptions, error) {
	if len(cfg.Addrs) == 0 {
		return nil, fmt.Errorf("%w: no address", ErrConfig)
	}
	password, err := readPassword(cfg.PasswordFile)
	if err != nil {
		return nil, err
	}
	tlsConfig := o.TLS
	if tlsConfig == nil && cfg.TLS {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12} // go-redis fills in the server's name from the address
	}
	return &redis.UniversalOptions{
		Addrs: cfg.Addrs, MasterName: cfg.MasterName, IsClusterMode: isCluster(cfg),
		Username: cfg.Username, Password: password, TLSConfig: tlsConfig,
		DialTimeout: cmp.Or(o.Timeout, DialTimeout), ReadTimeout: cmp.Or(o.Timeout, ReadTimeout),
		WriteTimeout: cmp.Or(o.Timeout, WriteTimeout), PoolTimeout: cmp.Or(o.Timeout, PoolTimeout),
		DialerRetries: 1, // else one attempt dials five times
		MaxRetries:    maxRetries, MaxRedirects: maxRedirects,
		MinRetryBackoff: minRetryBackoff, MaxRetryBackoff: maxRetryBackoff,
		ContextTimeoutEnabled: true, // off by default: a caller's deadline would not count
		PoolSize:              max(minPoolSize, 10*runtime.GOMAXPROCS(0)),
		DisableIdentity:       true,
		Protocol:              2, // no push messages are read here
		FailingTimeoutSeconds: 1,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled, // one command more per connection, of a vendor's service
		},
	}, nil
}

// readPassword reads a password from the file's first line. Editors end files with a newline, passwords do not.
func readPassword(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%w: password_file: %w", ErrConfig, err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
