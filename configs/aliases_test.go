package configs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/configs"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
)

// versions are two of the function a, in lines 2 and 3; an alias of them follows in line 4.
const versions = `functions:
  - {name: a, qualifier: v1, match: {path: /v1}, instances: {static: [{id: i, url: 'http://127.0.0.1:1'}]}}
  - {name: a, qualifier: v2, match: {path: /v2}, instances: {static: [{id: i, url: 'http://127.0.0.1:2'}]}}
`

// alias is a file of both versions and one more entry, whose keys begin in column 35 of line 4.
func alias(keys string) string { return versions + "  - {name: a, qualifier: prod, " + keys + "}\n" }

func TestAliasIsLoaded(t *testing.T) {
	c := parse(t, alias("weights: {v1: 95, v2: 5, }, affinity: {type: NONE}"))
	f := c.Functions[2]
	require.True(t, f.IsAlias())
	require.Equal(t, proxy.Weights{"v1": 95, "v2": 5}, f.Weights)
	require.Equal(t, instances.Config{}, f.Instances)
	require.Zero(t, f.Sessions.PerInstance)
	require.Zero(t, f.RequestsPerInstance)
	require.False(t, c.Functions[0].IsAlias())
	require.Equal(t, []string{"v1", "v2"}, f.Weights.Versions())
}

func TestAliasPrintsAndReadsBack(t *testing.T) {
	for _, weights := range []string{"{v1: 95, v2: 5}", "{v2: 1000}", "{v1: 0, v2: 1}"} {
		printed := roundTrip(t, parse(t, alias("weights: "+weights)))
		require.Equal(t, 2, strings.Count(printed, "instances:\n"), printed)
		require.Equal(t, 1, strings.Count(printed, "weights:\n"), printed)
		require.Contains(t, printed, "      per_instance: 0\n")
	}
	// A qualifier that YAML would read as a number.
	text := strings.ReplaceAll(alias(`weights: {"1": 3, v2: 4}`), "v1,", "'1',")
	require.Contains(t, roundTrip(t, parse(t, text)), "    weights:\n      \"1\": 3\n      v2: 4\n")
	require.Equal(t, proxy.Weights{"1": 3, "v2": 4}, parse(t, strings.Replace(text, `"1": 3`, "1: 3", 1)).Functions[2].Weights)
}

// Isolation is what a version's instances are for, and an alias says nothing else.
func TestAliasIsIsolatedAsItsVersionsAre(t *testing.T) {
	isolated := strings.ReplaceAll(alias("weights: {v1: 1, v2: 1}"), "match: {path: /v", "sessions: {isolation: true}, match: {path: /v")
	c := parse(t, isolated)
	require.True(t, c.Functions[2].Sessions.Isolation)
	roundTrip(t, c)
}

func TestBadAliases(t *testing.T) {
	const have = "accepted are the qualifiers of this function that have instances: v1, v2"
	check(t, []badFile{
		{alias("weights: {v3: 1}"), "4:46: functions[2].weights.v3: a has no version v3, " + have},
		{alias("weights: {v1: 1, prod: 1}"), "4:55: functions[2].weights.prod: is this alias itself, " + have},
		{alias("weights: {v1: 1}") + "  - {name: a, qualifier: b, match: {path: /b}, weights: {prod: 1}}\n", "5:64: functions[3].weights.prod: prod is an alias itself, " + have},
		{alias("weights: {v1: -1, v2: 1001}"), `
4:46: functions[2].weights.v1: -1 is out of range, accepted is a whole number from 0 to 1000
4:54: functions[2].weights.v2: 1001 is out of range, accepted is a whole number from 0 to 1000`},
		{alias("weights: {v1: 0, v2: 0}"), "4:41: functions[2].weights: gives no version a share, accepted is at least one weight above 0"},
		{alias("weights: {}"), "4:41: functions[2].weights: is empty, accepted is at least one version with its weight, such as {v1: 95, v2: 5}"},
		{alias("weights: [v1]"), "4:41: functions[2].weights: is a list, accepted is a mapping of names, each with a whole number"},
		{alias("weights: 5"), "4:41: functions[2].weights: is a number, accepted is a mapping of names, each with a whole number"},
		{alias("weights: ~"), "4:41: functions[2].weights: has no value, accepted is a mapping of names, each with a whole number"},
		{alias("weights: {v1: 1.5, v2: '5'}"), `
4:46: functions[2].weights.v1: 1.5 is not a whole number, accepted is a whole number
4:55: functions[2].weights.v2: "5" is not a whole number, accepted is a whole number`},
		{alias("weights: {v1: 1, v1: 2}"), "4:49: functions[2].weights.v1: is given twice, first in line 4, accepted is once"},
		{alias("weights: {v1: 1, <<: {v2: 1}}"), "4:49: functions[2].weights.<<: is a merge key, accepted are the keys themselves"},
		{alias("weights: {v1: 1}, instances: {}"), "4:61: functions[2].instances: an alias has none of its own, accepted is weights or instances"},
		{alias("weights: {v1: 1}, instances: {static: [{id: i, url: 'http://127.0.0.1:3'}]}"), "4:61: functions[2].instances: an alias has none of its own, accepted is weights or instances"},
		{alias("upgrades: []"), "4:5: functions[2].instances.static: a function without instances can answer nothing, accepted is at least one {id, url}"},
		{alias("weights: {v1: 1}, sessions: {per_instance: 20}, requests_per_instance: 1"), `
4:75: functions[2].sessions.per_instance: is each version's own, accepted for an alias is 0, or to leave it out
4:103: functions[2].requests_per_instance: is each version's own, accepted for an alias is 0, or to leave it out`},
		{alias("weights: {v1: 1}, sessions: {isolation: true}"), "4:72: functions[2].sessions.isolation: is true and that of version v1 is false, accepted is the same for an alias and all its versions"},
		{alias("weights: {v1: 1}, match: {path: /v1}"), "4:57: functions[2].match: \"a\" takes the same host and path as \"a\" (functions[0]), accepted is a host or a path of its own"},
		{"functions:\n  - {name: a, weights: {v1: 1}}\n", "2:29: functions[0].weights.v1: a has no version v1, accepted are entries of this function that have instances, and there is none"},
	})
}

func loadedFrom(t *testing.T, text string) *configs.Loaded {
	t.Helper()
	loaded, err := configs.Parse("f", []byte(text), variables(nil))
	require.NoError(t, err)
	return loaded
}

func TestAliasThatWaitsLongerIsWarnedOf(t *testing.T) {
	loaded := loadedFrom(t, alias("weights: {v1: 1}, on_instance_loss: fail"))
	require.Len(t, loaded.Warnings, 1)
	require.Equal(t, "f:4:68: functions[2].on_instance_loss: is fail and that of version v1 is not: an instance that comes back without a start nonce counts as another program, accepted is fail for both", loaded.Warnings[0].String())
	require.Empty(t, loadedFrom(t, strings.ReplaceAll(alias("weights: {v1: 1}"), "qualifier: v", "on_instance_loss: fail, qualifier: v")).Warnings)
}
