package configs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/configs"
)

func TestAddresses(t *testing.T) {
	const accepted = "accepted is host:port such as 127.0.0.1:8080, or :8080 for every address; port 0 takes a free one"
	const noKeys = " can be reached from other machines and auth.keys is empty, accepted is a loopback address such as 127.0.0.1:9090, or keys"
	check(t, []badFile{
		{"listen: 127.0.0.1\nadmin: 127.0.0.1:http\n" + one, "1:9: listen: \"127.0.0.1\" is no address to listen on, " + accepted + "\n2:8: admin: \"127.0.0.1:http\" is no address to listen on, " + accepted},
		{"listen: 127.0.0.1:65536\nadmin: http://127.0.0.1:1\n" + one, "1:9: listen: \"127.0.0.1:65536\" is no address to listen on, " + accepted + "\n2:8: admin: \"http://127.0.0.1:1\" is no address to listen on, " + accepted},
		{"listen: 127.0.0.1:1\nadmin: 127.0.0.1:1\n" + one, "2:8: admin: 127.0.0.1:1 has the port of listen, 127.0.0.1:1, accepted is a port of its own"},
		{"listen: :1\nadmin: localhost:1\n" + one, "2:8: admin: localhost:1 has the port of listen, :1, accepted is a port of its own"},
		{"listen: 127.0.0.1:1\nadmin: LOCALHOST:1\n" + one, "2:8: admin: LOCALHOST:1 has the port of listen, 127.0.0.1:1, accepted is a port of its own"},
		{"admin: :9090\n" + one, "1:8: admin: :9090" + noKeys},
		{"admin: 192.0.2.1:9090\n" + one, "1:8: admin: 192.0.2.1:9090" + noKeys},
		{"admin: '[::]:9090'\n" + one, "1:8: admin: [::]:9090" + noKeys},
		{"admin: example.com:9090\nauth: {keys: []}\n" + one, "1:8: admin: example.com:9090" + noKeys},
		{"listen: 0.0.0.0:9090\n" + one, "1:1: admin: 127.0.0.1:9090 has the port of listen, 0.0.0.0:9090, accepted is a port of its own"},
	})
	for _, fine := range []string{"localhost:1", "127.9.9.9:1", "'[::1]:1'", "'[::ffff:127.0.0.1]:1'", "127.0.0.1:0"} {
		parse(t, "listen: 127.0.0.1:0\nadmin: "+fine+"\n"+one)
	}
}

func TestTopLevelValues(t *testing.T) {
	check(t, []badFile{
		{"trusted_proxies: [10.0.0.1, 10.0.0.0/33, proxy, 'fe80::1%eth0']\n" + one, `
1:29: trusted_proxies[1]: "10.0.0.0/33" is no address, accepted is an IP address or a range such as 10.0.0.0/8
1:42: trusted_proxies[2]: "proxy" is no address, accepted is an IP address or a range such as 10.0.0.0/8
1:49: trusted_proxies[3]: "fe80::1%eth0" is no address, accepted is an IP address or a range such as 10.0.0.0/8`},
		{"limits: {header_bytes: 8191, header_timeout: 0}\n" + one, `
1:24: limits.header_bytes: 8191B is out of range, accepted is 8KiB to 16MiB
1:46: limits.header_timeout: 0s is not above 0, accepted is a duration such as 500ms or 2s`},
		{"access_log: {sample: 1.01}\n" + one, "1:22: access_log.sample: 1.01 is no share, accepted is 0 to 1"},
		{"store: {path: /dev/null}\n" + one, `1:15: store.path: "/dev/null" is not a directory, accepted is a directory, or nothing to keep sessions in memory only`},
		{"store: {redis: {tls: true}}\n" + one, "1:16: store.redis: is not used with kind embedded, accepted is kind: redis, or to leave it out"},
		{"store: {kind: redis, path: /tmp}\n" + one, "1:28: store.path: is not used with kind redis, accepted is kind: embedded, or to leave it out"},
		{"store:\n  kind: redis\n  redis:\n    addrs: [localhost, ':6379', 127.0.0.1:1, 127.0.0.1:1]\n    on_outage: never\n" + one, `
4:13: store.redis.addrs[0]: "localhost" is no address of a Redis, accepted is host:port such as 127.0.0.1:6379
4:24: store.redis.addrs[1]: ":6379" is no address of a Redis, accepted is host:port such as 127.0.0.1:6379
4:46: store.redis.addrs[3]: "127.0.0.1:1" is given twice, accepted is each address once
5:16: store.redis.on_outage: "never" is no outage policy, accepted is bounded, available or strict`},
		{"functions: []\n", "1:12: functions: is missing or empty, accepted is a list of at least one function"},
		{"\nlisten: 127.0.0.1:1\n", "2:1: functions: is missing or empty, accepted is a list of at least one function"},
	})
}

func TestKeysOfCallers(t *testing.T) {
	good, short := file(t, strings.Repeat("s", 16)+"\n"), file(t, "\n")
	text := "auth:\n  keys:\n" +
		"    - {id: a, secret_file: " + good + ", functions: [a, b], allow: [read, fly]}\n" +
		"    - {id: a, secret_file: " + good + ", functions: [], allow: []}\n" +
		"    - {id: a/b, secret_file: " + short + "}\n" +
		"    - {rate: -5}\n" + one
	got := strings.Join(lines(t, text, nil), "\n")
	for _, want := range []string{
		`auth.keys[0].functions[1]: there is no function "b", accepted are names of functions, or "*"`,
		`auth.keys[0].allow[1]: "fly" is no verb, accepted are read, write and invoke`,
		`4:12: auth.keys[1].id: "a" is the id of keys[0] too, accepted is an id of its own`,
		`4:28: auth.keys[1].secret_file: holds the secret of keys[0], accepted is a secret of its own`,
		`auth.keys[1].functions: is empty, accepted is a list of function names, or ["*"] for all`,
		`auth.keys[1].allow: is empty, accepted is a list of read, write and invoke`,
		`5:12: auth.keys[2].id: "a/b" is no key ID, accepted are 1 to 128 letters, digits, _ . and -`,
		`5:30: auth.keys[2].secret_file: secret_file ` + short + ` is empty, accepted is a file that holds the secret`,
		`6:7: auth.keys[3].id: is missing, accepted are 1 to 128 letters, digits, _ . and -`,
		`6:7: auth.keys[3].secret_file: is missing, accepted is a file that holds the secret`,
		`6:14: auth.keys[3].rate: -5 is no rate, accepted is a number of calls a second, or 0 for no limit`,
	} {
		require.Contains(t, got, want)
	}
	require.Equal(t, 11, strings.Count(got, "\n")+1, got)
}

func TestFunctions(t *testing.T) {
	check(t, []badFile{
		{fn("qualifier: a/b"), `1:25: functions[0].qualifier: "a/b" cannot name a version, accepted are 1 to 128 letters, digits, _ . and -, the first a letter, a digit or _`},
		{fn("sessions: {isolation: true, per_instance: 2}"), "1:56: functions[0].sessions.per_instance: 2 contradicts isolation, accepted is 1, or to leave it out"},
		{fn("sessions: {isolation: true}, affinity: {type: NONE}"), "1:36: functions[0].sessions.isolation: needs sessions and affinity.type is NONE, accepted is false"},
		{fn("sessions: {ttl: 10us, per_instance: 0}"), `
1:30: functions[0].sessions.ttl: 10µs is too short, accepted is 1ms or more
1:50: functions[0].sessions.per_instance: 0 leaves no session a slot, accepted is 1 or more`},
		{fn("sessions: {idle_timeout: 7h}"), "1:39: functions[0].sessions.idle_timeout: 7h0m0s is longer than the ttl, accepted is 0 or up to 6h0m0s"},
		{fn("requests_per_instance: 0, on_instance_loss: wait"), `
1:37: functions[0].requests_per_instance: 0 lets no request through, accepted is 1 or more
1:58: functions[0].on_instance_loss: "wait" is no loss policy, accepted is rehome or fail`},
		{fn("when_full: {wait: 11m}"), "1:32: functions[0].when_full.wait: 11m0s is out of range, accepted is 0s to 10m0s"},
		{fn("invoke_path: x,  timeouts: {connect: 0}"), `
1:27: functions[0].invoke_path: "x" does not start with /, accepted is a path such as /invoke
1:51: functions[0].timeouts.connect: 0s is not above 0, accepted is a duration such as 500ms or 2s`},
		{fn("affinity: {type: MCP_STREAMABLE, header: X-Session-Id}"), `1:55: functions[0].affinity.header: "X-Session-Id" is not MCP's, accepted is Mcp-Session-Id, or to leave it out`},
		{fn("affinity: {type: GENERATED_COOKIE, cookie: {keys_file: /none}}"), "1:69: functions[0].affinity.cookie.keys_file: signing keys: open /none: no such file or directory; accepted is a file with one key of at least 32 bytes in each line"},
		{"functions:\n  - name: a\n    instances:\n      static: [{id: i, url: 'http://127.0.0.1:1'}]\n      drain_deadline: 0\n      process: {command: [x], max: 0}\n      dns: {name: x}\n", `
5:23: functions[0].instances.drain_deadline: 0s is out of range, accepted is 1ms to 168h0m0s
6:36: functions[0].instances.process.max: 0 is out of range, accepted is 1 to 4096
7:12: functions[0].instances.dns.port: 0 is no port, accepted is 1 to 65535`},
	})
}

func TestFunctionsAmongEachOther(t *testing.T) {
	const instances = "instances: {static: [{id: i, url: 'http://127.0.0.1:1'}]}}\n"
	check(t, []badFile{
		{"functions:\n  - {name: a, " + instances + "  - {name: a, match: {path: /x}, " + instances, `3:12: functions[1].name: "a" with qualifier "LATEST" is functions[0] too, accepted is each name and qualifier once`},
		{"functions:\n  - {name: a, match: {host: Example.COM, path: /x/}, " + instances + "  - {name: b, match: {host: example.com, path: /x}, " + instances, "3:22: functions[1].match: \"b\" takes the same host and path as \"a\" (functions[0]), accepted is a host or a path of its own"},
		{"functions:\n  - {name: a, " + instances + "  - {name: a, qualifier: v2, " + instances, "3:5: functions[1].match: \"a\" takes the same host and path as \"a\" (functions[0]), accepted is a host or a path of its own"},
	})
	parse(t, "functions:\n  - {name: a, "+instances+"  - {name: a, qualifier: v2, match: {path: /v2}, "+instances+"  - {name: b, match: {host: b.example.com}, "+instances)
}

func TestWarnings(t *testing.T) {
	const instances = "instances: {static: [{id: i, url: 'http://127.0.0.1:1'}]}}\n"
	loaded, err := configs.Parse("f.yaml", []byte("functions:\n"+
		"  - {name: a, match: {path: /a}, affinity: {type: GENERATED_COOKIE, header: X-Other}, "+instances+
		"  - {name: b, match: {path: /b}, affinity: {type: GENERATED_COOKIE, cookie: {path: /bb}}, "+instances+
		"  - {name: c, match: {path: /c}, affinity: {cookie: {name: mine}}, "+instances+
		"  - {name: d, match: {path: /d/e}, affinity: {type: GENERATED_COOKIE, cookie: {name: mine, path: /d/}}, "+instances), variables(nil))
	require.NoError(t, err)
	var got []string
	for _, w := range loaded.Warnings {
		got = append(got, w.String())
	}
	require.Equal(t, []string{
		"f.yaml:2:77: functions[0].affinity.header: is not used with type GENERATED_COOKIE, accepted with type HEADER_FIELD",
		"f.yaml:3:77: functions[1].affinity.cookie.name: limpet-session is the cookie of a (functions[0]) too: a client that uses both on one host starts a new session at each change, accepted is a name of its own",
		"f.yaml:3:84: functions[1].affinity.cookie.path: /bb does not cover match.path /b: a request outside it comes without the cookie and starts a new session, accepted is / or /b",
		"f.yaml:4:53: functions[2].affinity.cookie: is not used with type HEADER_FIELD, accepted with type GENERATED_COOKIE",
	}, got)
}

// A process is on one machine, the store may be everybody's.
func TestProcessesOnRedisAreAWarning(t *testing.T) {
	text := "functions: [{name: a, instances: {process: {command: [x]}}}]\n"
	loaded, err := configs.Parse("f.yaml", []byte(text), nil)
	require.NoError(t, err)
	require.Empty(t, loaded.Warnings)
	loaded, err = configs.Parse("f.yaml", []byte("store: {kind: redis}\n"+text), nil)
	require.NoError(t, err)
	require.Len(t, loaded.Warnings, 1)
	require.Equal(t, "functions[0].instances.process", loaded.Warnings[0].Key)
}

// How long a secret must be is for those to say who made it; but who may guess it should know.
func TestAGuessableSecretIsAWarning(t *testing.T) {
	short := file(t, "short\n")
	loaded, err := configs.Parse("f.yaml", []byte("auth: {keys: [{id: a, secret_file: "+short+"}]}\n"+one), nil)
	require.NoError(t, err)
	require.Len(t, loaded.Warnings, 1)
	require.Equal(t, "auth.keys[0].secret_file", loaded.Warnings[0].Key)
	require.NotContains(t, loaded.Warnings[0].Text, "short")
}

func TestHealth(t *testing.T) {
	const before = "functions:\n  - name: a\n    instances:\n      static: [{id: i, url: 'http://127.0.0.1:1'}]\n      health: "
	check(t, []badFile{
		{before + "{status: 2xx}\n", `5:24: functions[0].instances.health.status: "2xx" is no status, accepted is a status such as 200, or a range such as 200-299, within 200-599`},
		{before + "{status: [200, 204]}\n", `5:24: functions[0].instances.health.status: is a list, accepted is a status such as 200, or a range such as 200-299, within 200-599`},
		{before + "{method: CONNECT}\n", `5:24: functions[0].instances.health.method: "CONNECT" is no method of a probe, accepted is GET, HEAD, OPTIONS or POST`},
	})
}
