package main_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances/kubernetes/kubetest"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// cluster is two replicas that find the Pods of one Service. Pod N is at 127.0.0.N.
type cluster struct {
	t          *testing.T
	api        *kubetest.Server
	kubeconfig string
	port       int
	file       string
	store      string
	replicas   []*process
	homes      map[string]reply
}

func podAt(n int) (uid, addr string) { return fmt.Sprintf("pod-%d", n), fmt.Sprintf("127.0.0.%d", n) }

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, api: kubetest.New(t), homes: map[string]reply{}}
	port, err := strconv.Atoi(onePort(t, "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"))
	require.NoError(t, err)
	c.port, c.kubeconfig = port, c.api.Kubeconfig()
	c.pods(kubetest.Ready, 1, 2)
	redis := redistest.Standalone(t, redistest.Options{})
	c.store = fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr)
	c.file = setup{}.file(t)
	replace(t, c.file, c.conf("", ""))
	c.replicas = []*process{serve(t, c.file), serve(t, c.file)}
	for i := range 20 {
		id := fmt.Sprintf("id-%d", i)
		c.homes[id] = c.replicas[i%2].answer("/", id)
	}
	return c
}

// conf is the file; key has further lines of it, more further keys of the kubernetes block.
func (c *cluster) conf(key, more string) string {
	return setup{store: c.store, more: key}.String() + fmt.Sprintf("  - name: counter\n    instances:\n      health: {interval: 200ms, timeout: 10s, failures: 10, successes: 1}\n"+
		"      kubernetes: {service: counter, port: %d, kubeconfig: %q%s}\n", c.port, c.kubeconfig, more)
}

// pods makes these all Pods of a slice that is named by their state.
func (c *cluster) pods(state func(uid, addr string) kubetest.Pod, all ...int) {
	var pods []kubetest.Pod
	for _, n := range all {
		pods = append(pods, state(podAt(n)))
	}
	c.api.Put(kubetest.Slice(fmt.Sprintf("counter-%d", all[0]), c.port, pods...))
}

// same asks both replicas for the sessions on these hosts: they are where they were, and have their state.
func (c *cluster) same(why string, hosts ...string) {
	c.t.Helper()
	for id, was := range c.homes {
		for _, host := range hosts {
			for _, replica := range c.replicas {
				if was.Instance != host {
					continue
				}
				r := replica.answer("/", id)
				require.Equal(c.t, was.Instance, r.Instance, why)
				require.Equal(c.t, was.epoch, r.epoch, why)
				require.Empty(c.t, r.event())
			}
		}
	}
}

// placed waits until no new session of either replica goes anywhere but to these hosts.
func (c *cluster) placed(name string, hosts ...string) {
	c.t.Helper()
	round := 0
	for _, replica := range c.replicas {
		replica.eventually(func() error {
			round++
			for i := range 8 {
				r := replica.answer("/", fmt.Sprintf("%s-%d-%d", name, round, i))
				if !oneOf(hosts, r.Instance) {
					return fmt.Errorf("a new session is on %s", r.Instance)
				}
			}
			return nil
		})
	}
}

func oneOf(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func TestARollingUpdateOfPods(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	listed, err := good(quick, c.replicas[0].admin+"/2023-03-30/functions/counter/instances", "")
	require.NoError(t, err)
	require.Contains(t, string(listed.body), `"resourceType":"kubernetes"`)
	c.same("two replicas, the same Pods", "127.0.0.1", "127.0.0.2")
	require.ElementsMatch(t, []string{"pod-1", "pod-2"}, c.replicas[0].instances())

	c.pods(kubetest.Starting, 3, 4)
	c.placed("starting", "127.0.0.1", "127.0.0.2")
	c.pods(kubetest.Ready, 3, 4)
	c.pods(kubetest.Leaving, 1, 2)
	c.placed("roll", "127.0.0.3", "127.0.0.4")
	for _, p := range c.replicas {
		for _, uid := range []string{"pod-1", "pod-2"} {
			series := fmt.Sprintf(`limpet_instance_state{function="counter",instance=%q,qualifier="LATEST",state="draining"}`, uid)
			p.metricIs(series, "1")
		}
	}
	c.same("a Pod that terminates keeps its sessions", "127.0.0.1", "127.0.0.2")

	c.api.Silence(true)
	c.same("nor does an API server that is silent", "127.0.0.1", "127.0.0.2")
	c.api.Silence(false)
	c.pods(kubetest.Leaving, 1) // and pod 2 is gone
	c.homes = c.moved("127.0.0.2", "pod-2")
	c.same("the other terminates still", "127.0.0.1")
	c.api.Delete("counter-1")
	c.homes = c.moved("127.0.0.1", "pod-1")
	c.same("they stay where they went", "127.0.0.3", "127.0.0.4")
}

// moved waits until the sessions that were on host are told, once, that they are elsewhere, and returns where all are.
func (c *cluster) moved(host, uid string) map[string]reply {
	c.t.Helper()
	homes := map[string]reply{}
	for id, was := range c.homes {
		homes[id] = was
		if was.Instance != host {
			continue
		}
		c.replicas[0].eventually(func() error {
			r := c.replicas[0].answer("/", id)
			if r.Instance == host {
				return fmt.Errorf("%s is on %s still", id, host)
			}
			require.Contains(c.t, []string{"127.0.0.3", "127.0.0.4"}, r.Instance)
			require.Equal(c.t, was.epoch+1, r.epoch)
			require.Equal(c.t, `rehomed; reason="instance gone"; from="`+uid+`"`, r.event())
			homes[id] = r
			return nil
		})
	}
	return homes
}

// TestAReloadKeepsTheWatch: a source that a reload leaves as it was goes on, and a new one takes nothing away while it has
// heard nothing.
func TestAReloadKeepsTheWatch(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	lists, _ := c.api.Count()
	reload := func(text string) {
		replace(t, c.file, text)
		for _, p := range c.replicas {
			p.awaitLog("configuration reloaded")
		}
	}
	reload(c.conf("trusted_proxies: [10.0.0.0/8]\n", ""))
	c.same("a reload of something else", "127.0.0.1", "127.0.0.2")
	now, _ := c.api.Count()
	require.Equal(t, lists, now)

	c.api.Silence(true)
	reload(c.conf("", ", context: here"))
	c.same("another source that has heard nothing", "127.0.0.1", "127.0.0.2")
	c.api.Silence(false)
	c.replicas[0].eventually(func() error {
		if now, _ := c.api.Count(); now < lists+len(c.replicas) {
			return fmt.Errorf("%d lists", now)
		}
		return nil
	})
	c.same("the same Pods by another source", "127.0.0.1", "127.0.0.2")
}

// TestWithoutAKubeconfig: a start that cannot work says so and does not begin.
func TestWithoutAKubeconfig(t *testing.T) {
	t.Parallel()
	file := setup{}.file(t)
	replace(t, file, setup{}.String()+"  - name: counter\n    instances:\n      kubernetes: {service: counter, port: 80, kubeconfig: /nowhere/config}\n")
	p := start(t, "serve", "-c", file)
	require.Equal(t, 1, p.exit())
	require.Contains(t, p.stderr.String(), "/nowhere/config")
}
