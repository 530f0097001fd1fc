package dialects_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
)

func TestParseInvocation(t *testing.T) {
	fc := func(name, qualifier string) dialects.Invocation {
		return dialects.Invocation{Dialect: dialects.FC, Operation: dialects.InvokeFunction, Function: name, Qualifier: qualifier}
	}
	runtime := func(name, qualifier string) dialects.Invocation {
		return dialects.Invocation{
			Dialect: dialects.AgentCore, Operation: dialects.InvokeAgentRuntime, Function: name, Qualifier: qualifier,
		}
	}
	interpreter := func(name string) dialects.Invocation {
		return dialects.Invocation{
			Dialect: dialects.AgentCore, Operation: dialects.InvokeCodeInterpreter, Function: name, Qualifier: "LATEST",
		}
	}
	for target, want := range map[string]dialects.Invocation{
		"/2023-03-30/functions/f/invocations":                              fc("f", "LATEST"),
		"/2023-03-30/functions/f/invocations?qualifier=prod&a=1":           fc("f", "prod"),
		"/2023-03-30/functions/f/invocations?qualifier=DEFAULT":            fc("f", "DEFAULT"),
		"/2023-03-30/functions/acs:fc:x:1:functions%2Ff/invocations/":      fc("f", "LATEST"),
		"/2023-03-30/%66unctions/%66/invocations":                          fc("f", "LATEST"),
		"/runtimes/f/invocations?accountId=123456789012":                   runtime("f", "LATEST"),
		"/runtimes/f/invocations?qualifier=DEFAULT":                        runtime("f", "LATEST"), // the endpoint that every runtime has
		"/runtimes/f/invocations?qualifier=prod":                           runtime("f", "prod"),
		"/runtimes/" + url.PathEscape(arn+"f") + "/invocations":            runtime("f", "LATEST"),
		"/runtimes/" + url.QueryEscape(arn+"f") + "/invocations":           runtime("f", "LATEST"),
		"/code-interpreters/aws.codeinterpreter.v1/tools/invoke":           interpreter("aws.codeinterpreter.v1"),
		"/code-interpreters/" + url.QueryEscape(arn+"f") + "/tools/invoke": interpreter("f"),
	} {
		inv, ok, err := dialects.ParseInvocation(request(t, http.MethodPost, target))
		require.True(t, ok, target)
		require.Nil(t, err, target)
		require.Equal(t, want, inv, target)
	}
}

func TestNoInvocation(t *testing.T) {
	for _, target := range []string{
		"/", "/f", "/2023-03-30", "/2023-03-30/functions", "/2023-03-30/functions/f", "/2023-03-30/functions/f/sessions",
		"/2023-03-30/functions/f/invocations/x", "/2023-03-30/functions//invocations", "/x/2023-03-30/functions/f/invocations",
		"/2023-03-30/functions/f/../invocations", "/2023-03-30/services/f/invocations", "//2023-03-30/functions/f/invocations",
		"/runtimes/f", "/runtimes/f/commands", "/runtimes/a/b/invocations", "/runtimes/f/stopruntimesession",
		"/code-interpreters/f/tools", "/code-interpreters/f/tools/invoke/x", "/code-interpreters/f/sessions/start",
		"/2023-03-30/FUNCTIONS/f/invocations", "/2023-10-12/functions/f/invocations",
	} {
		inv, ok, err := dialects.ParseInvocation(request(t, http.MethodPost, target))
		require.False(t, ok, target)
		require.Nil(t, err, target)
		require.Zero(t, inv, target)
	}
}

// What could be read is there beside the error: who routes has to know whose path it is.
func TestParseInvocationOfAnUnacceptableOne(t *testing.T) {
	for target, want := range map[string]struct {
		method              string
		code                dialects.Code
		function, qualifier string
	}{
		"/2023-03-30/functions/f/invocations?qualifier=v":    {http.MethodGet, dialects.CodeMethodNotAllowed, "f", "v"},
		"/2023-03-30/functions/a%2Fb/invocations":            {http.MethodPut, dialects.CodeMethodNotAllowed, "", "LATEST"},
		"/runtimes/f/invocations?qualifier=a%2Fb":            {http.MethodPost, dialects.CodeInvalidArgument, "f", ""},
		"/runtimes/-/invocations":                            {http.MethodPost, dialects.CodeFunctionNotFound, "", "LATEST"},
		"/code-interpreters/arn:aws:x%2F/tools/invoke?a=%zz": {http.MethodPost, dialects.CodeFunctionNotFound, "", "LATEST"},
	} {
		inv, ok, err := dialects.ParseInvocation(request(t, want.method, target))
		require.True(t, ok, target)
		require.NotNil(t, err, target)
		require.Equal(t, want.code, err.Code, target)
		require.Equal(t, want.function, inv.Function, target)
		require.Equal(t, want.qualifier, inv.Qualifier, target)
	}
}

func TestSessionHeader(t *testing.T) {
	for op, want := range map[dialects.Operation]string{
		dialects.InvokeFunction:        "",
		dialects.InvokeAgentRuntime:    "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id",
		dialects.InvokeCodeInterpreter: "x-amzn-code-interpreter-session-id",
	} {
		got := dialects.Invocation{Operation: op}.SessionHeader()
		require.Equal(t, http.CanonicalHeaderKey(want), got, "canonical, or net/http would not find it")
	}
}

// The look at an ordinary request's path costs nothing.
func TestMayInvokeAllocatesNothing(t *testing.T) {
	r := request(t, http.MethodGet, "/a/b/c?x=1")
	require.Zero(t, testing.AllocsPerRun(100, func() { require.False(t, dialects.MayInvoke(r.URL.Path)) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = dialects.ParseInvocation(r) }))
}

func BenchmarkMayInvoke(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if dialects.MayInvoke("/rooms/17/moves") {
			b.Fatal("no invocation")
		}
	}
}

func BenchmarkParseInvocation(b *testing.B) {
	r := request(b, http.MethodPost, "/runtimes/"+url.PathEscape(arn+"f")+"/invocations?qualifier=prod")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, _ := dialects.ParseInvocation(r); !ok {
			b.Fatal("an invocation")
		}
	}
}

func ExampleParseInvocation() {
	r := httptest.NewRequest(http.MethodPost, "/2023-03-30/functions/counter/invocations?qualifier=prod", nil)
	inv, ok, _ := dialects.ParseInvocation(r)
	fmt.Println(ok, inv.Dialect, inv.Operation, inv.Function, inv.Qualifier)
	// Output: true fc InvokeFunction counter prod
}
