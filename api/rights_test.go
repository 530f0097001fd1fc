package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
)

// operation is one of the session API: FUNCTION, QUEUE, FLEET stand for names of a function.
type operation struct {
	dialect              dialects.Dialect
	verb                 api.Verb
	method, target, body string
}

func operations() []operation {
	const fc, agent, farm = "/2023-03-30/functions/FUNCTION/", "/code-interpreters/FUNCTION/", "/2023-10-12/farms/reef/"
	return []operation{
		{dialects.FC, api.Read, "GET", fc + "instances", ""},
		{dialects.FC, api.Read, "GET", fc + "sessions", ""},
		{dialects.FC, api.Read, "GET", fc + "sessions/s", ""},
		{dialects.FC, api.Write, "POST", fc + "sessions", ""},
		{dialects.FC, api.Write, "PUT", fc + "sessions/s", ""},
		{dialects.FC, api.Write, "PUT", fc + "sessions/s/pause", ""},
		{dialects.FC, api.Write, "PUT", fc + "sessions/s/resume", ""},
		{dialects.FC, api.Write, "DELETE", fc + "sessions/s", ""},
		{dialects.FC, api.Invoke, "POST", fc + "invocations", ""},
		{dialects.AgentCore, api.Read, "GET", agent + "sessions/get?sessionId=s", ""},
		{dialects.AgentCore, api.Read, "POST", agent + "sessions/list", ""},
		{dialects.AgentCore, api.Write, "PUT", agent + "sessions/start", ""},
		{dialects.AgentCore, api.Write, "PUT", agent + "sessions/stop?sessionId=s", ""},
		{dialects.AgentCore, api.Invoke, "POST", agent + "tools/invoke", ""},
		{dialects.AgentCore, api.Invoke, "POST", "/runtimes/FUNCTION/invocations", ""},
		{dialects.AgentCore, api.Write, "POST", "/runtimes/FUNCTION/stopruntimesession", ""},
		{dialects.Deadline, api.Read, "GET", farm + "queues/QUEUE/jobs/LATEST/sessions", ""},
		{dialects.Deadline, api.Read, "GET", farm + "queues/QUEUE/jobs/LATEST/sessions/s", ""},
		{dialects.Deadline, api.Write, "PATCH", farm + "queues/QUEUE/jobs/LATEST/sessions/s", `{"targetLifecycleStatus":"ENDED"}`},
		{dialects.Deadline, api.Read, "GET", farm + "fleets/FLEET/workers/a/sessions", ""},
	}
}

// targets are the operation's paths for a function, by each name that it has.
func (o operation) targets(function string) []string {
	arn := "arn:aws:bedrock-agentcore:us-east-1:1:"
	all := map[string][]string{
		"FUNCTION": {function, arn + "runtime%2F" + function, arn + "x:" + function, "acs%3Afc:region:1:functions%2F" + function, "%" + hexOf(function[0]) + function[1:]},
		"QUEUE":    {function, derived(dialects.QueueID, function)},
		"FLEET":    {function, function + ":LATEST", derived(dialects.FleetID, function, "LATEST")},
	}
	for placeholder, names := range all {
		if strings.Contains(o.target, placeholder) {
			for i, name := range names {
				names[i] = strings.Replace(o.target, placeholder, name, 1)
			}
			return names
		}
	}
	return nil
}

func hexOf(c byte) string { return string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]) }

// TestRights has every key try every operation on every function, by whatever name.
func TestRights(t *testing.T) {
	w := newWorld(t)
	rights := map[string]struct {
		functions []string
		verbs     []api.Verb
	}{
		admin:    {[]string{counter, mcp, plain, "none"}, []api.Verb{api.Read, api.Write, api.Invoke}},
		onlyRead: {[]string{counter}, []api.Verb{api.Read}}, onlyDo: {[]string{counter}, []api.Verb{api.Write}},
		onlyCall: {[]string{counter}, []api.Verb{api.Invoke}}, stranger: {[]string{mcp}, []api.Verb{api.Read, api.Write, api.Invoke}},
		"": {}, "nobody": {},
	}
	for key, may := range rights {
		for _, o := range operations() {
			for _, function := range []string{counter, mcp, plain, "none"} {
				allowed := slices.Contains(may.functions, function) && slices.Contains(may.verbs, o.verb)
				for _, target := range o.targets(function) {
					w.invoked = nil
					a := w.call(t, key, o.method, target, o.body)
					require.Equal(t, allowed, a.status != 403 && a.status != 401, "%s %s by %q: %d %s", o.method, target, key, a.status, a.body)
					require.Equal(t, allowed && o.verb == api.Invoke, len(w.invoked) == 1, target)
				}
			}
		}
	}
}

// Who may not use a function is not told whether there is one: the answers are the same to the letter.
func TestRefusalsTellNothingOfFunctions(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"", "nobody", stranger, onlyRead, onlyDo, onlyCall} {
		for _, o := range operations() {
			for _, method := range []string{o.method, "OPTIONS"} {
				for _, query := range []string{"", "?qualifier=a;b", "?qualifier=prod"} {
					there, none := o.targets(tiny), o.targets("gone")
					for i := range there {
						a, b := w.call(t, key, method, there[i]+query, o.body), w.call(t, key, method, none[i]+query, o.body)
						require.Equal(t, a.status, b.status)
						require.Contains(t, []int{401, 403}, a.status)
						require.Equal(t, masked(a.body), masked(b.body))
						a.header.Del("X-Fc-Request-Id")
						b.header.Del("X-Fc-Request-Id")
						a.header.Del("X-Amzn-Requestid")
						b.header.Del("X-Amzn-Requestid")
						require.Equal(t, a.header, b.header)
					}
				}
			}
		}
	}
}

// What is no function of anybody is for those to know who may know all.
func TestPathsOfNoFunction(t *testing.T) {
	w := newWorld(t)
	for _, target := range []string{
		"/2023-03-30", "/2023-03-30/functions", "/2023-03-30/functions/counter", "/2023-03-30/services/counter/sessions", "/2023-03-30/functions/a%20b/sessions",
		"/runtimes", "/runtimes/counter", "/code-interpreters/-x/sessions/get", "/2023-10-12/batch-get-session", "/2023-10-12/farms/reef",
		"/2023-10-12/farms/other/queues/counter/jobs/LATEST/sessions", "/code-interpreters/arn:aws:x%2F/sessions/get",
	} {
		require.Equal(t, http.StatusNotFound, w.call(t, admin, "GET", target, "").status, target)
		for _, key := range []string{onlyRead, stranger, "nobody"} {
			require.Equal(t, http.StatusForbidden, w.call(t, key, "GET", target, "").status, target)
		}
	}
}
