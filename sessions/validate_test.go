package sessions_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions"
)

func TestConfigValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*sessions.Config)
		keys   []string
	}{
		"default":              {func(*sessions.Config) {}, nil},
		"no ttl":               {func(c *sessions.Config) { c.TTL = 0 }, []string{"ttl"}},
		"below the resolution": {func(c *sessions.Config) { c.TTL = time.Millisecond - 1 }, []string{"ttl"}},
		"shortest":             {func(c *sessions.Config) { c.TTL, c.IdleTimeout = time.Millisecond, time.Millisecond }, nil},
		"no idle limit":        {func(c *sessions.Config) { c.IdleTimeout = 0 }, nil},
		"idle below":           {func(c *sessions.Config) { c.IdleTimeout = 1 }, []string{"idle_timeout"}},
		"idle negative":        {func(c *sessions.Config) { c.IdleTimeout = -1 }, []string{"idle_timeout"}},
		"idle as long":         {func(c *sessions.Config) { c.IdleTimeout = c.TTL }, nil},
		"idle longer":          {func(c *sessions.Config) { c.IdleTimeout = c.TTL + 1 }, []string{"idle_timeout"}},
		"no slot":              {func(c *sessions.Config) { c.PerInstance = 0 }, []string{"per_instance"}},
		"no ceiling":           {func(c *sessions.Config) { c.PerInstance = 1 << 30 }, nil},
		"isolation of many":    {func(c *sessions.Config) { c.Isolation = true }, []string{"per_instance"}},
		"isolation":            {func(c *sessions.Config) { c.Isolation, c.PerInstance = true, 1 }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := sessions.DefaultConfig()
			c.change(&cfg)
			var keys []string
			cfg.Validate(func(key, problem string) {
				keys = append(keys, key)
				require.Contains(t, problem, ", accepted is ")
			})
			require.Equal(t, c.keys, keys)
		})
	}
}

func TestLossPolicyValidate(t *testing.T) {
	for policy, bad := range map[sessions.LossPolicy]bool{"rehome": false, "fail": false, "": true, "Fail": true} {
		reported := false
		policy.Validate(func(string, string) { reported = true })
		require.Equal(t, bad, reported, policy)
	}
}

func TestValidName(t *testing.T) {
	for _, good := range []string{"a", "_", "0", "A.b-c_9", strings.Repeat("x", sessions.MaxNameLen)} {
		require.True(t, sessions.ValidName(good), good)
	}
	for _, bad := range []string{"", ".", "..", "-a", ".a", "a/b", "a b", "a{b}", "a:b", "ü", "a\x00", "a\n", strings.Repeat("x", sessions.MaxNameLen+1)} {
		require.False(t, sessions.ValidName(bad), "%q", bad)
	}
}
