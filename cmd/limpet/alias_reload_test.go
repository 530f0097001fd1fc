package main_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A function without sessions has nothing to be loyal to: each request is drawn for itself.
func TestRequestsWithoutSessionsAreSharedOut(t *testing.T) {
	t.Parallel()
	alias := prod("{v1: 1, v2: 1}")
	alias.affinity = "{type: NONE}"
	p := serve(t, setup{functions: []function{versionOf(t, "v1", 1, 0), versionOf(t, "v2", 1, 0), alias}}.file(t))
	counts := map[string]int{}
	for range 200 {
		counts[versionServing(p.answer("/", ""))]++
	}
	require.InDelta(t, 100, counts["v1"], 57)
	require.Equal(t, 200, counts["v1"]+counts["v2"])
}

func TestAnInstanceIsToldTheVersionThatServes(t *testing.T) {
	t.Parallel()
	alias := prod("{v2: 1}")
	alias.more += "    invoke: true\n    invoke_path: /headers\n"
	p := serve(t, setup{functions: []function{versionOf(t, "v1", 1, 0), versionOf(t, "v2", 1, 0), alias}}.file(t))
	req, err := http.NewRequest(http.MethodPost, p.listen+"/2023-03-30/functions/counter/invocations?qualifier=prod", nil)
	require.NoError(t, err)
	r, err := do(quick, req)
	require.NoError(t, err)
	require.Contains(t, string(r.body), `"X-Fc-Version-Id":["v2"]`)
	require.Contains(t, string(r.body), `"X-Fc-Qualifier":["prod"]`)
}

// What a reload may not do changes nothing; what it may, an entry that turns from a version into an alias and back, works.
func TestAliasesAndVersionsComeAndGo(t *testing.T) {
	t.Parallel()
	v1, v2 := versionOf(t, "v1", 1, 0), versionOf(t, "v2", 1, 0)
	plain := function{path: "/", more: "    qualifier: prod\n", instances: samples(t, 1)}
	s := setup{functions: []function{v1, v2, plain}}
	file := s.file(t)
	p := serve(t, file)
	require.Equal(t, "i0", p.answer("/", "alice").Instance)

	s.functions[2] = prod("{v1: 1}")
	p.reload(s, file, true)
	p.awaitReady()
	r := p.answer("/", "alice")
	require.Equal(t, "v1-0", r.Instance)
	require.Equal(t, `rehomed; reason="instance gone"; from="i0"`, r.event())

	setup{functions: s.functions[1:]}.write(t, file)
	require.Contains(t, p.awaitLog(notReloaded)["error"], "weights.v1: counter has no version v1")
	require.Equal(t, "v1-0", p.answer("/", "alice").Instance)

	s.functions = []function{v2, prod("{v2: 1}")}
	p.reload(s, file, true)
	r = p.answer("/", "alice")
	require.Equal(t, "v2-0", r.Instance, "v1 is no more")
	require.Equal(t, `rehomed; reason="instance gone"; from="v1-0"`, r.event())

	s.functions[1] = plain
	p.reload(s, file, true)
	p.awaitReady()
	stays := p.answer("/", "alice")
	require.Equal(t, "v2-0", stays.Instance, "its version is still there")
	require.Equal(t, r.epoch, stays.epoch)
	require.Equal(t, "i0", p.answer("/", "bob").Instance)

	s.functions = []function{plain}
	p.reload(s, file, true)
	r = p.answer("/", "alice")
	require.Equal(t, "i0", r.Instance)
	require.Equal(t, `rehomed; reason="instance gone"; from="v2-0"`, r.event())
}

func TestALossStaysWithinTheVersion(t *testing.T) {
	t.Parallel()
	v1 := versionOf(t, "v1", 2, 0)
	s := setup{functions: []function{v1, versionOf(t, "v2", 2, 0), prod("{v1: 1, v2: 1}")}}
	file := s.file(t)
	p := serve(t, file)
	var mine []string
	for i := 0; len(mine) < 3; i++ {
		id := fmt.Sprintf("id-%d", i)
		if r := p.answer("/", id); r.Instance == "v1-0" {
			mine = append(mine, id)
		}
		require.Less(t, i, 200, "there are none")
	}
	// From now on sessions of v1 are rare: were it not for their version, nearly all would move to v2.
	s.functions[2] = prod("{v1: 1, v2: 999}")
	p.reload(s, file, true)
	require.NoError(t, v1.instances[0].Close())
	p.shows("v1-0", "unhealthy")
	for _, id := range mine {
		r := p.answer("/", id)
		require.Equal(t, "v1-1", r.Instance)
		require.Equal(t, `rehomed; reason="instance lost"; from="v1-0"`, r.event())
	}
}
