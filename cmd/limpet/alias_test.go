package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// versionOf is one version of counter, of instances named v1-0, v1-1, … It has a path of its own.
func versionOf(t *testing.T, qualifier string, instances, perInstance int) function {
	t.Helper()
	f := function{path: "/" + qualifier, more: "    qualifier: " + qualifier + "\n", perInstance: perInstance}
	for i := range instances {
		f.instances = append(f.instances, sampleNamed(t, fmt.Sprintf("%s-%d", qualifier, i)))
	}
	return f
}

// prod is the alias that clients use.
func prod(weights string) function {
	return function{path: "/", more: "    qualifier: prod\n", weights: weights}
}

func versionServing(r reply) string {
	version, _, _ := strings.Cut(r.Instance, "-")
	return version
}

// Half of the sessions begin on each version; the weights change to all and nothing, then the old version leaves the alias,
// is drained and removed. Until its deadline no session moves.
func TestACanaryGrowsByNewSessionsOnly(t *testing.T) {
	t.Parallel()
	s := setup{functions: []function{versionOf(t, "v1", 2, 0), versionOf(t, "v2", 2, 0), prod("{v1: 1, v2: 1}")}}
	file := s.file(t)
	p := serve(t, file)
	const many = 200
	began, counts := map[string]reply{}, map[string]int{}
	for i := range many {
		id := fmt.Sprintf("id-%d", i)
		began[id] = p.answer("/", id)
		counts[versionServing(began[id])]++
	}
	require.Equal(t, many, counts["v1"]+counts["v2"])
	require.InDelta(t, many/2, counts["v1"], 57, "eight standard deviations")

	uses := 1
	stay := func(id string) {
		t.Helper()
		r := p.answer("/", id)
		require.Equal(t, began[id].Instance, r.Instance)
		require.Equal(t, began[id].epoch, r.epoch)
		require.Equal(t, uses, r.Count)
	}
	for n, weights := range []string{"{v1: 0, v2: 1000}", "{v2: 1}"} {
		s.functions[2] = prod(weights)
		p.reload(s, file, true)
		uses++
		for id := range began {
			stay(id)
		}
		for i := range 20 {
			require.Equal(t, "v2", versionServing(p.answer("/", fmt.Sprintf("new-%d-%d", n, i))))
		}
	}
	for _, id := range []string{"v1-0", "v1-1"} {
		p.ask("instances", "drain", "counter", id, "--qualifier", "v1", "--deadline", "1ms")
	}
	p.eventually(func() error {
		if said := p.ask("instances", "list", "counter", "--qualifier", "v1", "-o", "json"); strings.Count(said, `"sessions": 0`) != 2 {
			return fmt.Errorf("sessions are left: %s", said)
		}
		return nil
	})
	uses++
	for id, was := range began {
		if versionServing(was) == "v2" {
			stay(id)
			continue
		}
		r := p.answer("/", id)
		require.Equal(t, "v2", versionServing(r))
		require.Equal(t, was.epoch+1, r.epoch)
		require.Equal(t, fmt.Sprintf(`rehomed; reason="drained"; from=%q`, was.Instance), r.event())
		require.Equal(t, r.event(), r.Event)
	}
	s.functions = s.functions[1:]
	p.reload(s, file, true)
	p.answer("/", "id-0")
}

// Two replicas draw for themselves, and the store sees to it that a session has one version. Slots hold whichever way
// sessions come.
func TestReplicasAgreeOnTheVersion(t *testing.T) {
	t.Parallel()
	redis := redistest.Standalone(t, redistest.Options{})
	file := setup{
		store:     fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr),
		functions: []function{versionOf(t, "v1", 2, 20), versionOf(t, "v2", 2, 10), prod("{v1: 1, v2: 1}")},
	}.file(t)
	replicas := []*process{serve(t, file), serve(t, file)}
	const many = 80
	var all sync.WaitGroup
	var mu sync.Mutex
	turn := make(chan struct{}, 16) // of requests at a time
	homes, failed := map[string]map[string]bool{}, []string{}
	for i := range many {
		for _, path := range []string{"/", "/v1"} {
			for _, p := range replicas {
				all.Go(func() {
					id := fmt.Sprintf("id-%d", i)
					turn <- struct{}{}
					defer func() { <-turn }()
					r, err := get(patient, p.listen+path, id)
					for n := 0; n < 10 && err == nil && r.code() == "StoreUnavailable"; n++ { // a busy machine
						r, err = get(patient, p.listen+path, id)
					}
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err != nil || r.status != http.StatusOK && r.code() != "NoCapacity":
						failed = append(failed, fmt.Sprint(r, err))
					case r.status == http.StatusOK:
						key := path + " " + id
						if homes[key] == nil {
							homes[key] = map[string]bool{}
						}
						homes[key][fmt.Sprint(r.Instance, r.epoch)] = true
					}
				})
			}
		}
	}
	all.Wait()
	require.Empty(t, failed)
	for key, at := range homes {
		require.Len(t, at, 1, key)
	}
	require.Len(t, homes, 60, "every slot has a session, and no slot two")
	for _, p := range replicas {
		p.eventually(func() error {
			for _, v := range p.alias().Versions {
				if v.Sessions != map[string]int{"v1": 40, "v2": 20}[v.Qualifier] {
					return fmt.Errorf("%+v", v)
				}
			}
			return nil
		})
	}
	for key := range homes {
		path, id, _ := strings.Cut(key, " ")
		require.Equal(t, replicas[0].answer(path, id).Instance, replicas[1].answer(path, id).Instance)
	}
}

// patient is a client for many requests at once.
var patient = &http.Client{Timeout: time.Minute}

// listedAlias is an alias in the list of functions.
type listedAlias struct {
	Qualifier string
	Versions  []struct {
		Qualifier                          string
		Weight, Instances, Ready, Sessions int
		Share                              float64
	}
}

// alias returns the alias prod as it is listed.
func (p *process) alias() listedAlias {
	p.t.Helper()
	r, err := good(quick, p.admin+"/limpet/v1/functions", "")
	require.NoError(p.t, err)
	var list struct{ Functions []listedAlias }
	require.NoError(p.t, json.Unmarshal(r.body, &list))
	for _, f := range list.Functions {
		if f.Qualifier == "prod" {
			return f
		}
	}
	require.Fail(p.t, "no alias", "%s", r.body)
	return listedAlias{}
}

func TestAnAliasIsShown(t *testing.T) {
	t.Parallel()
	v2 := versionOf(t, "v2", 1, 0)
	p := serve(t, setup{functions: []function{versionOf(t, "v1", 2, 0), v2, prod("{v1: 95, v2: 5}")}}.file(t))
	p.answer("/", "alice")
	p.eventually(func() error {
		v := p.alias().Versions
		if len(v) != 2 || v[0].Sessions+v[1].Sessions != 1 || v[0].Share != 0.95 || v[0].Ready != 2 || v[1].Share != 0.05 || v[1].Weight != 5 {
			return fmt.Errorf("%+v", v)
		}
		return nil
	})
	require.Contains(t, sheet(p.ask("instances", "list", "counter")), "\ncounter prod - alias v1:95 v2:5 - - - -\n")
	page, err := good(quick, p.admin+"/", "")
	require.NoError(t, err)
	require.Contains(t, string(page.body), `<td class="num">95 %</td>`)
	for _, path := range []string{"/instances?qualifier=prod", "/sessions?qualifier=prod"} {
		r, err := good(quick, p.admin+"/2023-03-30/functions/counter"+path, "")
		require.NoError(t, err)
		want := map[bool]string{true: `"v1-1"`, false: `"alice"`}[strings.Contains(path, "instances")]
		require.Contains(t, string(r.body), want)
	}
	require.Equal(t, "1", p.metric(`limpet_sessions_created_total{function="counter",qualifier="prod"}`))
	status, _, stderr := here(t, "instances", "drain", "counter", "v1-0", "--qualifier", "prod", "--admin", p.admin)
	require.NotZero(t, status)
	require.Contains(t, stderr, "prod is an alias, accepted is the version of the instance: v1, v2")

	require.NoError(t, v2.instances[0].Close())
	p.eventually(func() error {
		if v := p.alias().Versions; v[0].Share != 1 || v[1].Share != 0 {
			return fmt.Errorf("%+v", v)
		}
		return nil
	})
	for i := range 60 {
		require.Equal(t, "v1", versionServing(p.answer("/", fmt.Sprint("only-v1-", i))))
	}
}
