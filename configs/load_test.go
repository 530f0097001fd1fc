package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/configs"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// one is the smallest file that passes.
const one = "functions: [{name: a, instances: {static: [{id: i, url: 'http://127.0.0.1:1'}]}}]\n"

func variables(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
}

func parse(t *testing.T, text string) configs.Config {
	t.Helper()
	loaded, err := configs.Parse("f.yaml", []byte(text), variables(nil))
	require.NoError(t, err)
	return loaded.Config
}

// lines are the problems of a file, one in a line, without the file's name.
func lines(t *testing.T, text string, vars map[string]string) []string {
	t.Helper()
	_, err := configs.Parse("f.yaml", []byte(text), variables(vars))
	var all *configs.Error
	require.ErrorAs(t, err, &all)
	require.NotEmpty(t, all.Problems)
	out := strings.Split(err.Error(), "\n")
	for i := range out {
		require.True(t, strings.HasPrefix(out[i], "f.yaml:"), out[i])
		out[i] = strings.TrimPrefix(out[i], "f.yaml:")
	}
	return out
}

func TestSmallestFileTakesDefaults(t *testing.T) {
	want := configs.Default()
	f := proxy.DefaultFunctionConfig()
	f.Name = "a"
	f.Instances.Static = []instances.StaticInstance{{ID: "i", URL: "http://127.0.0.1:1"}}
	want.Functions = []proxy.FunctionConfig{f}
	require.Equal(t, want, parse(t, one))
}

// TestEveryKeyOfTheDesign sets each key of design.md section 1.2 to something.
func TestEveryKeyOfTheDesign(t *testing.T) {
	secret := file(t, strings.Repeat("s", api.AdvisedSecret)+"\n")
	keys := file(t, strings.Repeat("k", 32)+"\n")
	loaded, err := configs.Parse("f.yaml", []byte(`
listen: 127.0.0.1:18080
admin: "[::1]:19090"
deployment: lab
trusted_proxies: [10.0.0.0/8, "::1"]
shutdown: {delay: 1s, deadline: 1m30s}
limits: {header_bytes: 16KiB, header_timeout: 3s, streams: 50}
access_log: {enabled: false, sample: 0.25}
auth:
  keys:
    - {id: LTAIlab, secret_file: "${SECRET}", functions: [counter], allow: [read]}
store:
  kind: embedded
  path: ""
  redis:
    addrs: [127.0.0.1:6379]
    master_name: ""
    username: ""
    password_file: ""
    tls: false
    key_prefix: limpet
    on_outage: bounded
    stale_max: 30s
cache: {sessions: 5}
functions:
  - name: counter
    qualifier: v1
    match: {host: App.Example.com, path: /c}
    affinity:
      type: GENERATED_COOKIE
      header: X-Session-Id
      cookie: {name: home, secure: never, same_site: strict, path: /, keys_file: "${KEYS}"}
      sse_path: /sse
    sessions: {ttl: 1h, idle_timeout: 0, per_instance: 3000, isolation: false, disable_id_reuse: true}
    requests_per_instance: 7
    on_instance_loss: fail
    loss_grace: 0s
    when_full: {wait: 1500ms}
    instances:
      static:
        - {id: a, url: http://127.0.0.1:9001}
        - {id: b, url: https://127.0.0.1:9002}
      health: {path: /up, method: HEAD, status: 204, failures: 5}
      drain_deadline: 10m
    invoke: false
    invoke_path: /invoke
    upgrades: []
    timeouts: {connect: 1s, response_header: 2s, idle: 3s}
`), variables(map[string]string{"SECRET": secret, "KEYS": keys}))
	require.NoError(t, err)
	require.Empty(t, loaded.Warnings)
	c, f := loaded.Config, loaded.Config.Functions[0]
	require.Equal(t, "[::1]:19090", c.Admin)
	require.Equal(t, []string{"10.0.0.0/8", "::1"}, c.TrustedProxies)
	require.Equal(t, proxy.ShutdownConfig{Delay: time.Second, Deadline: 90 * time.Second}, c.Shutdown)
	require.Equal(t, proxy.LimitsConfig{HeaderBytes: 16 << 10, HeaderTimeout: 3 * time.Second, Streams: 50}, c.Limits)
	require.Equal(t, proxy.AccessLogConfig{Sample: 0.25}, c.AccessLog)
	require.Equal(t, []api.KeyConfig{{ID: "LTAIlab", SecretFile: secret, Functions: []string{"counter"}, Allow: []api.Verb{api.Read}}}, c.Auth.Keys)
	require.Equal(t, 5, c.Cache.Sessions)
	require.Equal(t, "v1", f.Qualifier)
	require.Equal(t, proxy.MatchConfig{Host: "App.Example.com", Path: "/c"}, f.Match)
	require.Equal(t, sessions.Config{TTL: time.Hour, PerInstance: 3000, DisableIDReuse: true}, f.Sessions)
	require.Equal(t, keys, f.Affinity.Cookie.KeysFile)
	require.Equal(t, sessions.LossFail, f.OnInstanceLoss)
	require.Zero(t, f.LossGrace)
	require.Equal(t, 1500*time.Millisecond, f.WhenFull.Wait)
	require.Empty(t, f.Upgrades, "a list replaces the default")
	require.Equal(t, instances.HealthConfig{
		Path: "/up", Method: "HEAD", Status: instances.Statuses{First: 204, Last: 204}, Interval: 2 * time.Second, Timeout: time.Second,
		Failures: 5, Successes: 2,
	}, *f.Instances.Health)
}

func TestDefaultsThatDependOnOtherKeys(t *testing.T) {
	f := func(keys string) proxy.FunctionConfig {
		return parse(t, "functions: [{name: a, "+keys+"}]\n").Functions[0]
	}
	const static = "static: [{id: i, url: 'http://127.0.0.1:1'}]"
	short := f("sessions: {ttl: 10m}, instances: {" + static + "}")
	require.Equal(t, 10*time.Minute, short.Sessions.IdleTimeout, "the default idle timeout is lowered to the ttl")
	require.Nil(t, short.Instances.Health)
	isolated := f("sessions: {isolation: true}, instances: {" + static + ", health: {}}")
	require.Equal(t, 1, isolated.Sessions.PerInstance)
	require.Equal(t, instances.DefaultHealthConfig(), *isolated.Instances.Health)
}

func TestKeyIsLimitedOnlyWhereItSaysSo(t *testing.T) {
	secret := file(t, strings.Repeat("s", api.AdvisedSecret))
	c := parse(t, "auth: {keys: [{id: k, secret_file: "+secret+"}]}\nadmin: 0.0.0.0:9090\n"+one)
	require.Equal(t, []string{api.AnyFunction}, c.Auth.Keys[0].Functions)
	require.Equal(t, []api.Verb{api.Read, api.Write, api.Invoke}, c.Auth.Keys[0].Allow)
}

func TestLoad(t *testing.T) {
	t.Setenv("LIMPET_TEST_NAME", "from-the-environment")
	name := file(t, "deployment: ${LIMPET_TEST_NAME}\n"+one)
	loaded, err := configs.Load(name)
	require.NoError(t, err)
	require.Equal(t, "from-the-environment", loaded.Config.Deployment)
}

func TestLoadUnreadable(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	_, err := configs.Load(missing)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, missing+":1:1: file: cannot be read, accepted is a YAML file: ")
	_, err = configs.Load(t.TempDir())
	require.ErrorContains(t, err, ":1:1: file: cannot be read")
	_, err = configs.Load("/dev/zero")
	require.EqualError(t, err, "/dev/zero:1:1: file: is larger than 1 MiB, accepted is a smaller file")
}

func TestSizeLimit(t *testing.T) {
	padded := one + "#" + strings.Repeat("x", configs.MaxFileSize-len(one)-2) + "\n"
	require.Len(t, padded, configs.MaxFileSize)
	parse(t, padded)
	require.Equal(t, []string{"1:1: file: is larger than 1 MiB, accepted is a smaller file"}, lines(t, padded+"\n", nil))
}

func TestByteOrderMarkAndLineEnds(t *testing.T) {
	parse(t, "\ufeff"+one)
	windows := strings.ReplaceAll("listen: 127.0.0.1:1\nlimits:\n  header_bytes: 9KiB\n"+one, "\n", "\r\n")
	require.EqualValues(t, 9<<10, parse(t, windows).Limits.HeaderBytes)
	require.Equal(t, []string{"3:17: limits.header_bytes: 1KiB is out of range, accepted is 8KiB to 16MiB"},
		lines(t, strings.Replace(windows, "9KiB", "1KiB", 1), nil))
}

// TestColonsInFlowLists has addresses as people write them, quoted nowhere.
func TestColonsInFlowLists(t *testing.T) {
	const redis = "{kind: redis, redis: {addrs: [127.0.0.1:6379, redis.example.com:1,localhost:2], tls: true}}"
	c := parse(t, "store: "+redis+"\ntrusted_proxies: [::1, 2001:db8::/32]\n"+one)
	require.Equal(t, []string{"127.0.0.1:6379", "redis.example.com:1", "localhost:2"}, c.Store.Redis.Addrs)
	require.True(t, c.Store.Redis.TLS)
	require.Equal(t, []string{"::1", "2001:db8::/32"}, c.TrustedProxies)
	require.Equal(t, []string{
		"1:43: store.redis.addrs[1]: is a mapping, accepted is text",
		`1:49: store.redis.addrs[2]: "::1" is no address of a Redis, accepted is host:port such as 127.0.0.1:6379`,
		"1:62: store.redis.tls: \"no\" is neither true nor false, accepted is true or false",
	}, lines(t, "store: {kind: redis, redis: {addrs: [a:1, b: 2, '::1'], tls: no}}\n"+one, nil), "a mapping stays one")
}

// file writes a file that only this test sees.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f.yaml")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}
