package api_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
)

// requireAnswered demands a success, or a refusal in the dialect's words, to whatever bytes came.
func requireAnswered(t *testing.T, d dialects.Dialect, a answer) {
	t.Helper()
	if a.status != http.StatusOK {
		require.Less(t, a.status, 500, a.body)
		requireWellFormed(t, d, a)
		return
	}
	requireHeaders(t, d, a)
	require.True(t, json.Valid([]byte(a.body)), a.body)
}

// crowded is a world for many calls that make sessions.
func crowded(f *testing.F, change ...func(*api.SessionAPI)) *world {
	w := newWorld(f, change...)
	for _, id := range []string{"s0", "s1", "s2"} {
		members(f, w.call(f, admin, "POST", fcSessions, `{"sessionId":"`+id+`"}`))
	}
	return w
}

func FuzzToken(f *testing.F) {
	// Of this process only: the workers of a fuzzer are given seeds that another process made.
	w := crowded(f, func(a *api.SessionAPI) { a.Secret = []byte(rand.Text() + rand.Text()) })
	good := map[string]bool{"": true}
	for _, l := range listings() {
		token := l.token(f, w, admin)
		good[token] = true
		for _, seed := range []string{token, "", "x", token[:20], strings.Repeat("A", 44), token + "=", "%00", token + "\n"} {
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, l := range listings() {
			a := w.call(t, admin, "GET", l.target+"&nextToken="+url.QueryEscape(token), "")
			if l.dialect == dialects.AgentCore {
				body, err := json.Marshal(map[string]string{"nextToken": token})
				require.NoError(t, err)
				a = w.call(t, admin, "POST", l.target, string(body))
			}
			requireAnswered(t, l.dialect, a)
			require.True(t, a.status != 200 || good[token] || good[strings.ToValidUTF8(token, "\ufffd")], "%q opens %s", token, l.target)
		}
	})
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"sessionTTLInSeconds":1e400}`, `{"sessionTTLInSeconds":-0,"sessionTTLInSeconds":5}`, `{"sessionIdleTimeoutInSeconds":0}`,
		`{"sessionId":"a","SESSIONID":"b"}`, `{"name":"\ud800","sessionTimeoutSeconds":60}`, `{"clientToken":"t"}`, `{"maxResults":3,"status":"READY"}`,
		`{"targetLifecycleStatus":"ENDED"}`, `{"nextToken":"AAAA"}`, `{"a":{"b":[{}]}} `, strings.Repeat("[", 20_000), "\xff{}", `{"name":"` + strings.Repeat("é", 100) + `"}`,
	} {
		f.Add([]byte(seed))
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, o := range operations() {
			if o.verb == api.Invoke {
				continue
			}
			for _, key := range []string{admin, onlyRead} {
				requireAnswered(t, o.dialect, w.call(t, key, o.method, o.targets(counter)[0], string(body)))
			}
		}
		if len(body) > 0 && !json.Valid(body) && utf8.Valid(body) {
			requireRefusal(t, dialects.FC, w.call(t, admin, "POST", fcSessions, string(body)), 400, map[bool]string{true: "InvalidArgument", false: "EntityTooLarge"}[len(body) <= api.MaxBody])
		}
	})
}

// through sends a path of the wire; nil is for what net/http refuses itself.
func (w *world) through(t testing.TB, key, method, path, body string) (a answer, served bool) {
	t.Helper()
	u, err := url.ParseRequestURI(path)
	if err != nil || !strings.HasPrefix(path, "/") {
		return answer{}, false
	}
	r := draft(t, key, method, "/", body)
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
	return w.serve(r), true
}

func FuzzDeadlinePath(f *testing.F) {
	w := crowded(f)
	for _, seed := range []string{
		"reef/queues/counter/jobs/LATEST/sessions/s0", "reef/fleets/counter/workers/a/sessions?maxResults=1", "farm-/queues/queue-/jobs/job-/sessions",
		derived(dialects.FarmID) + "/queues/" + derived(dialects.QueueID, counter) + "/jobs/" + derived(dialects.JobID, counter, "LATEST") + "/sessions/session-" + strings.Repeat("0", 32),
		"reef/queues//jobs/LATEST/sessions", "reef/queues/%2e%2e/jobs/a%2Fb/sessions/%00", "reef/fleets/counter:LATEST/workers/" + derived(dialects.WorkerID, counter, "LATEST", "a") + "/sessions/",
		"%zz", "reef/queues/counter/jobs/LATEST/sessions?nextToken=%ff&maxResults=;", strings.Repeat("a/", 5000),
	} {
		f.Add(uint8(0), seed)
		f.Add(uint8(1), seed)
	}
	f.Fuzz(func(t *testing.T, n uint8, rest string) {
		method := []string{"GET", "PATCH", "PUT", "HEAD"}[n%4]
		for _, key := range []string{admin, stranger} {
			a, served := w.through(t, key, method, "/2023-10-12/farms/"+rest, `{"targetLifecycleStatus":"NEVER"}`)
			if !served || a.header.Get("X-Request-Id") != "" {
				continue // refused as no path of a dialect
			}
			requireAnswered(t, dialects.Deadline, a)
			require.False(t, key == stranger && a.status == 200 && !strings.Contains(rest, mcp) && !strings.Contains(rest, "%") &&
				!strings.Contains(rest, derived(dialects.QueueID, mcp)) && !strings.Contains(rest, derived(dialects.FleetID, mcp, "LATEST")), rest)
		}
	})
}

func FuzzARN(f *testing.F) {
	w := crowded(f)
	for _, seed := range []string{
		"arn:aws:bedrock-agentcore:us-east-1:1:runtime%2Fcounter", "arn:%2Fcounter", "arn:aws:x:tools/..%2Fcounter", "counter", "acs%3Acounter", "arn:counter%2F",
		"arn::%3A%2F%2F", "arn:aws:%00", "counter%00", "%2e%2e", "arn:%2e%2e%2fcounter", "ARN:aws:counter", "arn:tools:counter%2Ftools", strings.Repeat("arn:", 3000),
	} {
		for n := range 6 {
			f.Add(uint8(n), seed)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, arn string) {
		o := [][3]string{
			{"GET", "/code-interpreters/", "/sessions/get?sessionId=s0"}, {"POST", "/code-interpreters/", "/sessions/list"},
			{"PUT", "/code-interpreters/", "/sessions/stop?sessionId=none"}, {"POST", "/runtimes/", "/stopruntimesession"},
			{"POST", "/runtimes/", "/invocations"}, {"POST", "/code-interpreters/", "/tools/invoke"},
		}[n%6]
		for _, key := range []string{admin, stranger} {
			w.invoked = nil
			a, served := w.through(t, key, o[0], o[1]+arn+o[2], "")
			if !served || a.header.Get("X-Request-Id") != "" {
				continue
			}
			if len(w.invoked) == 0 {
				requireAnswered(t, dialects.AgentCore, a)
			}
			// Whatever it looks like, a key for one function opens no other: only what ends in its name.
			plain, err := url.PathUnescape(arn)
			if key == stranger && (len(w.invoked) > 0 || a.status == 200) {
				require.NoError(t, err)
				require.True(t, strings.HasSuffix(strings.SplitN(plain+"/", "/sessions/", 2)[0], mcp) || strings.Contains(plain, mcp), plain)
			}
		}
	})
}

func FuzzListInstancesQuery(f *testing.F) {
	w := crowded(f)
	for _, seed := range []string{
		`instanceIds=["a"]&instanceStatus=["Running"]`, "limit=1&startKey=a", "startTimeMs=0&endTimeMs=9223372036854775807", "withAllActive=TRUE",
		"instanceIds=%5B%22a%22%5D&limit=1000", "qualifier=prod&limit=;", "limit=%zz", "startTimeMs=-9223372036854775808", "limit=1&limit=2", "instanceIds=" + strings.Repeat("[", 9999), "&&==&",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsAny(query, "#") {
			return // which ends the query
		}
		r := draft(t, admin, "GET", "/2023-03-30/functions/counter/instances", "")
		r.URL.RawQuery = query
		a := w.serve(r)
		requireAnswered(t, dialects.FC, a)
		if _, err := url.ParseQuery(query); err != nil {
			require.Equal(t, 400, a.status, query)
		}
	})
}
