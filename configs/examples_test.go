package configs_test

import (
	"encoding"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/configs"
	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// example loads a file as it lies: no variable is set.
func example(t *testing.T, name string) configs.Config {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	loaded, err := configs.Parse(name, data, variables(nil))
	require.NoError(t, err)
	require.Empty(t, loaded.Warnings)
	for _, f := range loaded.Config.Functions {
		for _, i := range f.Instances.Static {
			require.Contains(t, i.URL, "://127.0.0.1:", "examples stay on this machine")
		}
	}
	require.Contains(t, loaded.Config.Listen, "127.0.0.1:")
	require.Contains(t, loaded.Config.Admin, "127.0.0.1:")
	return loaded.Config
}

func TestQuickstart(t *testing.T) {
	c := example(t, "quickstart.yaml")
	require.Equal(t, configs.StoreEmbedded, c.Store.Kind)
	require.Len(t, c.Functions, 1)
	require.Equal(t, sessions.AffinityHeader, c.Functions[0].Affinity.Type)
	require.Len(t, c.Functions[0].Instances.Static, 2)
}

func TestRedis(t *testing.T) {
	c := example(t, "redis.yaml")
	require.Equal(t, configs.StoreRedis, c.Store.Kind)
	require.Len(t, c.Functions, 2)
	require.Equal(t, sessions.AffinityHeader, c.Functions[0].Affinity.Type)
	require.Equal(t, sessions.AffinityCookie, c.Functions[1].Affinity.Type)
	for _, f := range c.Functions {
		require.Equal(t, instances.DefaultHealthConfig(), *f.Instances.Health)
	}
}

func TestCompare(t *testing.T) {
	c := example(t, "compare/limpet.yaml")
	require.Len(t, c.Functions, 1)
	require.Len(t, c.Functions[0].Instances.Static, 4)
	require.Equal(t, "127.0.0.1:8090", c.Listen, "where nginx and HAProxy listen")

	agents := example(t, "compare/limpet-mcp.yaml")
	require.Equal(t, sessions.AffinityMCPStreamable, agents.Functions[0].Affinity.Type)
	agents.Functions[0].Affinity = c.Functions[0].Affinity
	require.Equal(t, c, agents, "but for the affinity it is the same")
}

func TestSidecar(t *testing.T) {
	c := example(t, "sidecar.yaml")
	require.Equal(t, configs.StoreRedis, c.Store.Kind)
	require.Len(t, c.Functions, 1)
	require.Len(t, c.Functions[0].Instances.Static, 3)
}

func TestDNS(t *testing.T) {
	c := example(t, "dns.yaml")
	require.Empty(t, c.Functions[0].Instances.Static)
	require.Equal(t, instances.DNSConfig{
		Name: "counter.svc", Port: 8080, Refresh: instances.DefaultDNSRefresh, Family: instances.FamilyIPv4,
	}, *c.Functions[0].Instances.DNS)
}

// TestReferenceShowsDNSDefaults takes the comment marks off the dns block.
func TestReferenceShowsDNSDefaults(t *testing.T) {
	text := reference(t)
	i := strings.Index(text, "      # dns:")
	j := i + strings.Index(text[i:], "      # kubernetes")
	text = text[:i] + regexp.MustCompile(`(?m)^      # `).ReplaceAllString(text[i:j], "      ") + text[j:]
	want := instances.DefaultDNSConfig()
	want.Name, want.Port = "counter.svc", 8080
	require.Equal(t, want, *parse(t, text).Functions[0].Instances.DNS)
}

// TestReferenceShowsKubernetesDefaults takes the comment marks off the kubernetes block.
func TestReferenceShowsKubernetesDefaults(t *testing.T) {
	text := reference(t)
	i := strings.Index(text, "      # kubernetes:")
	j := i + strings.Index(text[i:], "      # process")
	text = text[:i] + regexp.MustCompile(`(?m)^      # `).ReplaceAllString(text[i:j], "      ") + text[j:]
	want := instances.DefaultKubernetesConfig()
	want.Service, want.Port = "counter", 8080
	require.Equal(t, want, *parse(t, text).Functions[0].Instances.Kubernetes)
}

func TestCanary(t *testing.T) {
	c := example(t, "canary.yaml")
	require.Len(t, c.Functions, 3)
	require.Equal(t, proxy.Weights{"v1": 95, "v2": 5}, c.Functions[2].Weights)
	require.Empty(t, c.Functions[2].Instances)
	require.Equal(t, "/", c.Functions[2].Match.Path)
}

func TestMCP(t *testing.T) {
	c := example(t, "mcp.yaml")
	require.Len(t, c.Functions, 2)
	require.Equal(t, sessions.AffinityMCPStreamable, c.Functions[0].Affinity.Type)
	require.Equal(t, "Mcp-Session-Id", c.Functions[0].Affinity.Header, "the protocol's")
	require.Equal(t, c.Functions[0].Instances.Static, c.Functions[1].Instances.Static)
}

// TestEveryFileIsTested fails when an example is added that no test above loads.
func TestEveryFileIsTested(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	var found []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".yaml") {
			found = append(found, e.Name())
		}
	}
	require.Equal(t, []string{"canary.yaml", "code-interpreter.yaml", "dns.yaml", "grpc.yaml", "mcp-sse.yaml", "mcp.yaml", "quickstart.yaml", "redis.yaml", "reference.yaml", "sidecar.yaml", "sources.yaml"}, found)
}

func TestReferenceGivesTheDefaults(t *testing.T) {
	f := proxy.DefaultFunctionConfig()
	f.Name = "counter"
	f.Instances.Static = []instances.StaticInstance{{ID: "a", URL: "http://127.0.0.1:9001"}, {ID: "b", URL: "http://127.0.0.1:9002"}}
	want := configs.Default()
	want.Functions = []proxy.FunctionConfig{f}
	require.Equal(t, want, example(t, "reference.yaml"))
}

// TestReferenceShowsHealthDefaults takes the comment marks off the health block.
func TestReferenceShowsHealthDefaults(t *testing.T) {
	text := reference(t)
	i := strings.Index(text, "      # health:")
	j := i + strings.Index(text[i:], "      drain_deadline")
	text = text[:i] + regexp.MustCompile(`(?m)^      # `).ReplaceAllString(text[i:j], "      ") + text[j:]
	require.Equal(t, instances.DefaultHealthConfig(), *parse(t, text).Functions[0].Instances.Health)
}

// TestReferenceShowsProcessDefaults takes the comment marks off the process block.
func TestReferenceShowsProcessDefaults(t *testing.T) {
	text := reference(t)
	i := strings.Index(text, "      # process:")
	j := i + strings.Index(text[i:], "      # health:")
	text = text[:i] + regexp.MustCompile(`(?m)^      # `).ReplaceAllString(text[i:j], "      ") + text[j:]
	want := instances.DefaultProcessConfig()
	want.Command = []string{"./counter", "--port", "${PORT}"}
	require.Equal(t, want, *parse(t, text).Functions[0].Instances.Process)
}

func TestCodeInterpreter(t *testing.T) {
	c := example(t, "code-interpreter.yaml")
	require.Len(t, c.Functions, 1)
	f := c.Functions[0]
	require.True(t, f.Sessions.Isolation)
	require.Equal(t, 1, f.Sessions.PerInstance)
	require.Positive(t, f.WhenFull.Wait)
	require.NotNil(t, f.Instances.Process)
	require.Empty(t, f.Instances.Static)
}

func TestReferenceShowsKeyDefaults(t *testing.T) {
	text := strings.Replace(reference(t), "keys: []", "keys:", 1)
	text = strings.ReplaceAll(text, "\n  #  ", "\n    ")
	text = strings.Replace(text, "/run/secrets/limpet", file(t, strings.Repeat("s", api.AdvisedSecret)), 1)
	want := api.DefaultKeyConfig()
	got := parse(t, text).Auth.Keys[0]
	require.Equal(t, want.Allow, got.Allow)
	require.Equal(t, want.Functions, got.Functions)
}

// TestReferenceMentionsEveryKey walks the structs and looks for each key, under its parent, at its depth or behind a
// comment mark.
func TestReferenceMentionsEveryKey(t *testing.T) {
	requireKeys(t, reference(t), reflect.TypeFor[configs.Config]())
}

func requireKeys(t *testing.T, text string, typ reflect.Type) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return
	}
	for f := range typ.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			requireKeys(t, text, f.Type)
			continue
		}
		at := regexp.MustCompile(`(?m)^[ #{-]*` + name + `:|[{,] ?` + name + `:`).FindStringIndex(text)
		require.NotNil(t, at, "%s.%s is missing from reference.yaml after\n%.200s", typ, name, text)
		requireKeys(t, text[at[1]:], f.Type)
	}
}

func reference(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("reference.yaml")
	require.NoError(t, err)
	return string(data)
}
