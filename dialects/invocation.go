package dialects

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/limpet-proxy/limpet/sessions"
)

// The headers by which AgentCore's clients name a session (Bedrock AgentCore data plane API, InvokeCodeInterpreter and
// InvokeAgentRuntime).
const (
	InterpreterSessionHeader = "X-Amzn-Code-Interpreter-Session-Id"
	RuntimeSessionHeader     = "X-Amzn-Bedrock-Agentcore-Runtime-Session-Id" // canonical form
)

// Operation is one of the operations that go to an instance.
type Operation string

// The operations that go to an instance.
const (
	InvokeFunction        Operation = "InvokeFunction"
	InvokeAgentRuntime    Operation = "InvokeAgentRuntime"
	InvokeCodeInterpreter Operation = "InvokeCodeInterpreter"
)

// Invocation is a request that names its function on a path of a cloud's API, whatever the function's own host and
// path are.
type Invocation struct {
	Dialect             Dialect
	Operation           Operation
	Function, Qualifier string
}

// SessionHeader returns the header that names the session, "" where the function's own affinity says it.
func (i Invocation) SessionHeader() string {
	switch i.Operation {
	case InvokeAgentRuntime:
		return RuntimeSessionHeader
	case InvokeCodeInterpreter:
		return InterpreterSessionHeader
	default:
		return ""
	}
}

// MayInvoke says whether a path could be an invocation's, at the cost of a look at its beginning.
func MayInvoke(path string) bool {
	return strings.HasPrefix(path, "/"+FCVersion+"/") || strings.HasPrefix(path, "/"+runtimesPath+"/") ||
		strings.HasPrefix(path, "/"+interpretersPath+"/")
}

// ParseInvocation returns the invocation that a request is: POST /2023-03-30/functions/{name}/invocations, POST
// /runtimes/{arn}/invocations, or POST /code-interpreters/{id}/tools/invoke. ok is false for a path that is none of
// these; the error is for one that is, with another method, or with a name or qualifier that can be none. An invocation
// with an error has what could be read: Function and Qualifier are "" where they are what is wrong.
func ParseInvocation(r *http.Request) (inv Invocation, ok bool, err *Error) {
	if !MayInvoke(r.URL.Path) {
		return Invocation{}, false, nil
	}
	segments, ok := Segments(r)
	if !ok {
		return Invocation{}, false, nil
	}
	inv, name, ok := invocationOf(segments)
	if !ok {
		return Invocation{}, false, nil
	}
	inv.Qualifier, err = QualifierOf(r)
	if err == nil && inv.Dialect == AgentCore && inv.Qualifier == runtimeDefaultQualifier {
		inv.Qualifier = sessions.LatestQualifier
	}
	function, valid := FunctionName(name)
	if valid {
		inv.Function = function
	}
	switch {
	case r.Method != http.MethodPost:
		return inv, true, MethodNotAllowed(http.MethodPost)
	case err != nil:
		return inv, true, err
	case !valid:
		return inv, true, FunctionNotFound(name, inv.Qualifier)
	}
	return inv, true, nil
}

// runtimeDefaultQualifier is the endpoint that AgentCore gives every runtime.
const runtimeDefaultQualifier = "DEFAULT"

func invocationOf(s []string) (inv Invocation, name string, ok bool) {
	switch {
	case len(s) == 4 && s[0] == FCVersion && s[1] == "functions" && s[3] == "invocations":
		return Invocation{Dialect: FC, Operation: InvokeFunction}, s[2], true
	case len(s) == 3 && s[0] == runtimesPath && s[2] == "invocations":
		return Invocation{Dialect: AgentCore, Operation: InvokeAgentRuntime}, s[1], true
	case len(s) == 4 && s[0] == interpretersPath && s[2] == "tools" && s[3] == "invoke":
		return Invocation{Dialect: AgentCore, Operation: InvokeCodeInterpreter}, s[1], true
	}
	return Invocation{}, "", false
}

// QualifierOf returns the query's qualifier: LATEST if it names none. A parameter that net/url would leave out, because
// of a semicolon or a bad escape, is an error: somebody else on the way may read it.
func QualifierOf(r *http.Request) (string, *Error) {
	given, found := 0, ""
	for name, value := range parameters(r.URL.RawQuery) {
		if name == "qualifier" {
			given, found = given+1, value
		}
	}
	if given > 1 {
		return "", Invalid("qualifier", "is given more than once, accepted is once")
	}
	if found == "" {
		return sessions.LatestQualifier, nil
	}
	qualifier, err := url.QueryUnescape(found)
	if err != nil || !sessions.ValidName(qualifier) {
		return "", Invalid("qualifier", "cannot name a qualifier, accepted are "+sessions.NameForm)
	}
	return qualifier, nil
}
