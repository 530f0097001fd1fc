package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
)

// exchange is an operation that a scheme signs. Every one of the writes makes a session.
type exchange struct {
	scheme  string
	dialect dialects.Dialect
	read    [3]string
	write   [3]string
}

func exchanges() map[string]exchange {
	arn := "/code-interpreters/" + url.PathEscape("arn:aws:bedrock-agentcore:us-east-1:1:code-interpreter/counter") + "/sessions/"
	return map[string]exchange{
		"acs3":  {"acs3", dialects.FC, [3]string{"GET", fcSessions + "?limit=5&sessionStatus=Active", ""}, [3]string{"POST", fcSessions + "?qualifier=LATEST", `{"sessionTTLInSeconds":60}`}},
		"sigv4": {"sigv4", dialects.AgentCore, [3]string{"POST", arn + "list", `{"maxResults":5}`}, [3]string{"PUT", arn + "start", `{"name":"n"}`}},
	}
}

func (e exchange) draft(t testing.TB, op [3]string, headers ...string) *http.Request {
	t.Helper()
	return draft(t, "", op[0], op[1], op[2], append(headers, "Content-Type: application/json")...)
}

func (e exchange) requireForbidden(t testing.TB, a answer, code string) {
	t.Helper()
	if e.dialect != dialects.FC {
		code = "AccessDeniedException"
	}
	requireRefusal(t, e.dialect, a, 403, code)
}

func (w *world) count(t testing.TB) int {
	t.Helper()
	return len(members(t, w.call(t, admin, "GET", fcSessions+"?limit=1000", ""))["sessions"].([]any))
}

func TestSigned(t *testing.T) {
	for name, e := range exchanges() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			server := w.listen(t)
			send := func(r *http.Request, body string, c credential) answer {
				return over(t, server, c.sign(e.scheme, r, body))
			}

			members(t, send(e.draft(t, e.write), e.write[2], of(admin)))
			members(t, send(e.draft(t, e.read), e.read[2], of(admin)))
			require.Equal(t, "admin", w.audit.lines(t)[0]["key"])
			if e.scheme == "sigv4" {
				for _, payload := range []string{"-", "UNSIGNED-PAYLOAD"} {
					c := of(admin)
					c.payload = payload
					members(t, send(e.draft(t, e.read, "X-Amz-Security-Token: a session's/token=="), e.read[2], c))
				}
			}
			before := w.count(t)
			wrong, unknown, early, late := of(admin), of("nobody"), of(admin), of(admin)
			wrong.secret = "guessed"
			early.at, late.at = time.Now().Add(-16*time.Minute), time.Now().Add(16*time.Minute)
			e.requireForbidden(t, send(e.draft(t, e.write), e.write[2], wrong), "SignatureNotMatch")
			e.requireForbidden(t, send(e.draft(t, e.write), e.write[2], unknown), "InvalidAccessKeyID")
			e.requireForbidden(t, send(e.draft(t, e.write), e.write[2], early), "SignatureNotMatch")
			e.requireForbidden(t, send(e.draft(t, e.write), e.write[2], late), "SignatureNotMatch")
			e.requireForbidden(t, send(e.draft(t, e.write), e.write[2], of(onlyRead)), "AccessDenied")
			e.requireForbidden(t, send(e.draft(t, e.write), e.write[2], of(stranger)), "AccessDenied")
			require.Equal(t, before, w.count(t), "nothing changed")
		})
	}
}

func TestSignedRequestsThatWereChanged(t *testing.T) {
	for name, e := range exchanges() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change := map[string]func(r *http.Request) *http.Request{
				"body":  func(r *http.Request) *http.Request { return repeat(t, r, strings.Replace(e.write[2], "}", " }", 1)) },
				"none":  func(r *http.Request) *http.Request { return repeat(t, r, "") },
				"host":  func(r *http.Request) *http.Request { r.Host = "other"; return r },
				"verb":  func(r *http.Request) *http.Request { r.Method = "DELETE"; return r },
				"query": func(r *http.Request) *http.Request { r.URL.RawQuery += "&x=y"; return r },
				"date": func(r *http.Request) *http.Request {
					for _, h := range []string{"X-Acs-Date", "X-Amz-Date"} {
						if r.Header.Get(h) != "" {
							r.Header.Set(h, strings.Replace(r.Header.Get(h), "Z", "", 1))
						}
					}
					return r
				},
				"key":   func(r *http.Request) *http.Request { return swap(r, "Credential=admin", "Credential=twin") },
				"mac":   func(r *http.Request) *http.Request { return swap(r, "Signature=", "Signature=0") },
				"names": func(r *http.Request) *http.Request { return swap(r, "content-type;", "") },
				"repeated": func(r *http.Request) *http.Request {
					r.Header.Add("Authorization", r.Header.Get("Authorization"))
					return r
				},
				"added": func(r *http.Request) *http.Request {
					r.Header.Set("X-Acs-Other", "x")
					r.Header.Set("X-Amz-Other", "x")
					return r
				},
				"payload": func(r *http.Request) *http.Request {
					r.Header.Set("X-Acs-Content-Sha256", "UNSIGNED-PAYLOAD")
					r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
					return r
				},
			}
			for what, change := range change {
				r := of(admin).sign(e.scheme, e.draft(t, e.write), e.write[2])
				a := w.serve(change(r))
				require.Equal(t, 403, a.status, "%s: %s", what, a.body)
				requireWellFormed(t, e.dialect, a)
			}
			require.Zero(t, w.count(t), "nothing changed")
			for _, c := range []credential{of(admin), {id: admin, secret: secretOf(admin), payload: "-"}} {
				large := strings.Repeat(" ", api.MaxBody+1)
				code := map[bool]string{true: "EntityTooLarge", false: "ValidationException"}[e.dialect == dialects.FC]
				r := c.sign(e.scheme, draft(t, "", e.write[0], e.write[1], large), large)
				requireRefusal(t, e.dialect, w.serve(r), 400, code)
			}
		})
	}
}

func swap(r *http.Request, old, fresh string) *http.Request {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, fresh, 1))
	return r
}

// A signed request goes to the session that was signed.
func TestSignedSessionHeaders(t *testing.T) {
	w := newWorld(t)
	const runtime = "X-Amzn-Bedrock-Agentcore-Runtime-Session-Id"
	for _, id := range []string{"mine", "other"} {
		members(t, w.call(t, admin, "POST", fcSessions, `{"sessionId":"`+id+`"}`))
	}
	sign := func(target, header string, c credential) *http.Request {
		return c.sigV4(draft(t, "", "POST", target, "", header+": mine"), "")
	}
	forbidden := func(r *http.Request) {
		t.Helper()
		requireRefusal(t, dialects.AgentCore, w.serve(r), 403, "AccessDeniedException")
	}
	changed := sign(agentRuntime, runtime, of(admin))
	changed.Header.Set(runtime, "other")
	forbidden(changed)
	for target, header := range map[string]string{
		agentRuntime: runtime, "/runtimes/counter/invocations": runtime, "/code-interpreters/counter/tools/invoke": "X-Amzn-Code-Interpreter-Session-Id",
	} {
		c := of(admin)
		c.unsigned = header
		forbidden(sign(target, header, c))
		added := of(admin).sigV4(draft(t, "", "POST", target, ""), "")
		added.Header.Set(header, "other")
		forbidden(added)
	}
	require.Equal(t, 2, w.count(t))
	require.Empty(t, w.invoked)
	golden(t, dialects.AgentCore, w.serve(sign(agentRuntime, runtime, of(admin))), "{}")
	require.Equal(t, 200, w.serve(sign("/runtimes/counter/invocations", runtime, of(admin))).status)
	require.True(t, slices.Equal([]string{"POST /runtimes/counter/invocations"}, w.invoked))
}

// The body of an invocation streams, unless only all of it can show that it is the signed one.
func TestSignedInvocations(t *testing.T) {
	w := newWorld(t)
	const target = "/runtimes/counter/invocations"
	large := strings.Repeat("0123456789", api.MaxBody/5)
	for _, payload := range []string{"", "-", "UNSIGNED-PAYLOAD"} {
		c := of(onlyCall)
		c.payload = payload
		r := c.sigV4(draft(t, "", "POST", target, large), large)
		require.Equal(t, large, w.serve(repeat(t, r, large)).body, "longer than that of a control operation")
		if payload == "UNSIGNED-PAYLOAD" {
			continue
		}
		// Another body is refused or, where it streams, never seen to its end.
		a := w.serve(c.sigV4(draft(t, "", "POST", target, large+"!"), large))
		require.NotContains(t, a.body, "!", payload)
		if payload == "-" {
			requireRefusal(t, dialects.AgentCore, a, 403, "AccessDeniedException")
		}
	}
	c := of(onlyCall)
	c.payload = "-"
	huge := strings.Repeat("x", api.MaxSignedBody+1)
	requireRefusal(t, dialects.AgentCore, w.serve(c.sigV4(draft(t, "", "POST", target, huge), huge)), 400, "ValidationException")
}
