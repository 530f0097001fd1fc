package sourcetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
)

func dialable(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA, hostB)
	places := h.run(tb, w.New()).awaitKnown()
	require.NotEmpty(tb, places)
	seen := map[string]bool{}
	for _, p := range places {
		require.True(tb, instances.ValidID(p.ID), "%q", p.ID)
		require.False(tb, seen[p.ID], "%q is listed twice", p.ID)
		seen[p.ID] = true
		require.Contains(tb, []string{"http", "https"}, p.URL.Scheme)
		require.NotEmpty(tb, p.URL.Hostname())
		require.Nil(tb, p.URL.User)
		require.Empty(tb, p.URL.Path+p.URL.RawQuery+p.URL.Fragment, "a request would carry it along")
	}
}

// opaque: IDs appear in Limpet-Session-Event and in the session API. An address never appears in what a client sees.
func opaque(tb testing.TB, h Harness) {
	if h.Named {
		return
	}
	w := peopled(tb, h, hostA, hostB)
	for _, p := range h.run(tb, w.New()).awaitKnown() {
		require.NotContains(tb, p.ID, p.URL.Hostname())
		require.NotContains(tb, p.ID, strings.ReplaceAll(p.URL.Hostname(), ".", "-"))
	}
}

func owned(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA, hostB)
	r := h.run(tb, w.New())
	mine := r.awaitKnown()
	require.NotEmpty(tb, mine)
	before := names(mine)
	mine[0].ID = "mine"
	again, _ := r.Places()
	require.Equal(tb, before, names(again), "what a caller does to its slice changes nothing")
}

// idle: a reload makes sources before it knows whether it comes into force.
func idle(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA)
	if w.Set == nil {
		return
	}
	s := w.New()
	time.Sleep(quiet)
	places, known := s.Places()
	require.Empty(tb, places, "nobody has run it")
	require.False(tb, known, "so it has heard nothing")
}

// agree: replicas pin sessions to an ID that any of them has to know.
func agree(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA, hostB, hostC)
	one := h.run(tb, w.New()).awaitKnown()
	other := h.run(tb, w.New()).awaitKnown()
	if !h.Own {
		require.Equal(tb, names(one), names(other))
		return
	}
	for _, a := range one {
		require.True(tb, a.Local, "no other replica is to dial it")
		for _, b := range other {
			require.NotEqual(tb, a.ID, b.ID)
			require.NotEqual(tb, a.URL.String(), b.URL.String())
		}
	}
}

func returns(tb testing.TB, h Harness) {
	w := peopled(tb, h, hostA, hostB)
	if w.Set == nil || h.Named {
		return
	}
	r := h.run(tb, w.New())
	before := names(r.awaitHosts(hostA, hostB))
	w.Set(hostA)
	r.awaitHosts(hostA)
	w.Set(hostA, hostB)
	require.Equal(tb, before, names(r.awaitHosts(hostA, hostB)))
}
