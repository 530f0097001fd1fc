package configs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fn is a file of one function that has one more key; the key begins in column 13 of line 1.
func fn(key string) string {
	return "functions: [" + "{" + key + ", name: a, instances: {static: [{id: i, url: 'http://127.0.0.1:1'}]}}]\n"
}

type badFile struct{ text, want string }

func check(t *testing.T, files []badFile) {
	t.Helper()
	for _, f := range files {
		want := strings.Split(strings.TrimSpace(f.want), "\n")
		require.Equal(t, want, lines(t, f.text, nil), "%q", f.text)
	}
}

func TestSyntax(t *testing.T) {
	check(t, []badFile{
		{"", "1:1: file: is empty, accepted is at least the key functions with one function"},
		{"# nothing\n---\n", "1:1: file: is empty, accepted is at least the key functions with one function"},
		{"a:\n\tb: 1\n", `2:1: syntax: found character '\t' that cannot start any token, accepted is YAML that is indented with spaces`},
		{"a: [1\n", "1:4: syntax: sequence end token ']' not found, accepted is YAML"},
		{"a: 1\n  b: 2\n", "1:4: syntax: mapping value is not allowed in this context, accepted is YAML"},
		{"a: \"x\n", "1:4: syntax: could not find end character of double-quoted text, accepted is YAML"},
		{"a: {b: ${X}}\n", `1:9: syntax: ',' or '}' must be specified, accepted is YAML; inside [] and {} a variable needs quotes, as in "${VAR}"`},
		{one + "---\nlisten: x\n", "3:1: syntax: begins a second document, accepted is one document in a file"},
		{"%YAML 1.2\n---\n" + one, "1:1: syntax: has a directive, accepted is YAML without"},
		{"# ü\nü: \xff\n", "2:4: file: is not UTF-8 at byte 9, accepted is a text file in UTF-8"},
		{"\xff\xfea\x00", "1:1: file: is not UTF-8 at byte 0, accepted is a text file in UTF-8"},
		{"listen: a\x00b\n", `1:10: syntax: has the control character '\x00', accepted is printable text; in double quotes, an escape such as \x07`},
	})
}

func TestAnchorsAliasesTagsMergeKeys(t *testing.T) {
	check(t, []badFile{
		{"listen: &a 127.0.0.1:1\nadmin: *a\ndeployment: !!str x\nlimits:\n  <<: {header_bytes: 8KiB}\n" + one, `
1:9: listen: has an anchor, accepted is the value itself
2:8: admin: is an alias, accepted is the value itself
3:13: deployment: has the tag "!!str", accepted is the value without a tag
5:3: limits.<<: is a merge key, accepted are the keys themselves: header_bytes, header_timeout, streams`},
		{"functions: &f\n  - &g {name: a}\n  - *g\n", `
1:12: functions: has an anchor, accepted is the value itself
2:5: functions[0]: has an anchor, accepted is the value itself
3:5: functions[1]: is an alias, accepted is the value itself`},
	})
}

func TestKeys(t *testing.T) {
	check(t, []badFile{
		{"lisen: x\n" + one, "1:1: lisen: is an unknown key, did you mean listen? Accepted are listen, tls, h2c, admin, admin_tls, deployment, trusted_proxies, shutdown, limits, access_log, auth, session_api, store, cache, functions"},
		{"limits: {speed: 1}\n" + one, "1:10: limits.speed: is an unknown key, accepted are header_bytes, header_timeout, streams"},
		{"shutdown: {Delay: 1s, dead-line: 1s}\n" + one, `
1:12: shutdown.Delay: is an unknown key, did you mean delay? Accepted are delay, deadline
1:23: shutdown.dead-line: is an unknown key, did you mean deadline? Accepted are delay, deadline`},
		{"cache: {1: 2, null: 3, \"a\\nb\": 4}\n" + one, `
1:9: cache.1: is an unknown key, accepted are sessions
1:15: cache.null: is an unknown key, accepted are sessions
1:24: cache."a\nb": is an unknown key, accepted are sessions`},
		{"? cache\n: {sessions: 1, sessions: 2}\nlisten: 127.0.0.1:1\n'listen': 127.0.0.1:2\n" + one, `
2:17: cache.sessions: is given twice, first in line 2, accepted is once
4:1: listen: is given twice, first in line 3, accepted is once`},
		// A slip in the name of a required key is one problem, not two.
		{"functions:\n  - nmae: a\n    instances:\n      statik: []\n", `
2:5: functions[0].nmae: is an unknown key, did you mean name? Accepted are name, qualifier, match, weights, affinity, sessions, requests_per_instance, on_instance_loss, loss_grace, when_full, instances, invoke, invoke_path, upgrades, timeouts
4:7: functions[0].instances.statik: is an unknown key, did you mean static? Accepted are static, dns, kubernetes, process, protocol, health, allowed_ranges, drain_deadline`},
	})
}

func TestTypes(t *testing.T) {
	const duration = "accepted is a duration such as 500ms, 30s, 5m or 6h; 0 needs no unit"
	check(t, []badFile{
		{"text\n", "1:1: file: is text, accepted is a mapping with the keys listen, tls, h2c, admin, admin_tls, deployment, trusted_proxies, shutdown, limits, access_log, auth, session_api, store, cache, functions"},
		{"- a\n", "1:1: file: is a list, accepted is a mapping with the keys listen, tls, h2c, admin, admin_tls, deployment, trusted_proxies, shutdown, limits, access_log, auth, session_api, store, cache, functions"},
		{"listen: 8080\nadmin: [x]\ndeployment: true\n" + one, `
1:9: listen: 8080 is a number, in quotes it is text, accepted is text
2:8: admin: is a list, accepted is text
3:13: deployment: true is true or false, in quotes it is text, accepted is text`},
		{"shutdown: {delay: 5, deadline: -1s}\n" + one, "1:19: shutdown.delay: 5 is not a duration, " + duration + "\n1:32: shutdown.deadline: -1s is negative, " + duration},
		{"shutdown:\n  delay: 1 day\n  deadline: {}\n" + one, "2:10: shutdown.delay: \"1 day\" is not a duration, " + duration + "\n3:13: shutdown.deadline: is a mapping, " + duration},
		{"shutdown: 5s\nlimits:\n  - 1\n" + one, `
1:11: shutdown: is text, accepted is a mapping with the keys delay, deadline
3:3: limits: is a list, accepted is a mapping with the keys header_bytes, header_timeout, streams`},
		{"cache: {sessions: 1.5}\naccess_log: {enabled: yes, sample: .nan}\n" + one, `
1:19: cache.sessions: 1.5 is not a whole number, accepted is a whole number
2:23: access_log.enabled: "yes" is neither true nor false, accepted is true or false
2:36: access_log.sample: .nan is not a number, accepted is a number such as 0.5`},
		{"cache: {sessions: 0x10}\n" + one, "1:19: cache.sessions: 0x10 is not a whole number, accepted is a whole number"},
		{"cache: {sessions: 010}\n" + one, "1:19: cache.sessions: 010 is not a whole number, accepted is a whole number"},
		{"cache: {sessions: '5'}\n" + one, `1:19: cache.sessions: "5" is not a whole number, accepted is a whole number`},
		{"cache: {sessions: 99999999999999999999}\n" + one, `1:19: cache.sessions: "99999999999999999999" is not a whole number, accepted is a whole number`},
		{"limits: {header_bytes: lots}\n" + one, `1:24: limits.header_bytes: "lots" is not a size, accepted is a number of bytes with B, KiB, MiB or GiB, such as 32KiB`},
		{"listen:\nadmin: ~\nlimits: null\ntrusted_proxies: [10.0.0.1, ~]\n" + one, `
1:1: listen: has no value, accepted is text
2:8: admin: has no value, accepted is text
3:9: limits: has no value, accepted is a mapping with the keys header_bytes, header_timeout, streams
4:29: trusted_proxies[1]: has no value, accepted is text`},
		{"functions:\n  - name: a\n    instances:\n      static: [{id: i, url: 'http://127.0.0.1:1'}]\n      health:\n", "5:7: functions[0].instances.health: has no value, accepted is a mapping with the keys path, method, status, interval, timeout, failures, successes; {} takes their defaults"},
		{"functions: {name: a}\n", "1:12: functions: is a mapping, accepted is a list, each item a mapping with the keys name, qualifier, match, weights, affinity, sessions, requests_per_instance, on_instance_loss, loss_grace, when_full, instances, invoke, invoke_path, upgrades, timeouts"},
	})
}

// TestAllProblemsAtOnce mixes what decoding and what validation finds, above and below each other.
func TestAllProblemsAtOnce(t *testing.T) {
	check(t, []badFile{{`admin: 0.0.0.0:9090
lisen: x          # ü, before a problem in the same line, moves no column
deployment: "two
  lines"
cache: {sessions: 0}
store:
  kind: postgres
functions:
  - name: a
    sessions: {ttl: 1h, idle_timeout: 2h}
    affinity: {type: MCP_WS}
    instances:
      static:
        - {id: i, url: ftp://127.0.0.1}
  - qualifier: v2
    when_full:
      wait: soon
    invoke: yes
`, `
1:8: admin: 0.0.0.0:9090 can be reached from other machines and auth.keys is empty, accepted is a loopback address such as 127.0.0.1:9090, or keys
2:1: lisen: is an unknown key, did you mean listen? Accepted are listen, tls, h2c, admin, admin_tls, deployment, trusted_proxies, shutdown, limits, access_log, auth, session_api, store, cache, functions
3:13: deployment: "two lines" cannot name a deployment, accepted are 1 to 128 letters, digits, _ . and -, the first a letter, a digit or _
5:19: cache.sessions: 0 holds nothing, accepted is 1 or more
7:9: store.kind: "postgres" is no kind of store, accepted are embedded and redis
10:39: functions[0].sessions.idle_timeout: 2h0m0s is longer than the ttl, accepted is 0 or up to 1h0m0s
11:22: functions[0].affinity.type: "MCP_WS" is unknown, accepted are NONE, HEADER_FIELD, GENERATED_COOKIE, MCP_STREAMABLE and MCP_SSE
14:24: functions[0].instances.static[0].url: "ftp://127.0.0.1" is neither http nor https, accepted is http or https, a host and at most a port, such as http://127.0.0.1:9001
15:5: functions[1].name: is missing, accepted are 1 to 128 letters, digits, _ . and -, the first a letter, a digit or _
15:5: functions[1].instances.static: a function without instances can answer nothing, accepted is at least one {id, url}
15:5: functions[1].match: "" takes the same host and path as "a" (functions[0]), accepted is a host or a path of its own
17:13: functions[1].when_full.wait: "soon" is not a duration, accepted is a duration such as 500ms, 30s, 5m or 6h; 0 needs no unit
18:13: functions[1].invoke: "yes" is neither true nor false, accepted is true or false`}})
}
