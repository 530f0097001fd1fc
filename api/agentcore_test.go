package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
)

const (
	agentSessions = "/code-interpreters/counter/sessions/"
	agentRuntime  = "/runtimes/counter/stopruntimesession"
	runtimeHeader = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id: "
)

// started makes a session and returns its ID.
func (w *world) started(t testing.TB, key, body string) string {
	t.Helper()
	id, _ := members(t, w.call(t, key, "PUT", agentSessions+"start", body))["sessionId"].(string)
	require.Regexp(t, `^[0-9a-f]{32}$`, id)
	return id
}

func TestAgentCore(t *testing.T) {
	w := newWorld(t)
	server := w.listen(t)
	send := func(method, target, body string, headers ...string) answer {
		return over(t, server, draft(t, admin, method, target, body, headers...))
	}
	golden(t, dialects.AgentCore, send("PUT", agentSessions+"start", `{"name":"n","sessionTimeoutSeconds":60,"certificates":[]}`),
		`{"codeInterpreterIdentifier":"counter","sessionId":"HEX","createdAt":"MILLIS"}`)
	listed := send("POST", agentSessions+"list", "")
	golden(t, dialects.AgentCore, listed, `{"items":[{"codeInterpreterIdentifier":"counter","sessionId":"HEX","name":"n",`+
		`"status":"READY","createdAt":"MILLIS","lastUpdatedAt":"MILLIS"}]}`)
	id := members(t, listed)["items"].([]any)[0].(map[string]any)["sessionId"].(string)

	// What a client calls the function is what the answer calls it.
	arn := "arn:aws:bedrock-agentcore:us-east-1:123456789012:code-interpreter/counter"
	golden(t, dialects.AgentCore, send("GET", "/code-interpreters/"+url.PathEscape(arn)+"/sessions/get?sessionId="+id, ""),
		`{"codeInterpreterIdentifier":"`+arn+`","sessionId":"HEX","name":"n","status":"READY","sessionTimeoutSeconds":60,"createdAt":"MILLIS"}`)
	stopped := `{"codeInterpreterIdentifier":"counter","sessionId":"HEX","lastUpdatedAt":"MILLIS"}`
	first := send("PUT", agentSessions+"stop?sessionId="+id, `{"clientToken":"t"}`)
	golden(t, dialects.AgentCore, first, stopped)
	require.Equal(t, first.body, send("PUT", agentSessions+"stop?sessionId="+id, "").body, "to stop it again is no error")
	golden(t, dialects.AgentCore, send("GET", agentSessions+"get?sessionId="+id, ""),
		`{"codeInterpreterIdentifier":"counter","sessionId":"HEX","name":"n","status":"TERMINATED","sessionTimeoutSeconds":60,"createdAt":"MILLIS"}`)
	requireRefusal(t, dialects.FC, send("POST", fcSessions, `{"sessionId":"`+id+`"}`), 410, "SessionExpired")

	use, err := w.tables["counter:LATEST"].Use(t.Context(), "runtime-session")
	require.NoError(t, err)
	use.Release()
	gone := send("POST", agentRuntime+"?qualifier=DEFAULT", `{}`, runtimeHeader+"runtime-session")
	golden(t, dialects.AgentCore, gone, `{}`)
	require.Equal(t, "runtime-session", gone.header.Get("X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"))
}

func TestAgentCoreListFiltersAndPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 12 {
			id := w.started(t, admin, fmt.Sprintf(`{"name":"n%d"}`, i))
			time.Sleep(time.Second)
			if i < 5 {
				members(t, w.call(t, admin, "PUT", agentSessions+"stop?sessionId="+id, ""))
			}
		}
		for status, want := range map[string]int{"": 12, "READY": 7, "TERMINATED": 5} {
			for _, size := range []string{"", `,"maxResults":1`, `,"maxResults":100`} {
				seen, token := map[any]bool{}, ""
				for {
					m := members(t, w.call(t, admin, "POST", agentSessions+"list", fmt.Sprintf(`{"status":"%s","nextToken":"%s"%s}`, status, token, size)))
					items := m["items"].([]any)
					if size == "" {
						require.LessOrEqual(t, len(items), 10, "the default")
					}
					for _, item := range items {
						s := item.(map[string]any)
						require.False(t, seen[s["sessionId"]], "twice")
						require.True(t, status == "" || s["status"] == status)
						seen[s["sessionId"]] = true
					}
					if m["nextToken"] == nil {
						break
					}
					token = m["nextToken"].(string)
				}
				require.Len(t, seen, want, status)
			}
		}
	})
}

func TestAgentCoreRefusals(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("é", 101)
	for body, field := range map[string]string{
		`{"sessionTimeoutSeconds":0}`: "sessionTimeoutSeconds", `{"sessionTimeoutSeconds":28801}`: "sessionTimeoutSeconds",
		`{"sessionTimeoutSeconds":"60"}`: "sessionTimeoutSeconds", `{"name":""}`: "name", `{"name":"` + long + `"}`: "name",
		`{"clientToken":"-x"}`: "clientToken", `{"clientToken":"x-"}`: "clientToken", `{"clientToken":"a b"}`: "clientToken",
		`{"clientToken":"` + strings.Repeat("x", 257) + `"}`: "clientToken", `{"clientToken":7}`: "clientToken",
	} {
		refused := requireRefusal(t, dialects.AgentCore, w.call(t, admin, "PUT", agentSessions+"start", body), 400, "ValidationException")
		require.Equal(t, "FieldValidationFailed", refused["reason"], body)
		require.Equal(t, field, refused["fieldList"].([]any)[0].(map[string]any)["name"], body)
	}
	members(t, w.call(t, admin, "PUT", agentSessions+"start", `{"name":"`+long[2:]+`","sessionTimeoutSeconds":28800}`))
	for _, body := range []string{
		`{"maxResults":0}`, `{"maxResults":101}`, `{"maxResults":-1}`, `{"maxResults":"1"}`, `{"status":"ACTIVE"}`, `{"status":"ready"}`,
		`{"nextToken":"x"}`, `{"nextToken":1}`,
	} {
		refused := requireRefusal(t, dialects.AgentCore, w.call(t, admin, "POST", agentSessions+"list", body), 400, "ValidationException")
		require.Equal(t, "FieldValidationFailed", refused["reason"], body)
	}
	for _, target := range []string{"start", "list", "stop?sessionId=x"} {
		method := map[bool]string{true: "POST", false: "PUT"}[target == "list"]
		refused := requireRefusal(t, dialects.AgentCore, w.call(t, admin, method, agentSessions+target, `{]`), 400, "ValidationException")
		require.Equal(t, "CannotParse", refused["reason"], target)
	}
	for _, query := range []string{"", "?sessionId=", "?sessionId=a&sessionId=b", "?sessionId=" + strings.Repeat("x", 1025), "?sessionId=a;b"} {
		requireRefusal(t, dialects.AgentCore, w.call(t, admin, "GET", agentSessions+"get"+query, ""), 400, "ValidationException")
		requireRefusal(t, dialects.AgentCore, w.call(t, admin, "PUT", agentSessions+"stop"+query, ""), 400, "ValidationException")
	}
	for _, headers := range [][]string{nil, {runtimeHeader}, {runtimeHeader + "a", runtimeHeader + "b"}, {runtimeHeader + strings.Repeat("x", 1025)}} {
		requireRefusal(t, dialects.AgentCore, w.call(t, admin, "POST", agentRuntime, "", headers...), 400, "ValidationException")
	}
	requireRefusal(t, dialects.AgentCore, w.call(t, admin, "PUT", "/code-interpreters/tools/sessions/start", ""), 400, "ValidationException")
}

// A clientToken is good for the same caller and arguments, for ever the same session.
func TestAgentCoreStartIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const body = `{"name":"n","clientToken":"0123456789-token"}`
		id := w.started(t, admin, body)
		other := w.again(t, func(a *api.SessionAPI) { a.Functions = w.Functions })
		require.Equal(t, id, other.started(t, admin, body), "another replica")
		require.Equal(t, id, w.started(t, admin, strings.Replace(body, `"n"`, `"n","sessionTimeoutSeconds":900`, 1)), "the default, written out")
		require.NotEqual(t, id, w.started(t, twin, body), "another caller's token")
		require.NotEqual(t, id, w.started(t, admin, `{"name":"n","clientToken":"another"}`))
		for _, changed := range []string{
			`{"clientToken":"0123456789-token"}`, `{"name":"m","clientToken":"0123456789-token"}`,
			`{"name":"n","clientToken":"0123456789-token","sessionTimeoutSeconds":901}`,
		} {
			refused := requireRefusal(t, dialects.AgentCore, w.call(t, admin, "PUT", agentSessions+"start", changed), 400, "ValidationException")
			require.Equal(t, "IdempotentParameterMismatchException", refused["reason"])
		}
		elsewhere := w.call(t, admin, "PUT", "/code-interpreters/jar/sessions/start", body)
		require.NotEqual(t, id, members(t, elsewhere)["sessionId"], "another function's token")
		members(t, w.call(t, admin, "PUT", agentSessions+"stop?sessionId="+id, ""))
		require.Equal(t, id, w.started(t, admin, body), "the very call again, after the end")
		require.Equal(t, "TERMINATED", members(t, w.call(t, admin, "GET", agentSessions+"get?sessionId="+id, ""))["status"], "and none is started again")
		require.Len(t, w.pages(t, admin, fcSessions+"?sessionId="+id, "sessions", "sessionId")[0], 1)

		// With another secret, nobody guesses the ID.
		require.NotEqual(t, id, w.again(t, func(a *api.SessionAPI) { a.Secret = shared("t") }).started(t, admin, body))
	})
}

// A session's life is a hard TTL, whatever its activity.
func TestAgentCoreLifeIsHard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := w.started(t, admin, "")
		status := func() any {
			return members(t, w.call(t, admin, "GET", agentSessions+"get?sessionId="+id, ""))["status"]
		}
		time.Sleep(899 * time.Second)
		require.Equal(t, "READY", status(), "no idle limit")
		use, err := w.tables["counter:LATEST"].Use(t.Context(), id)
		require.NoError(t, err)
		defer use.Release()
		time.Sleep(2 * time.Second)
		require.Equal(t, "TERMINATED", status())
		_, err = w.tables["counter:LATEST"].Use(t.Context(), id)
		require.Error(t, err, "none is started again")
	})
}

func TestStopRuntimeSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := func(key, query, token string) answer {
			return w.call(t, key, "POST", agentRuntime+query, `{"clientToken":"`+token+`"}`, runtimeHeader+"s")
		}
		missing := func(a answer) {
			t.Helper()
			refused := requireRefusal(t, dialects.AgentCore, a, 404, "ResourceNotFoundException")
			require.Equal(t, "session", refused["resourceType"])
			require.Equal(t, "s", refused["resourceId"])
		}
		create := func() {
			members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"s"}`))
			time.Sleep(time.Millisecond)
		}
		for range 3 { // twice within the millisecond that a question leaves its mark, too
			missing(stop(admin, "", "one"))
		}
		create()
		golden(t, dialects.AgentCore, stop(admin, "", "one"), "{}")
		for _, query := range []string{"", "?qualifier=DEFAULT", "?qualifier=LATEST"} {
			golden(t, dialects.AgentCore, stop(admin, query, "one"), "{}")
		}
		missing(stop(admin, "", ""))
		for range 3 {
			missing(stop(admin, "", "two"))
			time.Sleep(2 * time.Millisecond)
		}
		missing(stop(twin, "", "one"))
		time.Sleep(23 * time.Hour)
		golden(t, dialects.AgentCore, stop(admin, "", "one"), "{}")
		time.Sleep(2 * time.Hour)
		missing(stop(admin, "", "one"))
		create()
		golden(t, dialects.AgentCore, stop(admin, "", ""), "{}")
		missing(stop(admin, "", ""))
		create()
		members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"other"}`))
		other := func(token string) answer {
			return w.call(t, admin, "POST", agentRuntime, `{"clientToken":"`+token+`"}`, runtimeHeader+"other")
		}
		golden(t, dialects.AgentCore, stop(admin, "", "three"), "{}")
		golden(t, dialects.AgentCore, other(""), "{}")
		requireRefusal(t, dialects.AgentCore, other("three"), 404, "ResourceNotFoundException")
		requireRefusal(t, dialects.AgentCore, stop(admin, "?qualifier=none", ""), 404, "ResourceNotFoundException")
		requireRefusal(t, dialects.AgentCore, stop(admin, "?qualifier=a;b", ""), 400, "ValidationException")
	})
}

// What has taken place is no failure, only because it could not be noted down.
func TestStopRuntimeSessionThatIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"s"}`))
	w.store.forgets.Store(true)
	stop := func() answer {
		return w.call(t, admin, "POST", agentRuntime, `{"clientToken":"t"}`, runtimeHeader+"s")
	}
	golden(t, dialects.AgentCore, stop(), "{}")
	requireRefusal(t, dialects.AgentCore, stop(), 404, "ResourceNotFoundException")
}
