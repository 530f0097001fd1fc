package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/limpet-proxy/limpet"

// arrows are the imports that each package of the module may have within it: the architecture, in one table. They
// point one way, toward sessions. metrics is a leaf that all but the stores' test suites may use.
func arrows() map[string][]string {
	return map[string][]string{
		"cmd/limpet": {
			"affinity", "api", "certificates", "configs", "dialects", "instances", "instances/dns", "instances/kubernetes",
			"instances/process", "load", "load/page", "load/wire", "metrics", "proxy", "sample",
			"sessions", "sessions/embeddedstore", "sessions/redisstore",
		},
		"certificates":                  {},
		"certificates/certtest":         {},
		"configs":                       {"affinity", "api", "certificates", "instances", "proxy", "sessions", "sessions/embeddedstore", "sessions/redisstore"},
		"dialects":                      {"sessions"},
		"api":                           {"api/dashboard", "api/signature", "dialects", "instances", "metrics", "sessions"},
		"api/dashboard":                 {},
		"api/signature":                 {},
		"proxy":                         {"affinity", "dialects", "instances", "metrics", "sessions"},
		"affinity":                      {"metrics", "sessions"},
		"instances":                     {"metrics", "sessions"},
		"instances/dns":                 {"instances"},
		"instances/kubernetes":          {"instances"},
		"instances/kubernetes/kubetest": {},
		"instances/process":             {"instances"},
		"instances/sourcetest":          {"instances"},
		"sessions":                      {"metrics"},
		"sessions/embeddedstore":        {"metrics", "sessions"},
		"sessions/redisstore":           {"metrics", "sessions"},
		"sessions/storetest":            {"sessions"},
		"sessions/redisstore/redistest": {},
		"metrics":                       {},
		"sample":                        {},
		"limpettest":                    {},
		"load":                          {"load/mcp", "load/proof", "load/wire"},
		"load/mcp":                      {},
		"load/proof":                    {},
		"load/wire":                     {},
		"load/page":                     {"load"},
	}
}

// owners are the packages that may import a dependency, or anything below it. Each dependency stays behind one.
func owners() map[string][]string {
	return map[string][]string{
		"github.com/redis/go-redis":                               {"sessions/redisstore", "sessions/redisstore/redistest"},
		"github.com/prometheus/client_golang":                     {"metrics", "api", "cmd/limpet"},
		"github.com/prometheus/client_golang/prometheus/promhttp": {"api"},
		"github.com/spf13/cobra":                                  {"cmd/limpet"},
		"github.com/spf13/pflag":                                  {"cmd/limpet"},
		"github.com/miekg/dns":                                    {"instances/dns"},
		"k8s.io":                                                  {"instances/kubernetes", "instances/kubernetes/kubetest"},
		"github.com/goccy/go-yaml":                                {"configs"},
		"github.com/tidwall/btree":                                {"sessions/embeddedstore"},
		"github.com/hashicorp/golang-lru":                         {"sessions", "sample"},
		"golang.org/x/sync":                                       {"sessions", "cmd/limpet"},
		"golang.org/x/time":                                       {"api"},
		"golang.org/x/sys":                                        {"sessions/embeddedstore", "load", "load/wire", "instances/process"},
		"golang.org/x/net/http/httpguts":                          {"load"},
		"golang.org/x/term":                                       {"cmd/limpet"},
		"github.com/HdrHistogram/hdrhistogram-go":                 {"load"},
		"github.com/stretchr/testify":                             {"certificates/certtest", "instances/sourcetest", "sessions/storetest"},
	}
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Name, Doc string
	Imports               []string
}

func list(t *testing.T, args ...string) (packages []listed) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Name,Doc,Imports"}, args...)...)
	cmd.Dir = root
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, problems.String())
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := in.Decode(&p)
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, packages)
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
}

// within returns the path of a package below the module, and whether it is there.
func within(path string) (string, bool) { return strings.CutPrefix(path, module+"/") }

func TestImportsPointOneWay(t *testing.T) {
	allowed := arrows()
	for _, p := range list(t, "./...") {
		name, _ := within(p.ImportPath)
		may, known := allowed[name]
		require.True(t, known, "%s is new: give it its line in arrows, and in docs/architecture.md", name)
		for _, path := range p.Imports {
			if imported, ours := within(path); ours {
				require.Contains(t, may, imported, "%s imports %s", name, imported)
			}
		}
	}
}

// TestTheArrowsAreOneWay keeps a later line in the table from closing a ring through packages that do not compile
// together yet, and keeps sessions at the bottom.
func TestTheArrowsAreOneWay(t *testing.T) {
	allowed := arrows()
	var reach func(from string, path []string)
	reach = func(from string, path []string) {
		require.NotContains(t, path, from, "a ring")
		for _, to := range allowed[from] {
			reach(to, append(slices.Clone(path), from))
		}
	}
	for name := range allowed {
		reach(name, nil)
	}
	require.Equal(t, []string{"metrics"}, allowed["sessions"])
	require.Empty(t, allowed["metrics"])
	for name, may := range allowed {
		require.NotContains(t, may, "cmd/limpet", name)
		if name != "cmd/limpet" {
			require.NotContains(t, may, "configs", name)
		}
	}
}

func TestEachDependencyStaysBehindItsPackage(t *testing.T) {
	owned := owners()
	for _, p := range list(t, "./...") {
		name, _ := within(p.ImportPath)
		for _, path := range p.Imports {
			if _, ours := within(path); ours || standard(path) {
				continue
			}
			known := false
			for dependency, may := range owned {
				if path == dependency || strings.HasPrefix(path, dependency+"/") {
					known = true
					require.Contains(t, may, name, "%s imports %s", name, path)
				}
			}
			require.True(t, known, "%s imports %s, a new dependency: say in owners which packages may", name, path)
		}
	}
}

// standard says whether a package is the standard library's: no dot in the first part of its path.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func TestTheBinaryHoldsNothingOfTheTests(t *testing.T) {
	for _, p := range list(t, "-deps", "./cmd/limpet") {
		for _, part := range []string{"/storetest", "/sourcetest", "/redistest", "/kubetest", "/certtest", "github.com/stretchr/", "testing"} {
			require.False(t, strings.HasSuffix(p.ImportPath, part) || strings.HasPrefix(p.ImportPath, part), p.ImportPath)
		}
	}
}

// Those hold every API group of Kubernetes: minutes of compilation, and tens of megabytes.
func TestTheKubernetesClientStaysSmall(t *testing.T) {
	for _, p := range list(t, "-deps", "./cmd/limpet") {
		for _, large := range []string{"k8s.io/client-go/kubernetes", "k8s.io/client-go/informers", "k8s.io/client-go/dynamic"} {
			require.False(t, p.ImportPath == large || strings.HasPrefix(p.ImportPath, large+"/"), p.ImportPath)
		}
	}
}

func TestEveryPackageBeginsWithItsSentence(t *testing.T) {
	for _, p := range list(t, "./...") {
		require.True(t, strings.HasPrefix(p.Doc, "Package "+p.Name+" "), "%s: its comment begins %q", p.ImportPath, p.Doc)
	}
}
