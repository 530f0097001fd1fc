package sourcetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func follows(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA)
	if w.Set == nil {
		return
	}
	r := h.run(tb, w.New())
	for _, hosts := range [][]string{{hostA}, {hostA, hostB}, {hostB, hostC}, {hostC}} {
		w.Set(hosts...)
		r.awaitHosts(hosts...)
	}
}

func tells(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA)
	if w.Set == nil {
		return
	}
	r := h.run(tb, w.New())
	for n, hosts := range [][]string{{hostA}, {hostA, hostB}, {hostA, hostB, hostC}} {
		w.Set(hosts...)
		r.until("changed is called, and Places answers there", func() bool { return r.seen.Load() == int64(n+1) })
	}
	told := r.changes.Load()
	time.Sleep(quiet)
	require.Equal(tb, told, r.changes.Load(), "it is called after changes only")
}

func unheard(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA)
	if w.Silence == nil {
		return
	}
	w.Silence(true)
	r := h.run(tb, w.New())
	time.Sleep(quiet)
	places, known := r.Places()
	require.Empty(tb, places)
	require.False(tb, known)
	w.Silence(false)
	r.awaitHosts(hostA)
	require.Positive(tb, r.changes.Load())
}

func nothing(tb testing.TB, h Harness) {
	w := h.Open(tb)
	if w.Set == nil {
		return
	}
	w.Set()
	r := h.run(tb, w.New())
	require.Empty(tb, r.awaitKnown())
	require.Positive(tb, r.changes.Load(), "that it has heard is a change")
	w.Set(hostA)
	r.awaitHosts(hostA)
	w.Set()
	r.awaitHosts()
}

func silent(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA, hostB)
	if w.Silence == nil {
		return
	}
	r := h.run(tb, w.New())
	before := names(r.awaitHosts(hostA, hostB))
	w.Silence(true)
	w.Set(hostC)
	for end := time.Now().Add(2 * quiet); time.Now().Before(end); time.Sleep(tick) {
		places, known := r.Places()
		require.True(tb, known)
		require.Equal(tb, before, names(places), "unheard of is not gone")
	}
	w.Silence(false)
	r.awaitHosts(hostC)
}

func ends(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA)
	if w.Silence != nil {
		w.Silence(true) // also while it waits for an answer
	}
	r := h.run(tb, w.New())
	time.Sleep(quiet / 10)
	r.cancel()
	begun := time.Now()
	r.stop()
	require.Less(tb, time.Since(begun), r.patience/4, "a reload, and the end of the process, wait for it")
	told := r.changes.Load()
	time.Sleep(quiet / 10)
	require.Equal(tb, told, r.changes.Load(), "nothing comes afterwards")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	late := w.New()
	done := make(chan struct{})
	go func() {
		defer close(done)
		late.Run(ctx, func() {})
	}()
	select {
	case <-done:
	case <-time.After(r.patience):
		require.Fail(tb, "one whose context is done already does not end")
	}
}

// many has teeth under the race detector only.
func many(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA, hostB)
	r := h.run(tb, w.New())
	var askers sync.WaitGroup
	for range 4 {
		askers.Go(func() {
			for range 200 {
				places, _ := r.Places()
				_ = names(places)
			}
		})
	}
	if w.Set != nil {
		w.Set(hostA)
	}
	askers.Wait()
	require.NotEmpty(tb, r.awaitKnown())
}
