package main_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// A process is on one machine. Another replica, which could be on another, must neither dial its address nor take its
// session away.
func TestAnotherReplicaLeavesLocalProcessesAlone(t *testing.T) {
	t.Parallel()
	redis := redistest.Standalone(t, redistest.Options{})
	s := local(function{}, fmt.Sprintf("{command: %s}", instanceCommand("x")))
	s.store = fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr)
	a, b := serve(t, s.file(t)), serve(t, s.file(t))
	before := a.answer("/", "alice")
	for range 5 {
		r, err := get(quick, b.listen, "alice")
		require.NoError(t, err)
		require.Equal(t, "InstanceUnavailable", r.code())
	}
	after := a.answer("/", "alice")
	require.Equal(t, before.Start, after.Start)
	require.Equal(t, 2, after.Count)
	require.NotEqual(t, before.Start, b.answer("/", "bob").Start, "new sessions get its own")
}
