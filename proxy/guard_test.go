package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// isolated gives each session an instance of its own.
func isolated(c *proxy.FunctionConfig) {
	c.Sessions.Isolation, c.Sessions.PerInstance, c.Invoke = true, 1, true
}

// patient serves /slow and invocations until their requests are cut, streams at /stream, and answers the rest.
func patient() (h http.Handler, entered, cut chan string) {
	entered, cut = make(chan string, 8), make(chan string, 8)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream":
			fmt.Fprint(w, "begun\n")
			if http.NewResponseController(w).Flush() != nil {
				return
			}
		case "/upload":
			entered <- r.URL.Path
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				cut <- r.URL.Path
			}
			return
		case "/slow", "/invoke":
		default:
			return
		}
		entered <- r.URL.Path
		<-r.Context().Done()
		cut <- r.URL.Path
	}), entered, cut
}

// delete ends the session as DeleteSession does.
func (w *world) delete(id string) {
	s, err := w.store.Get(w.t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: id})
	require.NoError(w.t, err)
	_, err = w.table.End(w.t.Context(), s, false)
	require.NoError(w.t, err)
}

// unharmed checks that nobody was blamed and that nothing is left behind.
func (w *world) unharmed() {
	w.t.Helper()
	w.idle()
	for _, record := range w.places() {
		state, _ := w.pool.State(record)
		require.Equal(w.t, sessions.HomeUp, state, "the instance is not to blame")
	}
	require.Eventually(w.t, func() bool { // it may be about to return
		stacks := make([]byte, 1<<20)
		return !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "(*guard).watch")
	}, patience, time.Millisecond, "no guard outlives its exchange")
}

func (w *world) places() (homes []sessions.Home) {
	records, err := w.store.Instances(w.t.Context(), "f")
	require.NoError(w.t, err)
	for _, r := range records {
		homes = append(homes, r.Home)
	}
	return homes
}

func TestIsolatedRequestIsCutWithItsSession(t *testing.T) {
	for name, c := range map[string]struct {
		path, header string
		check        func(*testing.T, answer)
	}{
		"ordinary": {"/slow", "X-Session-Id", func(t *testing.T, a answer) { a.fails(t, "SessionExpired", http.StatusGone) }},
		"FC":       {fcPath, "X-Session-Id", func(t *testing.T, a answer) { a.saysFC(t, "SessionExpired", http.StatusGone) }},
		"AgentCore": {runtimePath, runtimeHeader, func(t *testing.T, a answer) {
			a.saysAWS(t, "SessionExpired", "ResourceNotFoundException", http.StatusNotFound)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			back, entered, cut := patient()
			w := start(t, isolated, back)
			got := make(chan answer, 1)
			go func() { got <- w.post(c.path, "", c.header, "s") }()
			<-entered
			w.delete("s")
			a := <-got
			c.check(t, a)
			require.NotContains(t, a.Header, http.CanonicalHeaderKey(c.header), "the session is no more")
			<-cut
			w.unharmed()
		})
	}
}

func TestIsolatedInvocationOfAnotherListenerIsCut(t *testing.T) {
	back, entered, cut := patient()
	w := start(t, isolated, back)
	a, got := w.admin(), make(chan answer, 1)
	go func() { got <- a.post(runtimePath, "", runtimeHeader, "s") }()
	<-entered
	w.delete("s")
	(<-got).saysAWS(t, "SessionExpired", "ResourceNotFoundException", http.StatusNotFound)
	<-cut
	w.unharmed()
}

func TestWithoutIsolationRequestsFinish(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	w := start(t, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-finish
		fmt.Fprint(w, "done")
	}))
	got := make(chan answer, 1)
	go func() { got <- w.get("/", "s") }()
	<-entered
	w.delete("s")
	close(finish)
	require.Equal(t, "done", (<-got).body)
}

// A guard that has done nothing leaves connection and instance as they were.
func TestIsolatedRequestsThatFinish(t *testing.T) {
	back, _, _ := patient()
	w := start(t, isolated, back)
	client := w.client()
	for range 50 {
		res, err := client.Do(w.request(http.MethodPost, "/", strings.NewReader("body"), "X-Session-Id", "s"))
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	w.unharmed()
}

// The client that leaves first is what ended the request, whatever happens to the session afterwards.
func TestIsolatedClientThatLeaves(t *testing.T) {
	back, entered, cut := patient()
	w := start(t, isolated, back)
	c, _ := w.dial()
	fmt.Fprintf(c, "GET /slow HTTP/1.1\r\nHost: f\r\nX-Session-Id: s\r\n\r\n")
	<-entered
	require.NoError(t, c.Close())
	<-cut
	w.unharmed()
	require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode, "the session stays")
}

// The move away from a lost home ends the use of the session as it was: that must not cut the request that moves.
func TestIsolatedRequestMovesFromALostHome(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { isolated(c); slowProbes(c) }, named("a"), named("b")).noKeepAlive()
	home := w.get("/", "s").Header.Get("Instance")
	w.kill(home)
	a := w.get("/", "s")
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	require.NotEqual(t, home, a.Header.Get("Instance"))
	require.Equal(t, fmt.Sprintf(`rehomed; reason="instance lost"; from=%q`, home), a.Header.Get("Limpet-Session-Event"))
	w.idle()
}

func TestIsolatedRequestThatMovedIsCutToo(t *testing.T) {
	back, entered, cut := patient()
	w := start(t, func(c *proxy.FunctionConfig) { isolated(c); slowProbes(c) }, back, back).noKeepAlive()
	require.Equal(t, http.StatusOK, w.get("/", "s").StatusCode)
	s, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: "s"})
	require.NoError(t, err)
	w.kill(s.Home.ID)
	got := make(chan answer, 1)
	go func() { got <- w.get("/slow", "s") }()
	<-entered
	w.delete("s")
	(<-got).fails(t, "SessionExpired", http.StatusGone)
	<-cut
	w.idle()
}

// The instance goes with its session, and its connections may break before the cut: that is no failure of its own.
func TestInstanceThatGoesWithItsSessionIsNotToBlame(t *testing.T) {
	entered, gone := make(chan struct{}), make(chan struct{})
	w := start(t, isolated, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-gone
		panic(http.ErrAbortHandler)
	}))
	got := make(chan answer, 1)
	go func() { got <- w.get("/", "s") }()
	<-entered
	w.delete("s")
	close(gone)
	(<-got).fails(t, "SessionExpired", http.StatusGone)
	w.unharmed()
}
