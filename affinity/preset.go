package affinity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/limpet-proxy/limpet/sessions"
)

// Preset is one word for where a kind of clients has its session ID: the key functions[].affinity.preset.
type Preset string

// The presets. Each is HEADER_FIELD.
const (
	// PresetMCP is for stateless MCP servers, by AgentCore's rule: the platform makes the Mcp-Session-Id, the server
	// accepts it. A server that makes its own needs MCP_STREAMABLE.
	PresetMCP Preset = "mcp-session-id"
	// PresetAgentCore is AgentCore's runtime header, with the vendor's IDs: up to 256 characters, those made here 40.
	PresetAgentCore Preset = "agentcore"
	// PresetA2A is for agents of the A2A protocol, whose specification has the context's ID in bodies only: a header
	// that clients send it in by convention, then AgentCore's, then the parameter of the operation that lists tasks.
	PresetA2A Preset = "a2a"
)

// presets are what each sets.
func presets() map[Preset]Config {
	return map[Preset]Config{
		PresetMCP:       {Header: MCPHeader},
		PresetAgentCore: {Header: AgentCoreHeader},
		PresetA2A: {
			Header:  A2AHeader,
			Sources: []Source{{Header: A2AHeader}, {Header: AgentCoreHeader}, {Query: "contextId"}},
		},
	}
}

// Settle fills in what follows from other keys where the file does not give it: what the preset sets, MCP's own header,
// and of a list of sources the first header, to tell IDs in. given says whether a key, relative to functions[].affinity,
// is in the file.
func (c *Config) Settle(given func(key string) bool) {
	preset := presets()[c.Preset]
	if preset.Sources != nil && !given("sources") {
		c.Sources = preset.Sources
	}
	if given("header") {
		return
	}
	switch {
	case c.Type == sessions.AffinityMCPStreamable:
		c.Header = MCPHeader
	case preset.Header != "":
		c.Header = preset.Header
	default:
		c.Header = firstHeader(c.Sources, c.Header)
	}
}

func firstHeader(sources []Source, otherwise string) string {
	for _, s := range sources {
		if s.Header != "" {
			return s.Header
		}
	}
	return otherwise
}

// Overrides calls report for each key that the file gives otherwise than its preset would: the file's counts.
func (c Config) Overrides(report func(key, problem string)) {
	preset, known := presets()[c.Preset]
	if !known {
		return
	}
	if !strings.EqualFold(c.Header, preset.Header) {
		report("header", fmt.Sprintf("is not the preset's: %s has %s, accepted is to leave out one of the two", c.Preset, preset.Header))
	}
	if !slices.Equal(c.Sources, preset.Sources) {
		report("sources", fmt.Sprintf("are not the preset's: accepted is to leave out sources or preset %s", c.Preset))
	}
}

func (c Config) validatePreset(report func(key, problem string)) {
	if c.Preset == "" {
		return
	}
	if _, known := presets()[c.Preset]; !known {
		report("preset", fmt.Sprintf("%.40q is unknown, accepted are %s", string(c.Preset), strings.Join(presetNames(), ", ")))
		return
	}
	if c.Type != sessions.AffinityHeader {
		report("preset", fmt.Sprintf("%s is %s and the type is %s, accepted is to leave out one of the two", c.Preset, sessions.AffinityHeader, c.Type))
	}
}

func presetNames() []string {
	return []string{string(PresetMCP), string(PresetAgentCore), string(PresetA2A)}
}
