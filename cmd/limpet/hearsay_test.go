package main_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// TestAReplicaThatLearnsLaterOfAnInstance: one replica lists an instance and pins sessions to it, the other does not list
// it yet. Requests at the other go home all the same, none is re-homed, and nothing changes when it learns.
func TestAReplicaThatLearnsLaterOfAnInstance(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"rehome", "fail"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Standalone(t, redistest.Options{})
			all := samples(t, 2)
			full := setup{store: fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr)}
			full.functions = []function{{instances: all, more: "    on_instance_loss: " + policy + "\n"}}
			early := serve(t, full.file(t))
			lagging := full
			lagging.functions = []function{full.functions[0]}
			lagging.functions[0].instances = all[:1]
			file := lagging.file(t)
			late := serve(t, file)

			const many = 20
			was := map[string]reply{}
			for i := range many {
				id := fmt.Sprintf("id-%d", i)
				was[id] = early.answer("/", id)
			}
			same := func(n int) {
				t.Helper()
				for id, r := range was {
					again := late.answer("/", id)
					require.Equal(t, r.Instance, again.Instance, id)
					require.Equal(t, r.epoch, again.epoch, id)
					require.Equal(t, n, again.Count, id)
					require.Empty(t, again.event(), id)
				}
			}
			same(2)
			for i := range many {
				require.Equal(t, "i0", late.answer("/", fmt.Sprintf("new-%d", i)).Instance, "it lists one, and places sessions there")
			}
			late.reload(full, file, true)
			same(3)
			for _, p := range []*process{early, late} {
				require.NotContains(t, p.metrics(), "limpet_sessions_rehomed_total{function=\"counter\"")
			}
			n := 0
			late.eventually(func() error {
				n++
				if r := late.answer("/", fmt.Sprint("another-", n)); r.Instance != "i1" {
					return errors.New("the one with fewer sessions gets no new one")
				}
				return nil
			})
		})
	}
}

// TestAnInstanceOutOfReachIsNotDialled: what comes through the store must not lead just anywhere. A name is refused when
// it is dialled, whatever it led to before.
func TestAnInstanceOutOfReachIsNotDialled(t *testing.T) {
	t.Parallel()
	t.Run("address", func(t *testing.T) {
		t.Parallel()
		late := outOfReach(t, "127.0.0.1")
		late.awaitLog("another replica's instance may not be dialled from here: see allowed_ranges")
	})
	t.Run("name", func(t *testing.T) {
		t.Parallel()
		late := outOfReach(t, "localhost")
		require.Contains(t, late.awaitLog("instance dial failed")["error"], "address is in no allowed range")
	})
}

// outOfReach has a session on an instance at this host, which one replica lists and the other may not dial. It returns
// the other.
func outOfReach(t *testing.T, host string) *process {
	t.Helper()
	redis := redistest.Standalone(t, redistest.Options{})
	all := samples(t, 2)
	s := setup{store: fmt.Sprintf("{kind: redis, redis: {addrs: [%s]}}", redis.Addr), functions: []function{{instances: all[1:]}}}
	listed := s.file(t)
	replace(t, listed, strings.Replace(s.String(), "127.0.0.1:"+all[1].port(), host+":"+all[1].port(), 1))
	early := serve(t, listed)
	r := early.answer("/", "alice")
	require.Equal(t, "i1", r.Instance)

	s.functions[0].instances = all[:1]
	text := s.String() + "      allowed_ranges: [10.0.0.0/8]\n"
	file := s.file(t)
	replace(t, file, text)
	late := serve(t, file)
	refused, err := get(quick, late.listen+"/", "alice")
	require.NoError(t, err)
	require.Equal(t, "InstanceUnavailable", refused.code(), "the session is alive elsewhere: it is not moved either")
	require.Equal(t, 2, early.answer("/", "alice").Count)
	require.Equal(t, r.epoch, early.answer("/", "alice").epoch)
	return late
}

// port is where the instance listens.
func (i *instance) port() string { return i.URL()[strings.LastIndexByte(i.URL(), ':')+1:] }
