package sdktest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore/types"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
	"github.com/limpet-proxy/limpet/sample"
)

// The ARNs by which AgentCore's clients may name a function.
func interpreterARN(function string) string {
	return "arn:aws:bedrock-agentcore:us-west-2:123456789012:code-interpreter/" + function
}

func runtimeARN(function string) string {
	return "arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/" + function
}

// interpreter is one function through AgentCore's SDK. name is what the caller calls it: the plain name or an ARN.
type interpreter struct {
	t      *testing.T
	client *agent.Client
	name   string
}

func interpreterOf(t *testing.T, p *limpettest.Process, k key, name string) interpreter {
	t.Helper()
	return interpreter{t, agentClient(p.Admin, k), name}
}

func (i interpreter) tryStart(in agent.StartCodeInterpreterSessionInput) (*agent.StartCodeInterpreterSessionOutput, error) {
	in.CodeInterpreterIdentifier = &i.name
	return i.client.StartCodeInterpreterSession(i.t.Context(), &in)
}

func (i interpreter) start(in agent.StartCodeInterpreterSessionInput) *agent.StartCodeInterpreterSessionOutput {
	i.t.Helper()
	out, err := i.tryStart(in)
	require.NoError(i.t, err)
	return out
}

// begin starts a session of no special kind and returns its ID.
func (i interpreter) begin() string {
	i.t.Helper()
	return *i.start(agent.StartCodeInterpreterSessionInput{}).SessionId
}

func (i interpreter) get(id string) (*agent.GetCodeInterpreterSessionOutput, error) {
	return i.client.GetCodeInterpreterSession(i.t.Context(),
		&agent.GetCodeInterpreterSessionInput{CodeInterpreterIdentifier: &i.name, SessionId: &id})
}

func (i interpreter) stop(id string) (*agent.StopCodeInterpreterSessionOutput, error) {
	return i.client.StopCodeInterpreterSession(i.t.Context(),
		&agent.StopCodeInterpreterSessionInput{CodeInterpreterIdentifier: &i.name, SessionId: &id})
}

func (i interpreter) list(in agent.ListCodeInterpreterSessionsInput) (*agent.ListCodeInterpreterSessionsOutput, error) {
	in.CodeInterpreterIdentifier = &i.name
	return i.client.ListCodeInterpreterSessions(i.t.Context(), &in)
}

// execute invokes a tool and returns what the instance said, decoded from the event stream, and the session's ID as the
// answer's header has it.
func (i interpreter) execute(id string) (a sample.Answer, echoed string, err error) {
	out, err := i.client.InvokeCodeInterpreter(i.t.Context(), &agent.InvokeCodeInterpreterInput{
		CodeInterpreterIdentifier: &i.name, SessionId: optional(id), Name: types.ToolNameExecuteCode,
		Arguments: &types.ToolArguments{Code: aws.String("1 + 1"), Language: types.ProgrammingLanguagePython},
	})
	if err != nil {
		return a, "", err
	}
	stream := out.GetStream()
	defer stream.Close()
	var texts []string
	for event := range stream.Events() {
		result, ok := event.(*types.CodeInterpreterStreamOutputMemberResult)
		if !ok {
			return a, "", fmt.Errorf("unexpected event %T", event)
		}
		texts = append(texts, value(result.Value.Content[0].Text))
	}
	if err := stream.Err(); err != nil {
		return a, "", err
	}
	if len(texts) != 2 || texts[1] != "last" {
		return a, "", fmt.Errorf("events: %q", texts)
	}
	return a, value(out.SessionId), json.Unmarshal([]byte(texts[0]), &a)
}

func (i interpreter) mustExecute(id string) sample.Answer {
	i.t.Helper()
	a, echoed, err := i.execute(id)
	require.NoError(i.t, err)
	require.Equal(i.t, a.Session, echoed)
	return a
}

// agentRuntime is one function as AgentCore's runtime.
type agentRuntime struct {
	t      *testing.T
	client *agent.Client
	name   string
}

func runtimeOf(t *testing.T, p *limpettest.Process, k key, name string) agentRuntime {
	t.Helper()
	return agentRuntime{t, agentClient(p.Admin, k), name}
}

func (a agentRuntime) try(id, payload string) (*agent.InvokeAgentRuntimeOutput, error) {
	return a.client.InvokeAgentRuntime(a.t.Context(), &agent.InvokeAgentRuntimeInput{
		AgentRuntimeArn: &a.name, RuntimeSessionId: optional(id), Payload: []byte(payload), ContentType: aws.String("application/json"),
	})
}

// invoke invokes the runtime and reads the whole answer.
func (a agentRuntime) invoke(id string) (reply, error) {
	out, err := a.try(id, "{}")
	if err != nil {
		return reply{}, err
	}
	defer out.Response.Close()
	return readReply(int(value(out.StatusCode)), http.Header{"Session": {value(out.RuntimeSessionId)}}, out.Response)
}

func (a agentRuntime) mustInvoke(id string) reply {
	a.t.Helper()
	r, err := a.invoke(id)
	require.NoError(a.t, err)
	require.Equal(a.t, http.StatusOK, r.status)
	require.Equal(a.t, r.Session, r.header.Get("Session"))
	return r
}

func (a agentRuntime) stop(id, token string) (*agent.StopRuntimeSessionOutput, error) {
	return a.client.StopRuntimeSession(context.Background(), &agent.StopRuntimeSessionInput{
		AgentRuntimeArn: &a.name, RuntimeSessionId: &id, ClientToken: optional(token),
	})
}

// requireMissing requires AgentCore's words for what is not there.
func requireMissing(t *testing.T, err error) {
	t.Helper()
	var missing *types.ResourceNotFoundException
	require.ErrorAs(t, err, &missing)
}

// requireInvalid requires AgentCore's words for a bad request.
func requireInvalid(t *testing.T, err error, reason types.ValidationExceptionReason, field string) {
	t.Helper()
	var invalid *types.ValidationException
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, reason, invalid.Reason, err)
	if field != "" {
		require.Len(t, invalid.FieldList, 1)
		require.Equal(t, field, *invalid.FieldList[0].Name)
	}
}
