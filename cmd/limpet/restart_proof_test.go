package main_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProofRestartBetweenProbes restarts an instance on its port in the middle of the load, with the next probe an hour away:
// every session of it is told that its state is gone, by whichever replica, before the new program has seen it.
func TestProofRestartBetweenProbes(t *testing.T) {
	t.Parallel()
	p := newLossProof(t, proofSetup{health: "{interval: 1h, timeout: 10s, successes: 1}"})
	old := p.instances[dead]
	var after *volley
	r := p.do(func() {
		p.kill()
		startSample(t, "--name", victim, "--listen", old.listen[len("http://"):])
		after = fire(t, p.replicas, p.own, away) // 503 until the registry has named the new program
	})
	for _, id := range p.undisturbed(after) {
		_, epoch, told := after.one(t, id)
		require.Equal(t, p.homes.replies[id][0].epoch+1, epoch, "%s: once", id)
		require.Regexp(t, `^rehomed; reason="instance (lost|restarted)"; from="i1"$`, told, id)
	}
	require.Zero(t, r.Affinity.LostStates)
	require.LessOrEqual(t, failed(r), 4*proofClients, "what was in flight: %v", r.Failures)
	t.Logf("%d failed, %d were told", r.Requests.Failed, r.Affinity.Moves)
}
