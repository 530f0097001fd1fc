package instances_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
)

// vouch asks for a connection made now, and returns what comes of it and how long that took.
func (w *world) vouch(id string, incarnation uint64) (time.Duration, error) {
	began := time.Now()
	err := w.instance(id).Vouch(w.t.Context(), incarnation)
	return time.Since(began), err
}

func TestAConnectionIsVouchedForByAProbeThatBeginsAfterIt(t *testing.T) {
	same, other := host{start: "one", takes: 100 * time.Millisecond}, host{start: "two", takes: 100 * time.Millisecond}
	slow := host{start: "one", takes: time.Hour}
	tests := map[string]struct {
		before, after host
		want          error
		took          time.Duration
	}{
		"the same program":              {same, same, nil, 100 * time.Millisecond},
		"another program":               {same, other, instances.ErrReplaced, 100 * time.Millisecond},
		"no nonce, so nothing to ask":   {host{}, host{}, nil, 0},
		"refused":                       {same, host{err: errRefused}, instances.ErrUnproven, 0},
		"an answer that is not healthy": {same, host{err: errStatus}, instances.ErrUnproven, 0},
		"a probe that times out":        {same, slow, nil, instances.DefaultHealthTimeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "a")
				w.set("a", test.before)
				w.run()
				w.pass(200 * time.Millisecond) // the first probe is done, and the next far away
				was := w.home("a").Incarnation
				w.set("a", test.after)
				took, err := w.vouch("a", was)
				require.ErrorIs(t, err, test.want)
				require.Equal(t, test.took, took)
				if errors.Is(test.want, instances.ErrReplaced) {
					now := w.home("a").Incarnation
					require.Greater(t, now, was)
					took, err = w.vouch("a", now)
					require.NoError(t, err, "sessions of the new program are at home")
					require.Equal(t, test.took, took)
				}
				w.stop()
			})
		})
	}
}

// A probe asks the old program, which dies; the connection leads to the new one; the probe's answer comes.
func TestAProbeFromBeforeTheConnectionVouchesForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.set("a", host{start: "one", takes: 500 * time.Millisecond})
		w.run()
		w.pass(600 * time.Millisecond)
		was, before := w.home("a").Incarnation, w.probed("a")
		for w.probed("a") == before {
			w.pass(10 * time.Millisecond)
		}
		w.set("a", host{start: "two"})
		w.pass(time.Millisecond)
		_, err := w.vouch("a", was)
		require.ErrorIs(t, err, instances.ErrReplaced)
		require.Equal(t, before+2, w.probed("a"))
		w.stop()
	})
}

// Until the registry has named the new program's incarnation, nobody knows whose sessions are at home there.
func TestVouchingWaitsForTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.set("a", host{start: "one"})
		w.run().pass(time.Millisecond)
		was := w.home("a").Incarnation
		w.registry.hang(true)
		w.set("a", host{start: "two"})
		took, err := w.vouch("a", was)
		require.ErrorIs(t, err, instances.ErrUnproven)
		require.Equal(t, 2*instances.DefaultHealthTimeout, took)
		w.registry.hang(false)
		w.pass(3 * time.Second) // the report that hangs gives up, and the next one is made
		_, err = w.vouch("a", was)
		require.ErrorIs(t, err, instances.ErrReplaced)
		w.stop()
	})
}

func TestManyConnectionsShareAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.set("a", host{start: "one", takes: 100 * time.Millisecond})
		w.run()
		w.pass(200 * time.Millisecond)
		was, before := w.home("a").Incarnation, w.probed("a")
		var vouched atomic.Int64
		for range 1000 {
			go func() {
				if _, err := w.vouch("a", was); err == nil {
					vouched.Add(1)
				}
			}()
		}
		w.pass(250 * time.Millisecond)
		require.EqualValues(t, 1000, vouched.Load())
		require.LessOrEqual(t, w.probed("a"), before+2)
		w.stop()
	})
}

// Whoever gives up, or outlives the pool, waits for nothing.
func TestVouchingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		w.set("a", host{start: "one"})
		w.run().pass(time.Millisecond)
		was := w.home("a").Incarnation
		w.set("a", host{start: "one", takes: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, w.instance("a").Vouch(ctx, was), context.DeadlineExceeded)
		w.stop()
		_, err := w.vouch("a", was)
		require.NoError(t, err, "nobody probes any more")
	})
}
