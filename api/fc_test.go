package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

const fcSessions = "/2023-03-30/functions/counter/sessions"

// fcBody is a session of the function counter, in the vendor's members.
func fcBody(id, home, status string, ttl, idle int) string {
	return fmt.Sprintf(`{"sessionId":"%s","functionName":"counter","qualifier":"LATEST","sessionAffinityType":"HEADER_FIELD",`+
		`"sessionTTLInSeconds":%d,"sessionIdleTimeoutInSeconds":%d,"disableSessionIdReuse":false,"sessionStatus":"%s",`+
		`"containerId":"%s","createdTime":"SECONDS","lastModifiedTime":"SECONDS"}`, id, ttl, idle, status, home)
}

// TestFC drives every operation through a socket.
func TestFC(t *testing.T) {
	w := newWorld(t)
	server := w.listen(t)
	send := func(method, target, body string) answer {
		return over(t, server, draft(t, admin, method, target, body, "Content-Type: application/json; charset=utf-8"))
	}
	made := send("POST", fcSessions, `{"sessionId":"s1","sessionTTLInSeconds":90,"sessionIdleTimeoutInSeconds":30,"network":{"new":true}}`)
	home, _ := members(t, made)["containerId"].(string)
	require.Contains(t, []string{"a", "b"}, home)
	golden(t, dialects.FC, made, fcBody("s1", home, "Active", 90, 30))
	require.Empty(t, made.header.Values("Set-Cookie"))

	use, err := w.tables["counter:LATEST"].Use(t.Context(), "s1")
	require.NoError(t, err)
	require.Equal(t, home, use.Session().Home.ID, "a request lands on the home that was chosen")
	require.Equal(t, sessions.OriginAPI, use.Session().Origin)
	use.Release()

	golden(t, dialects.FC, send("GET", fcSessions+"/s1", ""), fcBody("s1", home, "Active", 90, 30))
	golden(t, dialects.FC, send("GET", "/2023-03-30/functions/c%6Funter/sessions/%731?qualifier=LATEST", ""), fcBody("s1", home, "Active", 90, 30))
	golden(t, dialects.FC, send("PUT", fcSessions+"/s1", `{"sessionTTLInSeconds":3600}`), fcBody("s1", home, "Active", 3600, 30))
	golden(t, dialects.FC, send("GET", fcSessions, ""), `{"sessions":[`+fcBody("s1", home, "Active", 3600, 30)+`]}`)

	generated := send("POST", fcSessions, "")
	other, _ := members(t, generated)["containerId"].(string)
	golden(t, dialects.FC, generated, fcBody("HEX", other, "Active", 21600, 1800))
	golden(t, dialects.FC, send("GET", fcSessions+"?limit=1", ""), `{"sessions":[`+fcBody("s1", home, "Active", 3600, 30)+`],"nextToken":"TOKEN"}`)

	golden(t, dialects.FC, send("DELETE", fcSessions+"/s1", ""), `{}`)
	requireRefusal(t, dialects.FC, send("GET", fcSessions+"/s1", ""), 404, "SessionNotFound")
	golden(t, dialects.FC, send("GET", fcSessions+"?sessionId=s1", ""), `{"sessions":[]}`)
	again := send("POST", fcSessions, `{"sessionId":"s1"}`)
	require.Equal(t, "s1", members(t, again)["sessionId"], "a deleted ID is free")

	golden(t, dialects.FC, send("GET", "/2023-03-30/functions/counter/instances?limit=1&qualifier=prod", ""),
		`{"instances":[{"instanceId":"a","qualifier":"prod","versionId":"prod","status":"Running","resourceType":"static","createdTimeMs":MS}],"requestId":"REQUEST"}`)
}

func TestFCSessionsOfCookies(t *testing.T) {
	w := newWorld(t)
	const target = "/2023-03-30/functions/jar/sessions"
	made := w.call(t, admin, "POST", target, `{}`)
	id, _ := members(t, made)["sessionId"].(string)
	require.Equal(t, []string{"limpet-session=signed-" + id + "; secure=false"}, made.header.Values("Set-Cookie"))
	require.Equal(t, "GENERATED_COOKIE", members(t, made)["sessionAffinityType"])
	for _, a := range []answer{
		w.call(t, admin, "GET", target+"/"+id, ""), w.call(t, admin, "PUT", target+"/"+id, "{}"), w.call(t, admin, "GET", target, ""),
	} {
		require.Equal(t, 200, a.status)
		require.Empty(t, a.header.Values("Set-Cookie"), "only who makes a session is given it")
	}
	requireRefusal(t, dialects.FC, w.call(t, admin, "POST", target, `{"sessionId":"mine"}`), 400, "InvalidArgument")
	requireRefusal(t, dialects.FC, w.call(t, admin, "POST", "/2023-03-30/functions/tools/sessions", `{}`), 400, "InvalidArgument")
	requireRefusal(t, dialects.FC, w.call(t, admin, "POST", "/2023-03-30/functions/plain/sessions", `{}`), 400, "InvalidArgument")
}

func TestFCLimitsOfSettings(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]string{
		`{}`: "21600/1800", `null`: "21600/1800", `{"sessionTTLInSeconds":null}`: "21600/1800",
		`{"sessionTTLInSeconds":1}`: "1/1", `{"sessionTTLInSeconds":60}`: "60/60", `{"sessionTTLInSeconds":21600}`: "21600/1800",
		`{"sessionIdleTimeoutInSeconds":0}`: "21600/0", `{"sessionIdleTimeoutInSeconds":21600}`: "21600/21600",
		`{"sessionTTLInSeconds":60,"sessionIdleTimeoutInSeconds":60}`: "60/60",
		`{"sessionTTLInSeconds":0}`:                                   "sessionTTLInSeconds", `{"sessionTTLInSeconds":-1}`: "sessionTTLInSeconds",
		`{"sessionTTLInSeconds":21601}`: "sessionTTLInSeconds", `{"sessionTTLInSeconds":9223372036854775807}`: "sessionTTLInSeconds",
		`{"sessionTTLInSeconds":99999999999999999999}`: "sessionTTLInSeconds", `{"sessionTTLInSeconds":1.5}`: "sessionTTLInSeconds",
		`{"sessionTTLInSeconds":"90"}`: "sessionTTLInSeconds", `{"sessionIdleTimeoutInSeconds":-1}`: "sessionIdleTimeoutInSeconds",
		`{"sessionIdleTimeoutInSeconds":21601}`:                       "sessionIdleTimeoutInSeconds",
		`{"sessionTTLInSeconds":60,"sessionIdleTimeoutInSeconds":61}`: "sessionIdleTimeoutInSeconds",
		`{"disableSessionIdReuse":1}`:                                 "disableSessionIdReuse", `{"sessionId":7}`: "sessionId",
		`{"sessionId":"-x"}`: "sessionId", `{"sessionId":"a.b"}`: "sessionId", `{"sessionId":"` + strings.Repeat("x", 65) + `"}`: "sessionId",
		`[]`: "JSON", `{} {}`: "JSON", `{`: "JSON", ` `: "JSON", `"x"`: "JSON", "{\"sessionTTLInSeconds\":01}": "JSON",
	} {
		a := w.call(t, admin, "POST", fcSessions, body)
		if ttl, idle, ok := strings.Cut(want, "/"); ok {
			m := members(t, a)
			require.Equal(t, ttl+"/"+idle, fmt.Sprintf("%v/%v", m["sessionTTLInSeconds"], m["sessionIdleTimeoutInSeconds"]), body)
			continue
		}
		refused := requireRefusal(t, dialects.FC, a, 400, "InvalidArgument")
		require.Contains(t, refused["Message"], want, body)
	}
	digits := strings.Repeat("9", 60_000)
	require.Less(t, len(w.call(t, admin, "POST", fcSessions, `{"sessionTTLInSeconds":`+digits+`}`).body), 500, "an echo")
}

// Both directions take effect at once, and what was not named stays, but for an idle timeout that would outlast the TTL.
func TestFCUpdateSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		made := members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"s","sessionTTLInSeconds":100}`))
		time.Sleep(90 * time.Second)
		longer := w.call(t, admin, "PUT", fcSessions+"/s", `{"sessionTTLInSeconds":1000,"sessionIdleTimeoutInSeconds":1000,"disableSessionIdReuse":true,"sessionId":"other"}`)
		m := members(t, longer)
		require.Equal(t, "s", m["sessionId"])
		require.Equal(t, made["createdTime"], m["createdTime"])
		require.NotEqual(t, made["lastModifiedTime"], m["lastModifiedTime"])
		require.Equal(t, made["containerId"], m["containerId"])
		require.Equal(t, true, m["disableSessionIdReuse"])

		time.Sleep(100 * time.Second)
		golden(t, dialects.FC, w.call(t, admin, "PUT", fcSessions+"/s", `{"sessionTTLInSeconds":200}`),
			strings.Replace(fcBody("s", made["containerId"].(string), "Active", 200, 200), "false", "true", 1))
		requireRefusal(t, dialects.FC, w.call(t, admin, "PUT", fcSessions+"/s", `{"sessionIdleTimeoutInSeconds":201}`), 400, "InvalidArgument")

		ended := members(t, w.call(t, admin, "PUT", fcSessions+"/s", `{"sessionTTLInSeconds":50}`))
		require.Equal(t, "Expired", ended["sessionStatus"], "its TTL is over")
		requireRefusal(t, dialects.FC, w.call(t, admin, "PUT", fcSessions+"/s", `{}`), 404, "SessionNotFound")
		requireRefusal(t, dialects.FC, w.call(t, admin, "GET", fcSessions+"/s", ""), 404, "SessionNotFound")
		requireRefusal(t, dialects.FC, w.call(t, admin, "POST", fcSessions, `{"sessionId":"s"}`), 410, "SessionExpired")
	})
}

// A response of the session API has no place for whatever else came with the request.
func TestFCMethods(t *testing.T) {
	w := newWorld(t)
	for target, allow := range map[string]string{
		fcSessions: "GET, POST", fcSessions + "/": "GET, POST", fcSessions + "/s": "GET, PUT, DELETE",
		"/2023-03-30/functions/counter/instances": "GET", fcSessions + "/s/pause": "PUT", "/2023-03-30/functions/counter/invocations": "POST",
	} {
		for _, method := range []string{"HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "LIMPET"} {
			if strings.Contains(allow+",", method+",") {
				continue
			}
			a := w.call(t, admin, method, target, "")
			requireRefusal(t, dialects.FC, a, http.StatusMethodNotAllowed, "MethodNotAllowed")
			require.Equal(t, allow, a.header.Get("Allow"))
		}
	}
	requireRefusal(t, dialects.FC, w.call(t, onlyRead, "PATCH", fcSessions, ""), http.StatusMethodNotAllowed, "MethodNotAllowed")
	requireRefusal(t, dialects.FC, w.call(t, admin, "PUT", fcSessions+"/s/resume", ""), 400, "NotSupported")
}
