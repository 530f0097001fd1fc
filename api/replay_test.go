package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// botocore is a request as AWS's SDK for Python signs it: nothing in the signature but the request and its second.
func botocore(t testing.TB, method, target, body string) *http.Request {
	t.Helper()
	c := of(admin)
	c.payload = "-"
	return c.sigV4(draft(t, "", method, target, body, "Content-Type: application/json"), body)
}

// TestARetryOfWhatWasRefusedIsNoReplay: botocore's retry within the second has the signature of what it retries.
func TestARetryOfWhatWasRefusedIsNoReplay(t *testing.T) {
	w := newWorld(t)
	const body = `{"name":"n"}`
	taken := members(t, w.call(t, admin, "POST", "/2023-03-30/functions/tiny/sessions", ""))["sessionId"].(string)
	r := botocore(t, "PUT", "/code-interpreters/tiny/sessions/start", body)
	for range 3 {
		requireRefusal(t, dialects.AgentCore, w.serve(repeat(t, r, body)), 402, "ServiceQuotaExceededException")
	}
	require.Equal(t, 200, w.call(t, admin, "DELETE", "/2023-03-30/functions/tiny/sessions/"+taken, "").status)
	require.Equal(t, 200, w.serve(repeat(t, r, body)).status)
	requireRefusal(t, dialects.AgentCore, w.serve(repeat(t, r, body)), 403, "AccessDeniedException")
}

// TestWhatIsSignedOnceIsUsedAlsoWhenItWasRefused: a DeleteSession that found nothing must not wait on the way for the ID's
// next session.
func TestWhatIsSignedOnceIsUsedAlsoWhenItWasRefused(t *testing.T) {
	for name, sign := range map[string]func(r *http.Request) *http.Request{
		"nonce":             func(r *http.Request) *http.Request { return of(admin).acs3(r, "") },
		"an ID of the call": func(r *http.Request) *http.Request { return of(admin).sigV4(r, "") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := sign(draft(t, "", "DELETE", fcSessions+"/x", "", "Amz-Sdk-Invocation-Id: 1"))
			require.Equal(t, 404, w.serve(repeat(t, r, "")).status)
			require.Equal(t, 200, w.call(t, admin, "POST", fcSessions, `{"sessionId":"x"}`).status)
			require.Equal(t, 403, w.serve(repeat(t, r, "")).status)
			require.Equal(t, 200, w.call(t, admin, "GET", fcSessions+"/x", "").status)
		})
	}
}

// TestAnEqualStartGetsTheSameSession: it has a token, so that nothing can come of it but the session that there is.
func TestAnEqualStartGetsTheSameSession(t *testing.T) {
	w := newWorld(t)
	const body = `{"clientToken":"abcdefghijklmnopqrstuvwxyz0123456789"}`
	r := botocore(t, "PUT", agentSessions+"start", body)
	first := w.serve(repeat(t, r, body))
	require.Equal(t, 200, first.status)
	require.JSONEq(t, first.body, w.serve(repeat(t, r, body)).body)
	require.Equal(t, 1, w.count(t))
}

// TestAnEqualEndEndsNothingElse: the call that ended a session may come again, but not to end the ID's next session.
func TestAnEqualEndEndsNothingElse(t *testing.T) {
	const ended = `{"targetLifecycleStatus":"ENDED"}`
	for name, c := range map[string]struct{ method, target, body string }{
		"code interpreter": {"PUT", agentSessions + "stop?sessionId=x", `{"clientToken":"abcdefghijklmnopqrstuvwxyz0123456789"}`},
		"deadline":         {"PATCH", deadlineSessions + "/x", ended},
		"runtime":          {"POST", "/runtimes/counter/stopruntimesession", `{"clientToken":"abcdefghijklmnopqrstuvwxyz0123456789"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			create := func() {
				require.Equal(t, 200, w.call(t, admin, "POST", fcSessions, `{"sessionId":"x"}`).status)
			}
			create()
			signer := of(admin)
			signer.payload = "-"
			request := draft(t, "", c.method, c.target, c.body, "Content-Type: application/json")
			if name == "runtime" {
				request.Header.Set(dialects.RuntimeSessionHeader, "x")
			}
			r := signer.sigV4(request, c.body)
			for range 2 {
				require.Equal(t, 200, w.serve(repeat(t, r, c.body)).status)
			}
			create()
			require.Equal(t, 403, w.serve(repeat(t, r, c.body)).status)
			require.Equal(t, 200, w.call(t, admin, "GET", fcSessions+"/x", "").status)
		})
	}
}

// TestEqualInvocations: equal ones in one second are nothing unusual where the SDK signs no ID of the call.
func TestEqualInvocations(t *testing.T) {
	w := newWorld(t)
	const target = "/runtimes/counter/invocations"
	r := botocore(t, "POST", target, "tick")
	for range 3 {
		require.Equal(t, "tick", w.serve(repeat(t, r, "tick")).body)
	}
	c := of(admin)
	r = c.sigV4(draft(t, "", "POST", target, "tick", "Amz-Sdk-Invocation-Id: 1"), "tick")
	require.Equal(t, "tick", w.serve(repeat(t, r, "tick")).body)
	requireRefusal(t, dialects.AgentCore, w.serve(repeat(t, r, "tick")), 403, "AccessDeniedException")
	invoked := len(w.invoked)

	// A small body is looked at before anything begins.
	r = c.sigV4(draft(t, "", "POST", target, "hello"), "hello")
	requireRefusal(t, dialects.AgentCore, w.serve(repeat(t, r, "hellp")), 403, "AccessDeniedException")
	r = c.acs3(draft(t, "", "POST", "/2023-03-30/functions/counter/invocations", "hello"), "hello")
	requireRefusal(t, dialects.FC, w.serve(repeat(t, r, "hellp")), 403, "SignatureNotMatch")
	require.Len(t, w.invoked, invoked)
}

// TestWhatNoSDKRepeatsIsAReplay: it signs an ID of the call, or its second is long over.
func TestWhatNoSDKRepeatsIsAReplay(t *testing.T) {
	const start = `{"clientToken":"abcdefghijklmnopqrstuvwxyz0123456789"}`
	old := of(admin)
	old.payload, old.at = "-", time.Now().Add(-10*time.Second)
	for name, c := range map[string]struct {
		signer  credential
		headers []string
	}{
		"an ID of the call": {of(admin), []string{"Amz-Sdk-Invocation-Id: 1"}},
		"long ago":          {old, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, request := range [][3]string{{"PUT", agentSessions + "start", start}, {"POST", "/runtimes/counter/invocations", "tick"}} {
				r := c.signer.sigV4(draft(t, "", request[0], request[1], request[2], c.headers...), request[2])
				require.Equal(t, 200, w.serve(repeat(t, r, request[2])).status)
				requireRefusal(t, dialects.AgentCore, w.serve(repeat(t, r, request[2])), 403, "AccessDeniedException")
			}
			require.Len(t, w.invoked, 1)
		})
	}
}

// TestOperationsThatAreNotOffered: an AWS SDK is told so in its words, wherever its operation would be.
func TestOperationsThatAreNotOffered(t *testing.T) {
	w := newWorld(t)
	for _, target := range []string{"/browsers/b/sessions/start", "/memories/m/actor/a/sessions", "/code-interpreters//sessions/start"} {
		a := w.serve(botocore(t, "PUT", target, "{}"))
		requireRefusal(t, dialects.AgentCore, a, 404, "UnknownOperationException")
	}
}

// TestALifeMadeShortCanBeMadeLongAgain: the idle timeout that a short TTL covers is not lost.
func TestALifeMadeShortCanBeMadeLongAgain(t *testing.T) {
	w := newWorld(t)
	idle := func(a answer) any { return members(t, a)["sessionIdleTimeoutInSeconds"] }
	held := w.function(t, counter, "idle", sessions.AffinityHeader, 1).Table.Rules().IdleTimeout
	require.EqualValues(t, 3, idle(w.call(t, admin, "POST", fcSessions, `{"sessionId":"x","sessionTTLInSeconds":3}`)))
	require.EqualValues(t, 3, idle(w.call(t, admin, "GET", fcSessions+"/x", "")))
	require.EqualValues(t, held.Seconds(), idle(w.call(t, admin, "PUT", fcSessions+"/x", `{"sessionTTLInSeconds":6000}`)))
	s, err := w.store.Get(t.Context(), sessions.Key{Function: counter, Qualifier: sessions.LatestQualifier, ID: "x"})
	require.NoError(t, err)
	require.Equal(t, held, s.IdleTimeout)
}
