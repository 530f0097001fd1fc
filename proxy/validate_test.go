package proxy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
)

func TestFunctionConfigValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*proxy.FunctionConfig)
		keys   []string
	}{
		"default":          {func(*proxy.FunctionConfig) {}, nil},
		"no name":          {func(c *proxy.FunctionConfig) { c.Name = "" }, []string{"name"}},
		"names":            {func(c *proxy.FunctionConfig) { c.Name, c.Qualifier = "a/b", "" }, []string{"name", "qualifier"}},
		"no instances":     {func(c *proxy.FunctionConfig) { c.Instances.Static = nil }, []string{"instances.static"}},
		"requests":         {func(c *proxy.FunctionConfig) { c.RequestsPerInstance = 0 }, []string{"requests_per_instance"}},
		"policy and grace": {func(c *proxy.FunctionConfig) { c.OnInstanceLoss, c.LossGrace = "", -1 }, []string{"on_instance_loss", "loss_grace"}},
		"wait":             {func(c *proxy.FunctionConfig) { c.WhenFull.Wait = proxy.MaxWait + 1 }, []string{"when_full.wait"}},
		"longest wait":     {func(c *proxy.FunctionConfig) { c.WhenFull.Wait = proxy.MaxWait }, nil},
		"SSE's path":       {func(c *proxy.FunctionConfig) { c.Affinity.SSEPath = "y" }, []string{"affinity.sse_path"}},
		"invoke":           {func(c *proxy.FunctionConfig) { c.Invoke, c.InvokePath = true, "/run/it" }, nil},
		"invoke path":      {func(c *proxy.FunctionConfig) { c.InvokePath = "run" }, []string{"invoke_path"}},
		"no invoke path":   {func(c *proxy.FunctionConfig) { c.InvokePath = "" }, []string{"invoke_path"}},
		"timeouts":         {func(c *proxy.FunctionConfig) { c.Timeouts = proxy.TimeoutsConfig{} }, []string{"timeouts.connect", "timeouts.response_header", "timeouts.idle"}},
		"sessions of nothing": {func(c *proxy.FunctionConfig) {
			c.Affinity.Type = "NONE"
			c.Sessions.Isolation = true
			c.Sessions.PerInstance = 1
		}, []string{"sessions.isolation"}},
		"upgrades": {func(c *proxy.FunctionConfig) {
			c.Upgrades = []string{"websocket", "WebSocket", "h2c", "a b", "", "IRC/6.9", "x/"}
		}, []string{"upgrades[1]", "upgrades[2]", "upgrades[3]", "upgrades[4]", "upgrades[6]"}},
		"no upgrades": {func(c *proxy.FunctionConfig) { c.Upgrades = nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := proxy.DefaultFunctionConfig()
			cfg.Name = "f"
			cfg.Instances.Static = []instances.StaticInstance{{ID: "a", URL: "http://127.0.0.1:1"}}
			c.change(&cfg)
			require.Equal(t, c.keys, reported(cfg.Validate))
		})
	}
}

func TestMatchConfigValidate(t *testing.T) {
	for host, bad := range map[string]bool{
		"": false, "a": false, "App.Example.com": false, "my_app-1": false, "127.0.0.1": false, "[::1]": false, "xn--bcher-kva.example": false,
		"a:80": true, "http://a": true, "*.a": true, "a/b": true, "a.": true, ".a": true, "a..b": true, "::1": true, "[::1": true, "[::1]:80": true, "[a]": true, "bücher.example": true, "a b": true,
	} {
		require.Equal(t, bad, len(reported(proxy.MatchConfig{Host: host, Path: "/"}.Validate)) > 0, host)
	}
	for path, bad := range map[string]bool{
		"/": false, "/a": false, "/a/": false, "/a/b.c": false, "/ü": false, "/a b": false, "/...": false,
		"": true, "a": true, "/a?b": true, "/a#b": true, "/a%20b": true, "//": true, "/a//b": true, "/a/./b": true, "/..": true, "/a\nb": true, "*": true,
	} {
		require.Equal(t, bad, len(reported(proxy.MatchConfig{Path: path}.Validate)) > 0, path)
	}
}

func TestPlaneConfigsValidate(t *testing.T) {
	require.Empty(t, reported(proxy.LimitsConfig{HeaderBytes: proxy.MinHeaderBytes, HeaderTimeout: 1, Streams: 1}.Validate))
	require.Equal(t, []string{"header_bytes", "header_timeout", "streams"}, reported(proxy.LimitsConfig{HeaderBytes: proxy.MinHeaderBytes - 1}.Validate))
	require.Equal(t, []string{"header_bytes"}, reported(proxy.LimitsConfig{HeaderBytes: proxy.MaxHeaderBytes + 1, HeaderTimeout: 1, Streams: 1}.Validate))
	require.Equal(t, []string{"streams"}, reported(proxy.LimitsConfig{HeaderBytes: proxy.MinHeaderBytes, HeaderTimeout: 1, Streams: proxy.MaxStreams + 1}.Validate))
	require.Empty(t, reported(proxy.ShutdownConfig{}.Validate))
	require.Equal(t, []string{"delay", "deadline"}, reported(proxy.ShutdownConfig{Delay: -1, Deadline: -1}.Validate))
	require.Empty(t, reported(proxy.AccessLogConfig{Sample: 1}.Validate))
	require.Equal(t, []string{"sample"}, reported(proxy.AccessLogConfig{Sample: -0.1}.Validate))
}

// reported returns the keys that a Validate finds fault with.
func reported(validate func(func(key, problem string))) []string {
	var keys []string
	validate(func(key, _ string) { keys = append(keys, key) })
	return keys
}
