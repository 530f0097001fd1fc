package main_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	loadwire "github.com/limpet-proxy/limpet/load/wire"
	"github.com/limpet-proxy/limpet/sample"
	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

const (
	// proofEnv is how many requests each proof makes; make proof asks for a million.
	proofEnv     = "LIMPET_PROOF_REQUESTS"
	proofDefault = 3_000
	// maxProofSessions are alive at once, or one for each 25 requests; the instances share them evenly.
	maxProofSessions = 1000
	proofInstances   = 4
	proofClients     = 16
)

// proof is a load on replicas of Limpet in front of real instances, each a process.
type proof struct {
	t         *testing.T
	requests  int
	sessions  int
	instances []*sampleProgram
	replicas  []*process
	run       *load.Run
}

// proofSetup is what differs between proofs. Zeros are of use.
type proofSetup struct {
	replicas int
	store    string // as setup has it
	health   string // flow mapping
	more     string // further lines of the function, indented by 4
	retries  int    // of each request
	waiting  bool   // requests of one instance's sessions may have to wait: all others go on meanwhile
	mcp      bool   // sessions of MCP
}

// newProof starts it all.
func newProof(t *testing.T, s proofSetup) *proof {
	t.Helper()
	p := &proof{t: t, requests: proofDefault}
	if text := os.Getenv(proofEnv); text != "" {
		var err error
		p.requests, err = strconv.Atoi(text)
		require.NoError(t, err, proofEnv)
	}
	p.sessions = min(maxProofSessions, p.requests/25)
	var places strings.Builder
	for i := range proofInstances {
		inst := startSampleOf(t, plainProgram(t), "--name", fmt.Sprint("i", i), "--listen", freeAddr(t))
		p.instances = append(p.instances, inst)
		fmt.Fprintf(&places, "        - {id: i%d, url: %q}\n", i, inst.listen)
	}
	file := filepath.Join(t.TempDir(), "limpet.yaml")
	replace(t, file, setup{store: s.store}.String()+fmt.Sprintf(
		"  - name: counter\n    sessions: {per_instance: %d}\n%s\n    instances:\n      health: %s\n      static:\n%s",
		2*p.sessions, s.more, cmp.Or(s.health, "{timeout: 10s}"), &places))
	plan := load.Plan{Sessions: p.sessions, Requests: p.requests, Connections: proofClients, Retries: s.retries}
	if s.waiting {
		plan.Connections += p.sessions/proofInstances + 1
	}
	for range s.replicas {
		replica := serve(t, file)
		p.replicas = append(p.replicas, replica)
		target, err := loadwire.NewTarget(replica.listen + map[bool]string{true: sample.MCPPath}[s.mcp])
		require.NoError(t, err)
		plan.Targets = append(plan.Targets, target)
	}
	var err error
	if s.mcp {
		plan.Protocol = load.MCP
	} else {
		plan.Carrier, err = load.ParseCarrier(load.DefaultCarrier)
		require.NoError(t, err)
	}
	plan.From, err = load.ParseSource(load.DefaultFrom)
	require.NoError(t, err)
	plan.Count, err = load.ParseSource(load.DefaultCount)
	require.NoError(t, err)
	p.run, err = load.New(plan)
	require.NoError(t, err)
	return p
}

// do makes the load. halfway, if there, is called when half of it is done.
func (p *proof) do(halfway func()) load.Report {
	p.t.Helper()
	done := make(chan load.Report)
	go func() { done <- p.run.Do(context.Background()) }()
	for halfway != nil && p.run.Progress().Answered < p.requests/2 {
		time.Sleep(time.Millisecond) // polled: the load has no event for it
	}
	if halfway != nil {
		halfway()
	}
	r := <-done
	p.t.Logf("%s; %d failed, %d moves, %.0f/s, p99 %.1f ms", r.Why, r.Requests.Failed, r.Affinity.Moves, r.Rate.Achieved, r.Latency.P99)
	require.Equal(p.t, load.Proven, r.Verdict, "%s %v %v", r.Why, r.Affinity.Examples, r.Failures)
	require.Equal(p.t, p.requests, r.Requests.Scheduled)
	again := 0
	if r.MCP != nil {
		again = r.MCP.Reinitialized
	}
	require.Equal(p.t, p.sessions+again, r.Sessions.Named)
	return r
}

// failed counts the failed requests of a load without retries, but for those that are unanswered.
func failed(r load.Report) int {
	n := r.Requests.Failed
	for _, f := range r.Failures {
		if strings.HasSuffix(f.Reason, " StoreUnavailable") {
			n -= f.Count
		}
	}
	return n
}

// undisturbed is what has to be true where nothing happened.
func (p *proof) undisturbed() {
	p.t.Helper()
	r := p.do(nil)
	require.Zero(p.t, failed(r), "%v", r.Failures)
	require.Zero(p.t, r.Affinity.Moves)
	require.Equal(p.t, p.requests-r.Requests.Failed, r.Affinity.Judged)
	for _, i := range r.Instances {
		require.Equal(p.t, p.sessions/proofInstances, i.Sessions, i.Name)
	}
}

// killed kills an instance in the middle: each of its sessions is moved, once, and told; nobody else is.
func (p *proof) killed() {
	p.t.Helper()
	r := p.do(p.instances[1].kill)
	for _, e := range r.Affinity.Announced {
		require.Contains(p.t, e.Got, `event "rehomed; reason=\"instance lost\"; from=\"i1\""`)
	}
	require.LessOrEqual(p.t, failed(r), proofClients, "what was in flight there: %v", r.Failures)
	require.Zero(p.t, r.Affinity.Unjudged)
	lost, left := p.sessions/proofInstances, 0
	for _, i := range r.Instances {
		if i.Name == "i1" {
			left = i.Sessions // few had no request since, and have not noticed
		}
	}
	require.Equal(p.t, lost, r.Affinity.Moves+left)
	require.Greater(p.t, r.Affinity.Moves, lost*9/10)
}

// killedMCP is the same for sessions of MCP, which nobody can move: each of the instance's is unknown, once, and begun anew
// elsewhere; nobody else's is.
func (p *proof) killedMCP() {
	p.t.Helper()
	r := p.do(p.instances[1].kill)
	lost := p.sessions / proofInstances
	require.Zero(p.t, r.Affinity.Moves+r.MCP.Misrouted+r.MCP.Unexplained)
	require.LessOrEqual(p.t, r.MCP.Unknown, lost)
	require.Greater(p.t, r.MCP.Unknown, lost*9/10, "few had no request since, not even the last")
	require.Less(p.t, r.Requests.Failed, p.requests/10, "%v", r.Failures)
	require.GreaterOrEqual(p.t, r.MCP.Deleted, p.sessions-proofClients)
	for _, i := range r.Instances {
		require.Positive(p.t, i.Responses, i.Name)
	}
}

func TestProofMCP(t *testing.T) {
	t.Parallel()
	store := fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redistest.Standalone(t, redistest.Options{}).Addr)
	newProof(t, proofSetup{replicas: 2, store: store, more: "    affinity: {type: MCP_STREAMABLE}", mcp: true}).killedMCP()
}

func TestProofOneReplica(t *testing.T) {
	t.Parallel()
	t.Run("undisturbed", func(t *testing.T) { newProof(t, proofSetup{replicas: 1}).undisturbed() })
	t.Run("an instance is killed", func(t *testing.T) { newProof(t, proofSetup{replicas: 1}).killed() })
}

func TestProofTwoReplicas(t *testing.T) {
	t.Parallel()
	store := func(t *testing.T) string {
		return fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redistest.Standalone(t, redistest.Options{}).Addr)
	}
	t.Run("undisturbed", func(t *testing.T) { newProof(t, proofSetup{replicas: 2, store: store(t)}).undisturbed() })
	t.Run("an instance is killed", func(t *testing.T) { newProof(t, proofSetup{replicas: 2, store: store(t)}).killed() })
}
