package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// bothAffinities runs a test for functions whose own affinity is a header or a cookie: on AgentCore's paths neither counts.
func bothAffinities(t *testing.T, test func(t *testing.T, affinity func(*proxy.FunctionConfig))) {
	for _, kind := range []sessions.Affinity{sessions.AffinityHeader, sessions.AffinityCookie} {
		t.Run(string(kind), func(t *testing.T) {
			test(t, func(c *proxy.FunctionConfig) { invoked(c); c.Affinity.Type = kind })
		})
	}
}

func TestRuntimeSessionStaysAtItsHome(t *testing.T) {
	bothAffinities(t, func(t *testing.T, configure func(*proxy.FunctionConfig)) {
		w := start(t, configure, named("a"), named("b"), named("c"))
		for _, id := range []string{"s", "_", strings.Repeat("x", 256)} {
			first := w.post(runtimePath, "", runtimeHeader, id, "X-Session-Id", "other")
			require.Equal(t, http.StatusOK, first.StatusCode, first.body)
			require.Equal(t, "created", first.Header.Get("Limpet-Session-Event"), "an unknown ID makes a session")
			for range 5 {
				next := w.post(runtimePath, "", runtimeHeader, id)
				require.Equal(t, []string{id}, next.Header[http.CanonicalHeaderKey(runtimeHeader)])
				require.Equal(t, first.Header.Get("Instance"), next.Header.Get("Instance"))
				require.NotContains(t, next.Header, "Set-Cookie")
				require.NotContains(t, next.Header, "X-Session-Id")
				require.NotEmpty(t, next.Header.Get("X-Amzn-Requestid"))
			}
		}
		fresh := w.post(runtimePath, "")
		require.Regexp(t, "^[0-9a-f]{40}$", fresh.Header.Get(runtimeHeader))
		require.NotContains(t, fresh.Header, "Set-Cookie")
		again := w.post(runtimePath, "", runtimeHeader, fresh.Header.Get(runtimeHeader))
		require.Equal(t, fresh.Header.Get("Instance"), again.Header.Get("Instance"))
		require.Empty(t, again.Header.Get("Limpet-Session-Event"))
	})
}

func TestCodeInterpreterSessionMustBeThere(t *testing.T) {
	bothAffinities(t, func(t *testing.T, configure func(*proxy.FunctionConfig)) {
		w := start(t, configure, named("a"), named("b"), named("c"))
		w.post(interpreterPath, "", interpreterHeader, "s").saysAWS(t, "SessionNotFound", "ResourceNotFoundException", http.StatusNotFound)
		_, _, err := w.table.Create(t.Context(), sessions.CreateRequest{ID: "s", Settings: settings()})
		require.NoError(t, err)
		first := w.post(interpreterPath, "", interpreterHeader, "s")
		require.Equal(t, http.StatusOK, first.StatusCode, first.body)
		require.Equal(t, "s", first.Header.Get(interpreterHeader))
		require.Equal(t, first.Header.Get("Instance"), w.post(interpreterPath, "", interpreterHeader, "s").Header.Get("Instance"))
		w.endAll()
		w.post(interpreterPath, "", interpreterHeader, "s").saysAWS(t, "SessionNotFound", "ResourceNotFoundException", http.StatusNotFound)

		fresh := w.post(interpreterPath, "")
		require.Equal(t, "created", fresh.Header.Get("Limpet-Session-Event"), "without an ID a session is made")
		require.NotContains(t, fresh.Header, "Set-Cookie")
		again := w.post(interpreterPath, "", interpreterHeader, fresh.Header.Get(interpreterHeader))
		require.Equal(t, fresh.Header.Get("Instance"), again.Header.Get("Instance"))
	})
}

func settings() sessions.Settings {
	c := sessions.DefaultConfig()
	return sessions.Settings{TTL: c.TTL, IdleTimeout: c.IdleTimeout, DisableIDReuse: c.DisableIDReuse}
}

func TestIllFormedAgentCoreIDs(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) { invoked(c); c.Affinity.Type = sessions.AffinityCookie }, named("a"))
	for path, header := range map[string]string{runtimePath: runtimeHeader, interpreterPath: interpreterHeader} {
		for _, id := range []string{"", "-a", "a b", "a.b", "a,b", "ä", strings.Repeat("x", 257)} {
			w.post(path, "", header, id).saysAWS(t, "InvalidArgument", "ValidationException", http.StatusBadRequest)
		}
		w.post(path, "", header, "s", header, "s").saysAWS(t, "InvalidArgument", "ValidationException", http.StatusBadRequest)
	}
	require.Zero(t, w.sessionCounts()["a"])
}

// The instance is told the ID, in the operation's header, in the function's own, and in Limpet's; what else the client
// says of sessions in the two headers of AgentCore does not pass.
func TestAgentCoreInstanceSeesTheSession(t *testing.T) {
	back, got := recorder()
	w := start(t, invoked, back)
	for path, header := range map[string]string{runtimePath: runtimeHeader, interpreterPath: interpreterHeader} {
		own, other := http.CanonicalHeaderKey(header), http.CanonicalHeaderKey(interpreterHeader)
		if own == other {
			other = http.CanonicalHeaderKey(runtimeHeader)
		}
		a := w.post(runtimePath, "", runtimeHeader, "s")
		require.Equal(t, http.StatusOK, a.StatusCode)
		<-got
		a = w.post(path, "", header, "s", other, "forged", strings.ReplaceAll(own, "-Session", "_Session"), "forged", "X-Session-Id", "forged",
			"Mcp-Session-Id", "m", "Mcp-Protocol-Version", "v", "X-Amzn-Bedrock-AgentCore-Runtime-User-Id", "u", "X-Amzn-Trace-Id", "t",
			"X-Fc-Function-Name", "mine", "Traceparent", "00-1-2-01", "Accept", "text/event-stream", "Connection", header)
		require.Equal(t, http.StatusOK, a.StatusCode, a.body)
		h := (<-got).header
		require.Equal(t, []string{"s"}, h[own])
		require.Equal(t, []string{"s"}, h["X-Session-Id"])
		require.Equal(t, []string{"s"}, h["Limpet-Session-Id"])
		require.NotContains(t, h, other)
		for name := range h {
			require.NotContains(t, name, "_", "no look-alike")
		}
		for name, value := range map[string]string{
			"Mcp-Session-Id": "m", "Mcp-Protocol-Version": "v", "X-Amzn-Bedrock-Agentcore-Runtime-User-Id": "u", "X-Amzn-Trace-Id": "t",
			"X-Fc-Function-Name": "mine", "Traceparent": "00-1-2-01", "Accept": "text/event-stream",
		} {
			require.Equal(t, []string{value}, h[name], name)
		}
	}
}

// Where the function's sessions are a cookie's, its cookies stay the function's own.
func TestAgentCoreLeavesCookiesAlone(t *testing.T) {
	back := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"limpet-session=instance", "app=1"}
		w.Header()[http.CanonicalHeaderKey(runtimeHeader)] = []string{"instance"}
		w.Header().Set("Mcp-Session-Id", "m")
		fmt.Fprint(w, r.Header["Cookie"])
	})
	w := start(t, func(c *proxy.FunctionConfig) { c.Invoke, c.Affinity.Type = true, sessions.AffinityCookie }, back)
	browser := w.do(w.request(http.MethodGet, "/", nil)).Header["Set-Cookie"]
	require.Len(t, browser, 2)
	sealed, _, _ := strings.Cut(browser[1], ";")
	a := w.post(runtimePath, "", "Cookie", "mine=1; "+sealed)
	require.Equal(t, "[mine=1]", a.body, "the sealed cookie is the client's secret here, too")
	require.Equal(t, []string{"app=1"}, a.Header["Set-Cookie"])
	require.Equal(t, "created", a.Header.Get("Limpet-Session-Event"), "and it counts for nothing")
	require.Regexp(t, "^[0-9a-f]{40}$", a.Header.Get(runtimeHeader))
	require.Equal(t, "m", a.Header.Get("Mcp-Session-Id"))
}

func TestAgentCoreFailures(t *testing.T) {
	bothAffinities(t, func(t *testing.T, configure func(*proxy.FunctionConfig)) {
		w := start(t, func(c *proxy.FunctionConfig) {
			configure(c)
			c.Sessions.PerInstance, c.Sessions.DisableIDReuse = 1, true
		}, named("a"))
		require.Equal(t, http.StatusOK, w.post(runtimePath, "", runtimeHeader, "s").StatusCode)
		w.post(runtimePath, "").saysAWS(t, "NoCapacity", "ServiceQuotaExceededException", http.StatusPaymentRequired)
		w.endAll()
		w.post(runtimePath, "", runtimeHeader, "s").saysAWS(t, "SessionExpired", "ResourceNotFoundException", http.StatusNotFound)
		require.Empty(t, w.sessionCounts()["a"], "the client chose the ID: no other session is made")
	})
}

func TestAgentCoreStatusesOfTheInstancePass(t *testing.T) {
	w := start(t, invoked, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "short and stout")
	}))
	a := w.post(runtimePath, "", runtimeHeader, "s")
	require.Equal(t, http.StatusTeapot, a.StatusCode)
	require.Equal(t, "short and stout", a.body)
	require.Equal(t, "s", a.Header.Get(runtimeHeader))
	require.Empty(t, a.Header["Limpet-Error"])
	require.Empty(t, a.Header["X-Amzn-Errortype"])
}

// After the instance was reached nobody knows what it executed: AWS's clients must not be told to try again.
func TestAgentCoreInstanceThatFails(t *testing.T) {
	w := start(t, invoked, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	a := w.post(runtimePath, "", runtimeHeader, "s")
	a.saysAWS(t, "BadGateway", "RuntimeClientError", http.StatusFailedDependency)
	require.Equal(t, "s", a.Header.Get(runtimeHeader), "the session is there")
}

// Neither a 1xx nor a trailer tells the client another ID, in AgentCore's way or the function's.
func TestAgentCoreIDsOfTheInstanceElsewhere(t *testing.T) {
	own := http.CanonicalHeaderKey(runtimeHeader)
	w := start(t, invoked, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{own, "X-Session-Id"} {
			w.Header().Set(name, "forged")
		}
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, r.Trailer)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		for _, name := range []string{own, "X-Session-Id", "Sum"} {
			w.Header().Set(http.TrailerPrefix+name, "forged")
		}
	}))
	var early textproto.MIMEHeader
	trace := &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { early = h; return nil }}
	r := w.request(http.MethodPost, runtimePath, strings.NewReader(""), runtimeHeader, "s")
	a := w.do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	require.Equal(t, []string{"s"}, a.Header[own])
	require.NotContains(t, a.Header, "X-Session-Id")
	require.Equal(t, textproto.MIMEHeader{}, early)
	require.Equal(t, http.Header{"Sum": {"forged"}}, a.Trailer)
}

// What is Limpet's to say does not come by a request's trailer either.
func TestInvocationTrailersOfTheClient(t *testing.T) {
	got := make(chan http.Header, 1)
	w := start(t, invoked, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got <- r.Trailer
	}))
	for path, name := range map[string]string{
		runtimePath: http.CanonicalHeaderKey(interpreterHeader), interpreterPath: http.CanonicalHeaderKey(runtimeHeader), fcPath: "X-Fc-Qualifier",
	} {
		r := w.request(http.MethodPost, path, io.NopCloser(strings.NewReader("x")))
		r.Trailer = http.Header{name: {"forged"}, "Sum": {"1"}, "X-Session-Id": {"forged"}, "Limpet-Session-Id": {"forged"}}
		require.Equal(t, http.StatusOK, w.do(r).StatusCode)
		require.Equal(t, http.Header{"Sum": {"1"}}, <-got, path)
	}
}
