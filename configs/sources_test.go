package configs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/affinity"
	"github.com/limpet-proxy/limpet/configs"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestSources(t *testing.T) {
	c := example(t, "sources.yaml")
	require.Len(t, c.Functions, 6)
	for i, want := range []string{"X-Session-Id", "X-Chat-Id", "X-Session-Id", affinity.AgentCoreHeader, affinity.A2AHeader, affinity.MCPHeader} {
		a := c.Functions[i].Affinity
		require.Equal(t, sessions.AffinityHeader, a.Type)
		require.Equal(t, want, a.Header, "filled in: %s", c.Functions[i].Name)
	}
	require.Equal(t, []affinity.Source{{Header: "X-Chat-Id"}, {Query: "chat"}}, c.Functions[1].Affinity.Sources)
	require.Len(t, c.Functions[4].Affinity.Sources, 3, "the preset's")
}

func TestMCPSSE(t *testing.T) {
	c := example(t, "mcp-sse.yaml")
	require.Len(t, c.Functions, 1)
	a := c.Functions[0].Affinity
	require.Equal(t, sessions.AffinityMCPSSE, a.Type)
	require.Equal(t, affinity.DefaultSSEPath, a.SSEPath)
	require.Equal(t, affinity.DefaultSSEParams(), a.SSEParams)
}

// withAffinity is a file with one function of this affinity, and these other keys.
func withAffinity(affinity string, others ...string) string {
	return "functions:\n  - name: f\n    affinity: " + affinity + "\n    instances: {static: [{id: a, url: http://127.0.0.1:1}]}\n    " + strings.Join(others, "\n    ") + "\n"
}

func TestCheckPrintsAPresetExpanded(t *testing.T) {
	var out strings.Builder
	require.NoError(t, parse(t, withAffinity("{preset: a2a}")).Print(&out))
	require.Contains(t, out.String(), `      preset: a2a
      type: HEADER_FIELD
      header: X-A2a-Context-Id
      sources:
        - header: X-A2a-Context-Id
        - header: X-Amzn-Bedrock-Agentcore-Runtime-Session-Id
        - query: contextId
`)
	require.Equal(t, parse(t, withAffinity("{preset: a2a}")), parse(t, out.String()), "and reads it back")
}

func TestSourcesThatAreProbablyNotMeant(t *testing.T) {
	for text, want := range map[string]string{
		withAffinity(`{sources: [{path: "/rooms/{id}"}]}`, "match: {path: /chat}"):    "sources[0].path: no path is both in /rooms/{id} and below match.path /chat, accepted is a whole path, such as /chat/rooms/{id}",
		withAffinity("{sources: [{cookie: sid}]}", "sessions: {isolation: true}"):     "sources[0].cookie: a cookie that changes, as at a login, needs a second slot",
		withAffinity("{preset: agentcore, header: X-Mine}"):                           "header: is not the preset's: agentcore has X-Amzn-Bedrock-Agentcore-Runtime-Session-Id",
		withAffinity("{type: NONE, sources: [{query: a}]}"):                           "sources: is not used with type NONE",
		withAffinity("{sources: [{cookie: sid}], header: X-Mine}"):                    "header: is not used beside a cookie",
		withAffinity("{type: MCP_SSE}", "match: {path: /mcp}"):                        "sse_path: /sse is not below match.path /mcp, accepted is a path from the host's root, such as /mcp/sse",
		withAffinity("{type: MCP_SSE, sse_path: /mcp/sse}", "match: {path: /mcp}"):    "",
		withAffinity(`{sources: [{path: "/rooms/{id}"}]}`, "match: {path: /rooms/}"):  "",
		withAffinity(`{sources: [{path: "/{id}/x"}]}`, "match: {path: /rooms/x/y}"):   "",
		withAffinity(`{sources: [{path: "/rooms/{id}/x"}]}`, "match: {path: /rooms}"): "",
	} {
		loaded, err := configs.Parse("f", []byte(text), variables(nil))
		require.NoError(t, err, text)
		if want == "" {
			require.Empty(t, loaded.Warnings, text)
			continue
		}
		require.Len(t, loaded.Warnings, 1, text)
		require.Contains(t, loaded.Warnings[0].String(), "functions[0].affinity."+want)
	}
}

func TestSourcesThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		"{sources: [{body: id}]}":                     "3:27: functions[0].affinity.sources[0].body: is an unknown key, accepted are header, query, path, cookie",
		"{sources: [{query: a, cookie: b}]}":          "3:26: functions[0].affinity.sources[0]: names 2 places",
		"{sources: [{query: a}, {path: rooms}]}":      "functions[0].affinity.sources[1].path: \"rooms\" does not begin with /",
		"{preset: agentcore, type: GENERATED_COOKIE}": "functions[0].affinity.preset: agentcore is HEADER_FIELD and the type is GENERATED_COOKIE",
		"{preset: fc}": `functions[0].affinity.preset: "fc" is unknown, accepted are mcp-session-id, agentcore, a2a`,
		"{header: X-Amzn-Bedrock-AgentCore-Runtime-Session-Ix}": "functions[0].affinity.header: has 43 characters, accepted are 5 to 40",
	} {
		_, err := configs.Parse("f", []byte(withAffinity(text)), variables(nil))
		require.ErrorContains(t, err, want)
	}
}
