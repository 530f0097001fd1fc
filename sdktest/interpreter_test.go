package sdktest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore/types"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// python runs a piece of Python and returns the tool's result.
func (i interpreter) python(id, code string) *types.CodeInterpreterResult {
	i.t.Helper()
	out, err := i.client.InvokeCodeInterpreter(i.t.Context(), &agent.InvokeCodeInterpreterInput{
		CodeInterpreterIdentifier: &i.name, SessionId: &id, Name: types.ToolNameExecuteCode,
		Arguments: &types.ToolArguments{Code: aws.String(code), Language: types.ProgrammingLanguagePython},
	})
	require.NoError(i.t, err)
	stream := out.GetStream()
	defer stream.Close()
	event := <-stream.Events()
	require.NoError(i.t, stream.Err())
	require.IsType(i.t, &types.CodeInterpreterStreamOutputMemberResult{}, event)
	result := event.(*types.CodeInterpreterStreamOutputMemberResult).Value
	return &result
}

// TestTheCodeInterpreterOfTheExamples is configs/code-interpreter.yaml, used as AWS's code interpreter is.
func TestTheCodeInterpreterOfTheExamples(t *testing.T) {
	text, err := os.ReadFile("../configs/code-interpreter.yaml")
	require.NoError(t, err)
	dir, err := filepath.Abs("../configs/interpreter")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "limpet.yaml")
	changed := strings.NewReplacer("127.0.0.1:8080", "127.0.0.1:0", "127.0.0.1:9090", "127.0.0.1:0", "configs/interpreter/", dir+"/").
		Replace(string(text))
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
	p, err := limpettest.Start(world.binary, file)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Stop()) }()

	i := interpreterOf(t, p, admin, "python")
	alice, bob := i.begin(), i.begin()
	require.Empty(t, *i.python(alice, "x = 6").Content[0].Text)
	result := i.python(alice, "print('six'); x * 7")
	require.Equal(t, "six\n42\n", *result.Content[0].Text)
	require.Equal(t, "six\n42\n", *result.StructuredContent.Stdout)
	require.EqualValues(t, 0, *result.StructuredContent.ExitCode)
	require.False(t, *result.IsError)
	result = i.python(bob, "x")
	require.True(t, *result.IsError)
	require.Contains(t, *result.Content[0].Text, "NameError")
	require.EqualValues(t, 1, *result.StructuredContent.ExitCode)

	_, err = i.stop(alice)
	require.NoError(t, err)
	got, err := i.get(alice)
	require.NoError(t, err)
	require.Equal(t, types.CodeInterpreterSessionStatusTerminated, got.Status)
}
