package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
)

// spoken are one read and one write of each.
var spoken = map[dialects.Dialect]struct{ read, write [3]string }{
	dialects.FC: {
		read: [3]string{"GET", fcSessions, ""}, write: [3]string{"POST", fcSessions, "{}"},
	},
	dialects.AgentCore: {
		read: [3]string{"POST", agentSessions + "list", ""}, write: [3]string{"PUT", agentSessions + "start", "{}"},
	},
	dialects.Deadline: {
		read: [3]string{"GET", deadlineSessions, ""}, write: [3]string{"PATCH", deadlineSessions + "/s", `{"targetLifecycleStatus":"ENDED"}`},
	},
}

// TestRefusalsInEachDialect is the table of the architecture's section 5.
func TestRefusalsInEachDialect(t *testing.T) {
	w := newWorld(t)
	members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"s"}`))
	members(t, w.call(t, admin, "POST", "/2023-03-30/functions/tiny/sessions", ""))
	type row struct {
		method, target, body string
		status               int
		code                 string
	}
	for d, rows := range map[dialects.Dialect]map[string]row{
		dialects.FC: {
			"InvalidArgument":      {"POST", fcSessions, `{"sessionId":"?"}`, 400, "InvalidArgument"},
			"FunctionNotFound":     {"POST", "/2023-03-30/functions/none/sessions", "", 404, "FunctionNotFound"},
			"qualifier":            {"POST", fcSessions + "?qualifier=none", "", 404, "FunctionNotFound"},
			"SessionNotFound":      {"GET", fcSessions + "/none", "", 404, "SessionNotFound"},
			"SessionAlreadyExists": {"POST", fcSessions, `{"sessionId":"s"}`, 409, "SessionAlreadyExists"},
			"NoCapacity":           {"POST", "/2023-03-30/functions/tiny/sessions", "", 503, "NoCapacity"},
			"InstanceUnavailable":  {"POST", "/2023-03-30/functions/empty/sessions", "", 503, "InstanceUnavailable"},
			"EntityTooLarge":       {"POST", fcSessions, strings.Repeat(" ", api.MaxBody+1), 400, "EntityTooLarge"},
			"NotFound":             {"GET", "/2023-03-30/functions/counter/aliases", "", 404, "NotFound"},
		},
		dialects.AgentCore: {
			"InvalidArgument":     {"PUT", agentSessions + "start", `{"name":""}`, 400, "ValidationException"},
			"FunctionNotFound":    {"PUT", "/code-interpreters/none/sessions/start", "", 404, "ResourceNotFoundException"},
			"SessionNotFound":     {"GET", agentSessions + "get?sessionId=none", "", 404, "ResourceNotFoundException"},
			"NoCapacity":          {"PUT", "/code-interpreters/tiny/sessions/start", "", 402, "ServiceQuotaExceededException"},
			"InstanceUnavailable": {"PUT", "/code-interpreters/empty/sessions/start", "", 500, "InternalServerException"},
			"EntityTooLarge":      {"PUT", agentSessions + "start", strings.Repeat(" ", api.MaxBody+1), 400, "ValidationException"},
			"NotFound":            {"GET", "/code-interpreters/counter/sessions/other", "", 404, "UnknownOperationException"},
		},
		dialects.Deadline: {
			"InvalidArgument":  {"PATCH", deadlineSessions + "/s", `{}`, 400, "ValidationException"},
			"FunctionNotFound": {"GET", strings.Replace(deadlineSessions, counter, "none", 1), "", 404, "ResourceNotFoundException"},
			"SessionNotFound":  {"GET", deadlineSessions + "/none", "", 404, "ResourceNotFoundException"},
			"EntityTooLarge":   {"PATCH", deadlineSessions + "/s", strings.Repeat(" ", api.MaxBody+1), 400, "ValidationException"},
			"NotFound":         {"GET", "/2023-10-12/farms", "", 404, "UnknownOperationException"},
		},
	} {
		for name, r := range rows {
			t.Run(d.String()+"/"+name, func(t *testing.T) {
				requireRefusal(t, d, w.call(t, admin, r.method, r.target, r.body), r.status, r.code)
			})
		}
	}
}

func TestRefusalsOfKeys(t *testing.T) {
	w := newWorld(t)
	for d, s := range spoken {
		t.Run(d.String(), func(t *testing.T) {
			for _, op := range [][3]string{s.read, s.write} {
				missing, wrong := w.call(t, "", op[0], op[1], op[2]), w.call(t, "nobody", op[0], op[1], op[2])
				denied := w.call(t, stranger, op[0], op[1], op[2])
				if d == dialects.FC {
					requireRefusal(t, d, missing, 401, "InvalidAccessKeyID")
					require.Equal(t, "Bearer", missing.header.Get("WWW-Authenticate"))
					requireRefusal(t, d, wrong, 403, "AccessDenied")
					requireRefusal(t, d, denied, 403, "AccessDenied")
					continue
				}
				for _, a := range []answer{missing, wrong, denied} {
					requireRefusal(t, d, a, 403, "AccessDeniedException")
					require.Empty(t, a.header.Values("WWW-Authenticate"), "it asks with 401 only")
				}
			}
		})
	}
	require.Empty(t, members(t, w.call(t, admin, "GET", fcSessions, ""))["sessions"], "nothing changed")
}

func TestRefusalsOfAStoreThatIsDown(t *testing.T) {
	w := newWorld(t)
	w.store.down.Store(true)
	for d, s := range spoken {
		for _, op := range [][3]string{s.read, s.write} {
			a := w.call(t, admin, op[0], op[1], op[2])
			status, code := map[dialects.Dialect]int{dialects.FC: 503}[d], "StoreUnavailable"
			if d != dialects.FC {
				status = 500
				code = map[dialects.Dialect]string{dialects.AgentCore: "InternalServerException", dialects.Deadline: "InternalServerErrorException"}[d]
			}
			requireRefusal(t, d, a, status, code)
			require.Equal(t, "1", a.header.Get("Retry-After"))
		}
	}
	for _, target := range []string{
		"/2023-03-30/functions/counter/instances", "/2023-10-12/farms/reef/fleets/counter/workers/a/sessions", fcSessions + "/s",
		agentSessions + "get?sessionId=s", deadlineSessions + "/s",
	} {
		require.GreaterOrEqual(t, w.call(t, admin, "GET", target, "").status, 500)
	}
}

// Before the session table has answered there is no session API, which is not to say that there are no sessions.
func TestNoSessionAPIYet(t *testing.T) {
	handler := api.Admin{Auth: access(t)}.Handler()
	for d, s := range spoken {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, draft(t, admin, s.write[0], s.write[1], s.write[2]))
		a := answer{rec.Code, rec.Result().Header, rec.Body.String()}
		requireWellFormed(t, d, a)
		require.Equal(t, "StoreUnavailable", a.header.Get("Limpet-Error"))
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
}

// The listener without keys serves this machine, and no page of another site.
func TestWithoutKeys(t *testing.T) {
	w := newWorld(t, func(a *api.SessionAPI) { a.Auth = nil })
	members(t, w.call(t, "", "POST", fcSessions, ""))
	members(t, w.call(t, "", "POST", fcSessions, "", "Authorization: AWS4-HMAC-SHA256 whatever an SDK signs"))
	for d, s := range spoken {
		code := map[bool]string{true: "AccessDenied", false: "AccessDeniedException"}[d == dialects.FC]
		for _, header := range []string{"Sec-Fetch-Site: cross-site", "Origin: http://evil.example"} {
			requireRefusal(t, d, w.call(t, "", s.write[0], s.write[1], s.write[2], header), 403, code)
		}
		for _, op := range [][3]string{s.read, s.write} {
			r := draft(t, "", op[0], op[1], op[2])
			r.Host = "evil.example"
			requireRefusal(t, d, w.serve(r), 403, code)
		}
	}
	require.Len(t, members(t, w.call(t, "", "GET", fcSessions, ""))["sessions"], 2)
}

// No two readings of a path: what another on the way could have read otherwise is nothing.
func TestAmbiguousPaths(t *testing.T) {
	w := newWorld(t)
	members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"s"}`))
	for _, target := range []string{
		"/2023-03-30//functions/counter/sessions", "//2023-03-30/functions/counter/sessions", "/2023-03-30/./functions/counter/sessions",
		"/x/../2023-03-30/functions/counter/sessions", "/2023-03-30/functions/counter/sessions/../sessions", "/2023-03-30%2Ffunctions/counter/sessions",
		"/2023-03-30/functions/counter/sessions/%2e%2e/sessions", "/2023-03-30/functions/counter/sessions//", "/2023-03-30/Functions/counter/sessions",
		"/2023-03-30/functions%2Fcounter%2Fsessions", "/2023-03-30/functions/counter/sessions;x=1", "/2023-03-30/functions/counter%00/sessions",
		"/2023-03-30/functions/tools%2F..%2Fcounter/sessions", "/2023-03-30/functions/tools/../counter/sessions", "/2023-03-30/functions/%2Fcounter/sessions",
	} {
		for _, key := range []string{admin, onlyRead} {
			a := w.call(t, key, "GET", target, "")
			require.Contains(t, []int{403, 404}, a.status, target)
			require.NotContains(t, a.body, `"sessions"`, target)
		}
	}
	// A slash at the end is nothing; an escaped one belongs to the ID.
	require.Len(t, members(t, w.call(t, admin, "GET", fcSessions+"/", ""))["sessions"], 1)
	require.Equal(t, "s", members(t, w.call(t, admin, "GET", fcSessions+"/s/", ""))["sessionId"])
	requireRefusal(t, dialects.FC, w.call(t, admin, "DELETE", fcSessions+"/x%2F..%2Fs", ""), http.StatusNotFound, "SessionNotFound")
	requireRefusal(t, dialects.FC, w.call(t, admin, "GET", fcSessions+"/"+strings.Repeat("x", 1025), ""), 400, "InvalidArgument")
}
