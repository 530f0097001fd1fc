package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestMCPSessionStaysWhereItWasIssued(t *testing.T) {
	a, b, c := newTools("a"), newTools("b"), newTools("c")
	w := startMCP(t, nil, a, b, c)
	for range 6 {
		id, first := w.initialize()
		home := first.Header.Get("Instance")
		require.Contains(t, id, home)
		require.Equal(t, "created", first.Header.Get("Limpet-Session-Event"))
		require.Equal(t, "private", first.Header.Get("Cache-Control"))
		require.JSONEq(t, `{"jsonrpc":"2.0","id":1,"result":{}}`, first.body)
		for n := range 5 {
			next := w.mcp(http.MethodPost, id)
			require.Equal(t, fmt.Sprintf("%s %d", home, n+1), next.body)
			require.Equal(t, first.Header["Limpet-Session-Epoch"], next.Header["Limpet-Session-Epoch"])
			require.Empty(t, next.Header["Limpet-Session-Event"])
		}
	}
	require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 2}, w.sessionCounts(), "least loaded first")
	for _, r := range a.requests() {
		id := r.Header.Get("Mcp-Session-Id")
		require.Equal(t, id, r.Header.Get("Limpet-Session-Id"), "an initialize has none yet")
		require.Equal(t, id != "", r.Header.Get("Limpet-Session-Epoch") != "")
		require.Empty(t, r.Header["Limpet-Session-Event"], "an initialize says it all")
	}
}

func TestMCPRequestsThatNameNoSession(t *testing.T) {
	a, b := newTools("a"), newTools("b")
	w := startMCP(t, nil, a, b)
	id, _ := w.initialize()
	before := len(a.requests()) + len(b.requests())
	for _, bad := range []answer{
		w.mcp(http.MethodGet, ""), w.mcp(http.MethodDelete, ""),
		w.mcp(http.MethodPost, "", "Mcp-Session-Id", ""), w.mcp(http.MethodPost, "a b"), w.mcp(http.MethodPost, "ä"),
		w.mcp(http.MethodPost, strings.Repeat("x", 1025)), w.mcp(http.MethodPost, id, "Mcp-Session-Id", id),
	} {
		bad.failsMCP(t, "InvalidArgument", http.StatusBadRequest)
	}
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		w.mcp(method, "unknown").failsMCP(t, "SessionNotFound", http.StatusNotFound)
		w.mcp(method, id+"x").failsMCP(t, "SessionNotFound", http.StatusNotFound)
	}
	require.Len(t, append(a.requests(), b.requests()...), before, "none of them reached an instance")
	for _, method := range []string{http.MethodOptions, http.MethodHead} {
		require.Equal(t, http.StatusNoContent, w.mcp(method, "").StatusCode, "no session's, so any instance's")
	}
	look := w.do(w.request(http.MethodGet, "/.well-known/oauth-protected-resource", nil))
	require.Equal(t, http.StatusNoContent, look.StatusCode)
	require.NotContains(t, look.Header, "Limpet-Session-Epoch")
	w.slots(1)
}

// TestMCPInitializeWithoutASession: whatever an instance does but to issue a session gives the slot back, before the
// client has the answer, and the answer is the instance's own.
func TestMCPInitializeWithoutASession(t *testing.T) {
	a := newTools("a")
	w := startMCP(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 1 }, a)
	for name, tc := range map[string]struct {
		status int
		ids    []string
	}{
		"a server without sessions": {http.StatusOK, nil}, "a notification": {http.StatusAccepted, nil},
		"an error": {http.StatusBadRequest, nil}, "an error with an ID": {http.StatusInternalServerError, []string{"x"}},
		"no such path": {http.StatusNotFound, []string{"x"}}, "moved": {http.StatusTemporaryRedirect, []string{"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			a.initialize = func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.Header()["Mcp-Session-Id"] = tc.ids
				w.WriteHeader(tc.status)
				fmt.Fprint(w, "as it is")
			}
			res := w.mcp(http.MethodPost, "")
			require.Equal(t, tc.status, res.StatusCode)
			require.Equal(t, "as it is", res.body)
			require.NotContains(t, res.Header, "Mcp-Session-Id", "one that is bound to nothing")
			require.NotContains(t, res.Header, "Limpet-Session-Event")
			require.NotContains(t, res.Header, "Limpet-Error")
			w.slots(0)
		})
	}
}

// TestMCPInitializeOfAStreamThatIssuesNothing gives the slot back while the response still comes.
func TestMCPInitializeOfAStreamThatIssuesNothing(t *testing.T) {
	a, over := newTools("a"), make(chan struct{})
	defer close(over)
	a.initialize = func(w http.ResponseWriter, r *http.Request, _ string) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-over
	}
	w := startMCP(t, nil, a)
	res, err := w.client().Do(w.request(http.MethodPost, "/mcp", strings.NewReader("{}")))
	require.NoError(t, err)
	defer res.Body.Close()
	w.slots(0)
}

func TestMCPInstanceThatIssuesNonsense(t *testing.T) {
	a := newTools("a")
	w := startMCP(t, nil, a)
	for name, ids := range map[string][]string{
		"empty": {""}, "a blank": {"a b"}, "two": {"a", "b"}, "two, equal": {"a", "a"}, "not ASCII": {"ä"},
		"too long": {strings.Repeat("x", 1025)},
	} {
		t.Run(name, func(t *testing.T) {
			a.initialize = func(w http.ResponseWriter, _ *http.Request, _ string) { w.Header()["Mcp-Session-Id"] = ids }
			w.mcp(http.MethodPost, "").failsMCP(t, "BadGateway", http.StatusBadGateway)
			w.slots(0)
		})
	}
}

func TestMCPDelete(t *testing.T) {
	a := newTools("a")
	w := startMCP(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 2 }, a)
	id, _ := w.initialize()
	kept, _ := w.initialize()
	w.mcp(http.MethodPost, "").failsMCP(t, "NoCapacity", http.StatusServiceUnavailable)
	gone := w.mcp(http.MethodDelete, id)
	require.Equal(t, http.StatusNoContent, gone.StatusCode)
	require.NotContains(t, gone.Header, "Limpet-Error")
	_, err := w.store.Get(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: id})
	require.ErrorIs(t, err, sessions.ErrNotFound)
	history, err := w.store.History(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: id})
	require.NoError(t, err)
	require.Empty(t, history, "as if the session API had deleted it")
	before := len(a.requests())
	w.mcp(http.MethodPost, id).failsMCP(t, "SessionNotFound", http.StatusNotFound)
	w.mcp(http.MethodDelete, id).failsMCP(t, "SessionNotFound", http.StatusNotFound)
	require.Len(t, a.requests(), before, "Limpet knows that it is over")
	require.Equal(t, "a 1", w.mcp(http.MethodPost, kept).body)
	w.initialize()
	w.slots(2)
}

// TestMCPWhatEndsASession: an instance's 404 does, which passes; no other answer does.
func TestMCPWhatEndsASession(t *testing.T) {
	a, status := newTools("a"), 0
	w := startMCP(t, nil, a)
	id, _ := w.initialize()
	a.other = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, "its own words")
	}
	for _, status = range []int{200, 202, 400, 401, 403, 405, 409, 410, 429, 500, 502, 503} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			if method == http.MethodDelete && status < 300 {
				continue
			}
			res := w.mcp(method, id)
			require.Equal(t, status, res.StatusCode)
			require.Equal(t, "its own words", res.body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		a.other = nil
		id, _ := w.initialize()
		a.forget(id)
		over := w.mcp(method, id)
		require.Equal(t, http.StatusNotFound, over.StatusCode)
		require.Equal(t, "session not found\n", over.body, "the instance's own words")
		require.NotContains(t, over.Header, "Limpet-Error")
		w.mcp(http.MethodPost, id).failsMCP(t, "SessionNotFound", http.StatusNotFound)
		history, err := w.store.History(t.Context(), sessions.Key{Function: "f", Qualifier: "LATEST", ID: id})
		require.NoError(t, err)
		require.Len(t, history, 1, "the client did not ask for it: the listing tells that it has ended")
	}
	require.Equal(t, "a 35", w.mcp(http.MethodPost, id).body, "the first one lives")
	w.slots(1)
}

// TestMCPRevisionWithoutSessions: requests of 2026-07-28 go anywhere, take no slot and end nothing.
func TestMCPRevisionWithoutSessions(t *testing.T) {
	a, b, c := newTools("a"), newTools("b"), newTools("c")
	w := startMCP(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 1 }, a, b, c)
	id, _ := w.initialize()
	w.initialize()
	w.initialize() // all slots are taken
	const version = "Mcp-Protocol-Version"
	reached := map[string]bool{}
	for i := 0; len(reached) < 3; i++ {
		require.Less(t, i, 200, reached)
		res := w.mcp(http.MethodPost, "", version, "2026-07-28")
		require.Equal(t, http.StatusOK, res.StatusCode, res.body)
		require.NotContains(t, res.Header, "Mcp-Session-Id", "what this revision does not have")
		require.NotContains(t, res.Header, "Limpet-Session-Epoch")
		reached[res.Header.Get("Instance")] = true
	}
	for _, s := range []*tools{a, b, c} {
		s.other, s.initialize = http.NotFound, func(w http.ResponseWriter, r *http.Request, _ string) { http.NotFound(w, r) }
	}
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		for range 5 {
			res := w.mcp(method, id, version, "2026-07-28")
			require.Equal(t, http.StatusNotFound, res.StatusCode)
			require.NotContains(t, res.Header, "Limpet-Error", "an unknown method is the instance's to say")
		}
	}
	for _, s := range []*tools{a, b, c} {
		s.other = nil
		for _, r := range s.requests() {
			require.True(t, r.Header.Get(version) == "" || r.Header.Get("Mcp-Session-Id") == "", "nobody gets into a session past its home")
		}
	}
	require.Equal(t, http.StatusOK, w.mcp(http.MethodPost, id).StatusCode, "a 404 of another revision's says nothing of it")
	require.Equal(t, http.StatusOK, w.mcp(http.MethodPost, id, version, "2025-11-25").StatusCode)
	w.slots(3)
}

// TestMCPCapacityCountsFromTheInitializeOn: a slot is taken while the instance still thinks.
func TestMCPCapacityCountsFromTheInitializeOn(t *testing.T) {
	a, here, think := newTools("a"), make(chan struct{}), make(chan struct{})
	a.initialize = func(w http.ResponseWriter, _ *http.Request, id string) {
		here <- struct{}{}
		<-think
		w.Header().Set("Mcp-Session-Id", id)
	}
	w := startMCP(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance = 1 }, a)
	first := make(chan answer)
	go func() { first <- w.mcp(http.MethodPost, "") }()
	<-here
	w.mcp(http.MethodPost, "").failsMCP(t, "NoCapacity", http.StatusServiceUnavailable)
	close(think)
	id := (<-first).Header.Get("Mcp-Session-Id")
	w.mcp(http.MethodPost, "").failsMCP(t, "NoCapacity", http.StatusServiceUnavailable)
	require.Equal(t, http.StatusNoContent, w.mcp(http.MethodDelete, id).StatusCode)
	go func() { first <- w.mcp(http.MethodPost, "") }()
	<-here
	require.Equal(t, http.StatusOK, (<-first).StatusCode)
	w.slots(1)
}

// TestMCPWaitsForASlot: when_full.wait is for an initialize too.
func TestMCPWaitsForASlot(t *testing.T) {
	w := startMCP(t, func(c *proxy.FunctionConfig) { c.Sessions.PerInstance, c.WhenFull.Wait = 1, time.Minute }, newTools("a"))
	id, _ := w.initialize()
	next := make(chan answer)
	go func() { next <- w.mcp(http.MethodPost, "") }()
	require.Eventually(t, func() bool { return w.handler.InFlight() == 1 }, patience, time.Millisecond)
	require.Equal(t, http.StatusNoContent, w.mcp(http.MethodDelete, id).StatusCode)
	require.Equal(t, http.StatusOK, (<-next).StatusCode)
}

func TestMCPInitializeThatBreaksOff(t *testing.T) {
	a := newTools("a")
	a.initialize = func(http.ResponseWriter, *http.Request, string) { panic(http.ErrAbortHandler) }
	w := startMCP(t, nil, a)
	w.mcp(http.MethodPost, "").failsMCP(t, "BadGateway", http.StatusBadGateway)
	w.slots(0)
}

func TestMCPClientThatLeavesDuringInitialize(t *testing.T) {
	a, here := newTools("a"), make(chan struct{})
	a.initialize = func(_ http.ResponseWriter, r *http.Request, _ string) {
		close(here)
		<-r.Context().Done()
	}
	w := startMCP(t, nil, a)
	c, _ := w.dial()
	fmt.Fprintf(c, "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	<-here
	w.slots(1)
	require.NoError(t, c.Close())
	w.slots(0)
	w.idle()
}
