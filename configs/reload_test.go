package configs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/configs"
)

func TestNeedsRestart(t *testing.T) {
	old := parse(t, one)
	require.Empty(t, configs.NeedsRestart(old, parse(t, one)))
	reloadable := parse(t, "trusted_proxies: [10.0.0.1]\nshutdown: {delay: 1s}\naccess_log: {enabled: false}\nfunctions: [{name: b, instances: {static: [{id: x, url: 'http://127.0.0.1:2'}]}}]\n")
	require.Empty(t, configs.NeedsRestart(old, reloadable))
	fixed := parse(t, `
cache: {sessions: 1}
store: {kind: redis, redis: {addrs: [127.0.0.1:1], tls: true}}
limits: {header_timeout: 1s}
deployment: x
admin: 127.0.0.1:1
listen: 127.0.0.1:2
`+one)
	require.Equal(t, []string{
		"listen", "admin", "deployment", "limits.header_timeout", "store.kind", "store.redis.addrs", "store.redis.tls", "cache.sessions",
	}, configs.NeedsRestart(old, fixed))
}
