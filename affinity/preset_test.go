package affinity_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/sessions"
)

// settled is the configuration that a file with these keys has.
func settled(change func(*affinity.Config), given ...string) affinity.Config {
	cfg := affinity.DefaultConfig()
	change(&cfg)
	cfg.Settle(func(key string) bool { return strings.Contains(strings.Join(given, " "), key) })
	return cfg
}

func preset(p affinity.Preset) func(*affinity.Config) {
	return func(c *affinity.Config) { c.Preset = p }
}

func TestPresets(t *testing.T) {
	for p, header := range map[affinity.Preset]string{
		affinity.PresetMCP: "Mcp-Session-Id", affinity.PresetAgentCore: "X-Amzn-Bedrock-Agentcore-Runtime-Session-Id", affinity.PresetA2A: "X-A2a-Context-Id",
	} {
		cfg := settled(preset(p))
		require.Empty(t, problems(cfg), p)
		cfg.Overrides(func(key, problem string) { t.Error(p, key, problem) })
		rule, err := affinity.New(cfg, affinity.Scope{})
		require.NoError(t, err)
		require.Equal(t, header, rule.Header())
		claim, err := rule.Extract(request(http.Header{header: {"mine"}}))
		require.NoError(t, err)
		require.Equal(t, affinity.Claim{ID: "mine"}, claim, "made on demand")
		claim, err = rule.Extract(request(nil))
		require.NoError(t, err)
		require.True(t, claim.Fresh, "the platform makes the ID where the client has none")
	}
}

func TestA2AHasItsContextInSeveralPlaces(t *testing.T) {
	rule, err := affinity.New(settled(preset(affinity.PresetA2A)), affinity.Scope{})
	require.NoError(t, err)
	for want, r := range map[string]*http.Request{
		"a": target(t, "/tasks?contextId=c", "X-A2A-Context-Id", "a", affinity.AgentCoreHeader, "b"),
		"b": target(t, "/tasks?contextId=c", affinity.AgentCoreHeader, "b"),
		"c": target(t, "/tasks?contextId=c"),
	} {
		claim, err := rule.Extract(r)
		require.NoError(t, err)
		require.Equal(t, affinity.Claim{ID: want}, claim)
	}
}

// The vendor's rules hold however its header is named.
func TestAgentCoresIDs(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, cfg := range map[string]affinity.Config{
		"preset": settled(preset(affinity.PresetAgentCore)),
		"header": settled(func(c *affinity.Config) { c.Header = "x-amzn-bedrock-agentcore-runtime-session-id" }, "header"),
		"source": settled(func(c *affinity.Config) {
			c.Sources = []affinity.Source{{Header: "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"}}
		}),
	} {
		rule, err := affinity.New(cfg, affinity.Scope{})
		require.NoError(t, err, name)
		claim, err := rule.Extract(request(http.Header{affinity.AgentCoreHeader: {long}}))
		require.NoError(t, err, name)
		require.Equal(t, affinity.Claim{ID: long}, claim, name)
		_, err = rule.Extract(request(http.Header{affinity.AgentCoreHeader: {long + "x"}}))
		require.ErrorIs(t, err, affinity.ErrInvalid, name)
		claim, err = rule.Extract(request(nil))
		require.NoError(t, err, name)
		require.GreaterOrEqual(t, len(claim.ID), 33, "its SDKs take no shorter one: %s", name)
	}
}

func TestWhatTheFileSaysCountsBeforeThePreset(t *testing.T) {
	cfg := settled(func(c *affinity.Config) { c.Preset, c.Header = affinity.PresetA2A, "X-Mine" }, "header")
	require.Equal(t, "X-Mine", cfg.Header)
	require.Len(t, cfg.Sources, 3, "what it does not say is the preset's")
	require.Equal(t, map[string]string{"header": "is not the preset's: a2a has X-A2a-Context-Id, accepted is to leave out one of the two"}, overrides(cfg))

	cfg = settled(func(c *affinity.Config) {
		c.Preset, c.Sources = affinity.PresetMCP, []affinity.Source{{Query: "s"}}
	}, "sources")
	require.Equal(t, "Mcp-Session-Id", cfg.Header)
	require.Equal(t, map[string]string{"sources": "are not the preset's: accepted is to leave out sources or preset mcp-session-id"}, overrides(cfg))
	require.Empty(t, problems(cfg))
}

func overrides(cfg affinity.Config) map[string]string {
	found := map[string]string{}
	cfg.Overrides(func(key, problem string) { found[key] = problem })
	return found
}

func TestPresetsThatCannotBe(t *testing.T) {
	cfg := settled(preset("mcp"))
	require.Equal(t, map[string]string{"preset": `"mcp" is unknown, accepted are mcp-session-id, agentcore, a2a`}, problems(cfg))
	cfg = settled(preset(affinity.PresetAgentCore))
	cfg.Type = sessions.AffinityCookie
	require.Equal(t, map[string]string{"preset": "agentcore is HEADER_FIELD and the type is GENERATED_COOKIE, accepted is to leave out one of the two"}, problems(cfg))
}

func ExampleConfig_Settle() {
	cfg := affinity.DefaultConfig()
	cfg.Preset = affinity.PresetAgentCore
	cfg.Settle(func(string) bool { return false }) // the file gives nothing but the preset
	fmt.Println(cfg.Type, cfg.Header)
	// Output: HEADER_FIELD X-Amzn-Bedrock-Agentcore-Runtime-Session-Id
}
