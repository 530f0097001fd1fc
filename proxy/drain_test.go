package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// mark makes an instance drain, or takes that back, and returns when the pool has heard.
func (w *world) mark(id string, draining bool, deadline time.Duration) {
	w.t.Helper()
	_, err := w.store.Mark(w.t.Context(), sessions.Mark{
		Function: "f", Home: sessions.Home{Version: "LATEST", ID: id}, Draining: draining, Deadline: deadline,
	})
	require.NoError(w.t, err)
	w.pool.Refresh()
	require.Eventually(w.t, func() bool {
		for _, v := range w.pool.Snapshot() {
			if v.ID == id {
				return (v.State == instances.StateDraining) == draining && (deadline > 0 || len(w.pool.Drained()) == 1)
			}
		}
		return false
	}, patience, time.Millisecond)
}

// runDrainer sends away what is left on drained instances.
func (w *world) runDrainer() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		sessions.Drainer{
			Tables:  func() []*sessions.Table { return []*sessions.Table{w.table} },
			Emptied: func(string, sessions.Departures, error) {},
		}.Run(ctx)
	}()
	w.t.Cleanup(func() { stop(); <-ended })
}

func TestDrainingHomeKeepsItsSessionsAndTakesNoNewOnes(t *testing.T) {
	w := start(t, nil, body("a"), body("b"))
	w.runDrainer()
	first := w.get("/", "s")
	home := first.Header.Get("Instance")
	w.mark(home, true, time.Hour)
	for i := range 8 {
		require.NotEqual(t, home, w.get("/", fmt.Sprint("new", i)).Header.Get("Instance"))
		a := w.get("/", "s")
		require.Equal(t, home, a.Header.Get("Instance"))
		require.Equal(t, epoch(t, first), epoch(t, a))
		require.Empty(t, a.Header["Limpet-Session-Event"])
	}
	w.mark(home, false, time.Hour)
	require.Eventually(t, func() bool { return w.get("/", "after").Header.Get("Instance") == home }, patience, time.Millisecond,
		"the emptiest is chosen again")
	require.Equal(t, home, w.get("/", "s").Header.Get("Instance"))
}

func TestAtTheDrainDeadlineBothEndsAreTold(t *testing.T) {
	for policy, said := range map[sessions.LossPolicy]string{
		sessions.LossRehome: `rehomed; reason="drained"; from=%q`, sessions.LossFail: "created",
	} {
		for _, left := range []string{"by a request", "by the drainer"} {
			t.Run(string(policy)+" "+left, func(t *testing.T) {
				w := start(t, func(c *proxy.FunctionConfig) { c.OnInstanceLoss = policy }, body("a"), body("b"))
				first := w.get("/", "s")
				home := first.Header.Get("Instance")
				w.mark(home, true, 0)
				if left == "by the drainer" {
					d, err := w.table.EmptyDrained(t.Context())
					require.NoError(t, err)
					require.Equal(t, 1, d.Moved+d.Ended)
				}
				a := w.get("/", "s")
				require.Equal(t, http.StatusOK, a.StatusCode, a.body)
				event := said
				if strings.Contains(said, "%q") {
					event = fmt.Sprintf(said, home)
					require.Equal(t, epoch(t, first)+1, epoch(t, a))
				}
				require.Equal(t, event, a.Header.Get("Limpet-Session-Event"))
				require.Equal(t, event+"|", a.body, "the instance too")
				require.NotEqual(t, home, a.Header.Get("Instance"))
				require.Empty(t, w.get("/", "s").Header["Limpet-Session-Event"])
				w.unharmedBut(home)
			})
		}
	}
}

// unharmedBut is unharmed, of a world in which one instance has drained.
func (w *world) unharmedBut(drained string) {
	w.t.Helper()
	w.idle()
	for _, h := range w.places() {
		want := sessions.HomeUp
		if h.ID == drained {
			want = sessions.HomeDrained
		}
		state, _ := w.pool.State(h)
		require.Equal(w.t, want, state, h.ID)
	}
}

// What runs on a drained instance is cut, so that a stream cannot hold it for ever; what has not begun to answer is told why.
func TestRequestsAreCutAtTheDrainDeadline(t *testing.T) {
	t.Parallel()
	for _, policy := range []sessions.LossPolicy{sessions.LossRehome, sessions.LossFail} {
		t.Run(string(policy), func(t *testing.T) {
			back, entered, cut := patient()
			w := start(t, func(c *proxy.FunctionConfig) { c.OnInstanceLoss = policy }, back, back)
			w.runDrainer()
			stream, err := w.client().Do(w.request(http.MethodGet, "/stream", nil, "X-Session-Id", "s"))
			require.NoError(t, err)
			defer stream.Body.Close()
			got := make(chan answer, 1)
			go func() { got <- w.get("/slow", "s") }()
			upload, pipe := io.Pipe()
			defer pipe.Close()
			uploaded := make(chan answer, 1)
			go func() { uploaded <- w.do(w.request(http.MethodPost, "/upload", upload, "X-Session-Id", "s")) }()
			for range 3 {
				<-entered
			}
			s, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
			require.NoError(t, err)
			w.mark(s.Home.ID, true, time.Hour)
			w.mark(s.Home.ID, true, 0)
			for range 3 {
				<-cut
			}
			for _, answers := range []chan answer{got, uploaded} {
				a := <-answers
				a.fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
				require.Equal(t, "s", a.Header.Get("X-Session-Id"))
			}
			text, err := io.ReadAll(stream.Body)
			require.Error(t, err, "a stream that was cut does not look complete")
			require.Equal(t, "begun\n", string(text))
			w.idle()
			require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode)
			w.unharmedBut(s.Home.ID)
		})
	}
}

func TestRequestsGoOnWhereASessionCannotLeave(t *testing.T) {
	entered, finish := make(chan struct{}, 1), make(chan struct{})
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-finish
		fmt.Fprint(w, "done")
	}))
	got := make(chan answer, 1)
	go func() { got <- w.get("/", "s") }()
	<-entered
	w.mark("a", true, 0)
	d, err := w.table.EmptyDrained(t.Context())
	require.NoError(t, err)
	require.True(t, d.Full)
	close(finish)
	require.Equal(t, "done", (<-got).body)
	require.Equal(t, "done", w.get("/", "s").body, "it lives, and nobody else could serve the session")
	w.get("/", "new").fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
}

func TestIsolatedSessionLeavesItsDrainedInstance(t *testing.T) {
	back, entered, cut := patient()
	w := start(t, isolated, back, back)
	got := make(chan answer, 1)
	go func() { got <- w.get("/slow", "s") }()
	<-entered
	s, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
	require.NoError(t, err)
	w.mark(s.Home.ID, true, 0)
	d, err := w.table.EmptyDrained(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, d.Moved)
	(<-got).fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
	<-cut
	a := w.get("/", "s")
	require.Equal(t, fmt.Sprintf(`rehomed; reason="drained"; from=%q`, s.Home.ID), a.Header.Get("Limpet-Session-Event"))
}

func TestDrainWithoutSessions(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { c.Affinity.Type = sessions.AffinityNone }, named("a"), named("b"))
	w.mark("a", true, time.Hour)
	for range 20 {
		require.Equal(t, "b", w.get("/", "").Header.Get("Instance"))
	}
}

// Another replica was a moment faster: all that is heard here is that the session is no more with this epoch.
func TestIsolatedSessionThatAnotherReplicaMovedFromItsDrainedInstance(t *testing.T) {
	t.Parallel()
	back, entered, cut := patient()
	w := start(t, isolated, back, back)
	got := make(chan answer, 1)
	go func() { got <- w.get("/slow", "s") }()
	<-entered
	s, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
	require.NoError(t, err)
	w.mark(s.Home.ID, true, 0)
	_, err = w.store.Rehome(t.Context(), sessions.RehomeRequest{
		Session: s, Reason: sessions.ReasonDrained, Drained: true,
		Placement: sessions.Placement{Candidates: w.places(), PerInstance: 1, Isolation: true},
	})
	require.NoError(t, err)
	(<-got).fails(t, "InstanceUnavailable", http.StatusServiceUnavailable)
	<-cut
}
