package configs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHostileFiles has files below the limit of size that keep the YAML library busy for minutes, or use up all
// memory, unless they are refused before it parses them: a failure of this test is its time-out.
func TestHostileFiles(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, 250_000/len(s)) }
	for name, c := range map[string]struct{ text, want string }{
		"brackets":  {fill("["), "syntax: is nested too deeply, accepted are 16 levels"},
		"braces":    {fill("{a: "), "syntax: is nested too deeply, accepted are 16 levels"},
		"dashes":    {fill("- "), "syntax: is nested too deeply, accepted are 16 levels"},
		"questions": {fill("? "), "syntax: is nested too deeply, accepted are 16 levels"},
		"indents":   {indents(700), "syntax: is indented by more than 200 columns, accepted is less"},
		"anchors":   {fill("&a "), "syntax: has more than 100 anchors, aliases, tags and document markers, accepted are none"},
		"tags":      {fill("!a "), "syntax: has more than 100 anchors, aliases, tags and document markers, accepted are none"},
		"documents": {fill("---\n"), "syntax: has more than 100 anchors, aliases, tags and document markers, accepted are none"},
		"keys":      {strings.Repeat("a: #\n", 50_000), "syntax: has more than 256 keys in one mapping, accepted are fewer"},
		"inner":     {"a:\n" + strings.Repeat("  a: #\n", 50_000), "syntax: has more than 256 keys in one mapping, accepted are fewer"},
		"flow keys": {"a: {" + strings.Repeat("a: b, ", 50_000) + "}", "syntax: has more than 256 keys in one mapping, accepted are fewer"},
		"nulls":     {"a:\n" + strings.Repeat("-\n", 100_000), "syntax: has more than 100 empty list items, accepted are none"},
		"items":     {"a: [" + strings.Repeat("x,", 151_000) + "]", "syntax: has more than 300000 words and marks, accepted is a smaller file"},
		"quotes":    {strings.Repeat(`"`, 200_000), "syntax: value is not allowed in this context, accepted is YAML"},
		"closing":   {strings.Repeat("]", 200_000), "syntax: could not find '[' character corresponding to ']', accepted is YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			got := lines(t, c.text, nil)
			require.Len(t, got, 1)
			require.Contains(t, got[0], c.want)
		})
	}
}

func indents(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%*sa:\n", i, "")
	}
	return b.String()
}

// TestAliasBomb is the billion laughs: nine levels of ten aliases each.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	require.Contains(t, lines(t, b.String()+one, nil), "1:1: a0: is an unknown key, accepted are listen, tls, h2c, admin, admin_tls, deployment, trusted_proxies, shutdown, limits, access_log, auth, session_api, store, cache, functions")
	require.Equal(t, []string{"1:18: trusted_proxies: has an anchor, accepted is the value itself", "1:22: trusted_proxies[0]: is an alias, accepted is the value itself"},
		lines(t, "trusted_proxies: &a [*a]\n"+one, nil), "an alias of what it is in")
}

// TestLargeFile is what a deployment of a thousand functions writes.
func TestLargeFile(t *testing.T) {
	var b strings.Builder
	b.WriteString("functions:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "- name: f%d # \u00fc\n  match: {path: /f%d}\n  sessions:\n    ttl: 1h\n    per_instance: 5\n  instances:\n    static:\n", i, i)
		for j := range 8 {
			fmt.Fprintf(&b, "    - {id: i%d, url: http://127.0.%d.%d:80}\n", j, j, i%250+1)
		}
	}
	c := parse(t, b.String())
	require.Len(t, c.Functions, 1000)
	require.Len(t, c.Functions[999].Instances.Static, 8)
}
