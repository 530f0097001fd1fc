package protocoltest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// TestMCPClientsOfTheGoSDKOverSSE are unmodified clients and servers of the older transport, through one Limpet, and through
// two that share a Redis, where each message comes through another one than the last, and half of them not through the one
// that has the stream.
func TestMCPClientsOfTheGoSDKOverSSE(t *testing.T) {
	for name, replicas := range map[string]int{"one": 1, "two on one Redis": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newMCPWorld(t, replicas, 30, olderPath)
			w.count(mcpCalls)
			require.Equal(t, len(w.agents), w.active())
			w.breakAServer()
			w.freed(len(w.agents))

			more := &agent{t: t, path: olderPath, through: w.through}
			require.Error(t, more.connect(t.Context()), "two servers are full")
			require.NoError(t, w.agents[0].session.Close())
			w.freed(len(w.agents) - 1)
			require.NoError(t, more.connect(t.Context()), "and have room when a stream has ended")
			require.NoError(t, more.call(t.Context()))
			w.agents[0] = more
			w.each(func(a *agent) { require.NoError(t, a.session.Close()) })
			w.freed(0)
		})
	}
}

// breakAServer kills one. Its clients' streams break, which any error tells, and they begin another session; the others notice
// nothing.
func (w *mcpWorld) breakAServer() { w.beginAnew(func(error) bool { return true }) }

// freed waits until so many sessions are left: one ends a moment after its stream.
func (w *mcpWorld) freed(left int) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) { assert.Equal(c, left, w.active()) }, limpettest.Patience, limpettest.Patience/1000)
}
