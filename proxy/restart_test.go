package proxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sample"
	"github.com/limpet-proxy/limpet/sessions"
)

// counted is what a sample instance says of a request.
func (a answer) counted(t *testing.T) sample.Answer {
	t.Helper()
	var s sample.Answer
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), &s), a.body)
	return s
}

// incarnation is the one that the pool knows of an instance.
func (w *world) incarnation(id string) uint64 {
	inst, ok := w.pool.Lookup(sessions.Home{Version: "LATEST", ID: id})
	require.True(w.t, ok)
	return inst.Home().Incarnation
}

// restart puts another program at the instance's place and waits until the pool knows.
func (w *world) restart(s *sample.Server, id string) {
	was := w.incarnation(id)
	s.Restart()
	require.Eventually(w.t, func() bool { return w.incarnation(id) > was }, patience, time.Millisecond)
}

// A session that slept through a restart under the same address is told that its state is gone.
func TestRestartUnderTheSameAddressIsToldOfALostState(t *testing.T) {
	a := sample.New(sample.Options{Name: "a"})
	w := start(t, nil, a)
	require.Equal(t, 1, w.get("/", "s").counted(t).Count)
	first := w.get("/", "s")
	require.Equal(t, 2, first.counted(t).Count)
	w.restart(a, "a")
	got := w.get("/", "s")
	event := `rehomed; reason="instance restarted"; from="a"`
	require.Equal(t, event, got.Header.Get("Limpet-Session-Event"))
	require.Equal(t, event, got.counted(t).Event)
	require.Equal(t, 1, got.counted(t).Count)
	require.Equal(t, epoch(t, first)+1, epoch(t, got))
	require.Equal(t, 2, w.get("/", "s").counted(t).Count)
}

func TestIsolatedInstanceServesOneSessionInItsLife(t *testing.T) {
	a, b := sample.New(sample.Options{Name: "a"}), sample.New(sample.Options{Name: "b"})
	w := start(t, func(c *proxy.FunctionConfig) { c.Sessions.Isolation, c.Sessions.PerInstance = true, 1 }, a, b)
	one, two := w.get("/", "one").counted(t), w.get("/", "two").counted(t)
	require.NotEqual(t, one.Instance, two.Instance)
	w.get("/", "three").fails(t, "NoCapacity", http.StatusServiceUnavailable)
	require.Equal(t, 2, w.get("/", "one").counted(t).Count)

	got, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "one"})
	require.NoError(t, err)
	_, err = w.table.End(t.Context(), got, false)
	require.NoError(t, err)
	w.get("/", "three").fails(t, "NoCapacity", http.StatusServiceUnavailable) // its slot is free, but it has had its session

	w.restart(map[string]*sample.Server{"a": a, "b": b}[one.Instance], one.Instance)
	require.Equal(t, one.Instance, w.get("/", "three").counted(t).Instance, "a replaced instance is a new one")
	require.Equal(t, 2, w.get("/", "two").counted(t).Count)
}

// Qualifiers are functions of their own under one name: the same session ID is another session, on other instances
// that may have the same IDs.
func TestQualifiersAreApart(t *testing.T) {
	blue := start(t, func(c *proxy.FunctionConfig) { c.Qualifier, c.Match.Path = "blue", "/blue" }, named("blue a"))
	green := &world{t: t, cfg: blue.cfg, store: blue.store, cache: blue.cache}
	green.cfg.Qualifier, green.cfg.Match.Path = "green", "/green"
	other := start(t, nil, named("green a"))
	green.cfg.Instances = other.cfg.Instances
	green.runPool()
	blue.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{blue.function(), green.function()})})
	for _, q := range []string{"blue", "green"} {
		first := blue.get("/"+q, "s")
		require.Equal(t, "created", first.Header.Get("Limpet-Session-Event"), q)
		require.Equal(t, q+" a", first.Header.Get("Instance"))
		require.Equal(t, q+" a", blue.get("/"+q, "s").Header.Get("Instance"))
		page, err := blue.store.List(t.Context(), sessions.Query{Function: "f", Qualifier: q, Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Sessions, 1, fmt.Sprint(q))
	}
}
