package redisstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore"
)

func TestConfigValidate(t *testing.T) {
	dir := t.TempDir()
	password, empty := filepath.Join(dir, "password"), filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(password, []byte("x\n"), 0o600))
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for name, c := range map[string]struct {
		change func(*redisstore.Config)
		keys   []string
	}{
		"default":       {func(*redisstore.Config) {}, nil},
		"cluster":       {func(c *redisstore.Config) { c.Addrs = []string{"a:1", "a:2", "[::1]:3"} }, nil},
		"no address":    {func(c *redisstore.Config) { c.Addrs = nil }, []string{"addrs"}},
		"bad addresses": {func(c *redisstore.Config) { c.Addrs = []string{"a", ":1", "a:0", "a:x", "a:1", "a:1"} }, []string{"addrs[0]", "addrs[1]", "addrs[2]", "addrs[3]", "addrs[5]"}},
		"login":         {func(c *redisstore.Config) { c.Username, c.PasswordFile = "u", password }, nil},
		"user only":     {func(c *redisstore.Config) { c.Username = "u" }, []string{"username"}},
		"empty file":    {func(c *redisstore.Config) { c.PasswordFile = empty }, []string{"password_file"}},
		"no file":       {func(c *redisstore.Config) { c.PasswordFile = filepath.Join(dir, "none") }, []string{"password_file"}},
		"policy":        {func(c *redisstore.Config) { c.OnOutage, c.StaleMax = "", -1 }, []string{"on_outage", "stale_max"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := redisstore.DefaultConfig()
			c.change(&cfg)
			require.Equal(t, c.keys, reportedKeys(cfg))
		})
	}
}

func TestKeyPrefix(t *testing.T) {
	for prefix, bad := range map[string]bool{
		"limpet": false, "a:b": false, "lim-pet_1.x": false, strings.Repeat("x", redisstore.MaxKeyPrefix): false,
		"": true, ":a": true, "a:": true, "a{b": true, "a}b": true, "a b": true, "a\n": true, "ü": true, strings.Repeat("x", redisstore.MaxKeyPrefix+1): true,
	} {
		cfg := redisstore.DefaultConfig()
		cfg.KeyPrefix = prefix
		require.Equal(t, bad, len(reportedKeys(cfg)) > 0, "%q", prefix)
	}
}

func reportedKeys(c redisstore.Config) []string {
	var keys []string
	c.Validate(func(key, _ string) { keys = append(keys, key) })
	return keys
}
