package protocoltest_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

const (
	mcpAgents = 16 // of each path
	mcpCalls  = 20
)

// mcpWorld are MCP clients before Limpets before MCP servers.
type mcpWorld struct {
	t       *testing.T
	paths   []string // each a function of its own
	servers []*toolServer
	config  string
	limpets []*limpettest.Process
	through *balancer
	agents  []*agent
}

// newMCPWorld runs three servers and replicas of Limpet, on one Redis if there are several, and connects so many agents of
// each path. An instance has slots for half of them, so that two servers are just enough.
func newMCPWorld(t *testing.T, replicas, agents int, paths ...string) *mcpWorld {
	w := &mcpWorld{t: t, paths: paths}
	if replicas > 1 {
		w.config = redis(t)
	}
	var list strings.Builder
	for _, name := range []string{"a", "b", "c"} {
		s := startToolServer(t, name)
		w.servers = append(w.servers, s)
		fmt.Fprintf(&list, "{id: %s, url: \"http://%s\"}, ", name, s.addr)
	}
	w.config += "shutdown: {delay: 100ms, deadline: 300ms}\naccess_log: {enabled: false}\nfunctions:\n"
	for _, path := range paths {
		affinity := map[bool]string{true: "MCP_SSE", false: "MCP_STREAMABLE"}[path == olderPath]
		w.config += fmt.Sprintf("  - {name: %s, match: {path: %s}, affinity: {type: %s}, sessions: {per_instance: %d},\n"+
			"     instances: {static: [%s], health: {interval: 500ms, timeout: 10s}}}\n", path[1:], path, affinity, agents/2, list.String())
	}
	for range replicas {
		w.limpets = append(w.limpets, serve(t, w.config))
	}
	w.through = newBalancer(t, w.addrs()...)
	for i := range agents * len(paths) {
		w.agents = append(w.agents, &agent{t: t, path: paths[i%len(paths)], through: w.through})
	}
	w.each(func(a *agent) { require.NoError(t, a.connect(t.Context())) })
	return w
}

func (w *mcpWorld) addrs() (all []string) {
	for _, p := range w.limpets {
		all = append(all, p.Listen)
	}
	return all
}

// each runs do for all agents at once.
func (w *mcpWorld) each(do func(*agent)) {
	w.t.Helper()
	var wg sync.WaitGroup
	for _, a := range w.agents {
		wg.Go(func() { do(a) })
	}
	wg.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// count has every agent call, none of which may fail, and hear of each call on its stream.
func (w *mcpWorld) count(calls int) {
	w.t.Helper()
	w.each(func(a *agent) {
		for range calls {
			require.NoError(w.t, a.call(w.t.Context()))
		}
	})
	w.each(w.heardAll)
}

// heardAll waits until the agent's stream has brought a notification of each call, in order and once.
func (w *mcpWorld) heardAll(a *agent) {
	var want []string
	for n := range a.count {
		want = append(want, fmt.Sprint(a.home, " ", n+1))
	}
	require.EventuallyWithT(w.t, func(c *assert.CollectT) { assert.Equal(c, want, a.notifications()) }, limpettest.Patience, 20*time.Millisecond)
}

// active is how many sessions the session API lists as active, of all functions.
func (w *mcpWorld) active() (n int) {
	for _, path := range w.paths {
		var list struct{ Sessions []json.RawMessage }
		require.NoError(w.t, limpettest.Poll(func() error {
			res, err := http.Get(fmt.Sprintf("http://%s/2023-03-30/functions%s/sessions?limit=1000&sessionStatus=Active", w.limpets[0].Admin, path))
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return errors.New(res.Status)
			}
			return json.NewDecoder(res.Body).Decode(&list)
		}))
		n += len(list.Sessions)
	}
	return n
}

// total is what all Limpets together have counted in a series, of those with the label, if one is given.
func (w *mcpWorld) total(series string, label ...string) (sum int) {
	for _, p := range w.limpets {
		res, err := http.Get("http://" + p.Admin + "/metrics")
		require.NoError(w.t, err)
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			if line := lines.Text(); strings.HasPrefix(line, series+"{") && strings.Contains(line, strings.Join(label, "")) {
				n, err := strconv.Atoi(line[strings.LastIndexByte(line, ' ')+1:])
				require.NoError(w.t, err, line)
				sum += n
			}
		}
		require.NoError(w.t, errors.Join(lines.Err(), res.Body.Close()))
	}
	return sum
}

// TestMCPClientsOfTheGoSDK are unmodified clients and servers of MCP's Go SDK, through one Limpet, and through two that
// share a Redis, where each request of a session comes through another one than the last.
func TestMCPClientsOfTheGoSDK(t *testing.T) {
	for name, replicas := range map[string]int{"one": 1, "two on one Redis": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newMCPWorld(t, replicas, mcpAgents, jsonPath, ssePath)
			w.count(mcpCalls)
			require.Equal(t, len(w.agents), w.active())
			require.Equal(t, len(w.agents), w.total("limpet_sessions_created_total"))
			w.loseAServer()
			if replicas > 1 {
				w.roll()
			}
			w.fillUp()
			w.each(func(a *agent) { require.NoError(t, a.session.Close()) })
			require.Zero(t, w.active(), "a DELETE gives the slot back")
			require.Equal(t, len(w.agents)+1, w.total("limpet_sessions_ended_total", `how="closed"`))
		})
	}
}

// loseAServer kills one. Its clients get an error that says what has become of their session, and begin another; the others
// notice nothing.
func (w *mcpWorld) loseAServer() {
	w.beginAnew(func(err error) bool { return errors.Is(err, mcp.ErrSessionMissing) })
	require.Zero(w.t, w.total("limpet_sessions_rehomed_total"), "no session is moved: its state is gone")
}

// beginAnew kills a server and has its clients begin another session upon an error that says that it has ended.
func (w *mcpWorld) beginAnew(ended func(error) bool) {
	lost := w.servers[0]
	lost.kill()
	w.each(func(a *agent) {
		theirs := a.home == lost.name
		for n := 0; ; n++ {
			err := a.call(w.t.Context())
			if err == nil {
				break
			}
			require.True(w.t, theirs, "%v", err)
			require.Less(w.t, n, 5)
			if ended(err) {
				require.NoError(w.t, a.connect(w.t.Context()))
			}
		}
		require.NotEqual(w.t, lost.name, a.home)
		require.Equal(w.t, map[bool]int{true: 2, false: 1}[theirs], a.begun)
	})
	w.count(3)
}

// roll replaces each Limpet under the agents' calls, as an orchestrator does: no call fails and no session is lost. The
// streams that end with a Limpet are resumed through another one.
func (w *mcpWorld) roll() {
	var calling sync.WaitGroup
	rolled := make(chan struct{})
	calling.Go(func() {
		w.each(func(a *agent) {
			for {
				require.NoError(w.t, a.call(w.t.Context()))
				select {
				case <-rolled:
					return
				default:
				}
			}
		})
	})
	for i, old := range w.limpets {
		w.through.set(w.limpets[1-i].Listen)
		require.NoError(w.t, limpettest.Poll(func() error { return w.through.idle(old.Listen) }))
		require.NoError(w.t, old.Stop())
		w.limpets[i] = serve(w.t, w.config)
		w.through.set(w.addrs()...)
	}
	close(rolled)
	calling.Wait()
	w.each(w.heardAll)
	w.count(2)
	for _, a := range w.agents {
		if a.home != "a" && a.begun == 1 {
			require.Greater(w.t, a.count, mcpCalls+5)
		}
	}
}

// fillUp counts the slots: those of two servers are all taken, one client more finds none, and one that leaves makes room.
func (w *mcpWorld) fillUp() {
	more := &agent{t: w.t, path: jsonPath, through: w.through}
	require.Error(w.t, more.connect(w.t.Context()))
	require.NoError(w.t, w.agents[0].session.Close()) // of the same function
	require.NoError(w.t, more.connect(w.t.Context()))
	require.NoError(w.t, more.call(w.t.Context()))
	w.agents[0] = more
}
