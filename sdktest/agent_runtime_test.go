package sdktest_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/stretchr/testify/require"
)

// runtimeID makes a test's session ID, of the 33 characters and more that AgentCore wants, and not more than fit into a
// function's own header.
func runtimeID(t *testing.T) string {
	sum := sha256.Sum256([]byte(t.Name()))
	return hex.EncodeToString(sum[:20])
}

func TestAgentCoreRuntime(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		plain := runtimeOf(t, d.first(), admin, counter)
		byARN := runtimeOf(t, d.last(), admin, runtimeARN(counter))
		id := runtimeID(t)
		first, second := byARN.mustInvoke(id), plain.mustInvoke(id)
		require.Equal(t, id, first.Session)
		require.Equal(t, first.Instance, second.Instance)
		require.Equal(t, []int{1, 2}, []int{first.Count, second.Count})
		require.Equal(t, "created", first.Event)

		// The SDK makes an ID where the caller has none; each call is a session then.
		made, other := plain.mustInvoke(""), plain.mustInvoke("")
		require.GreaterOrEqual(t, len(made.Session), 33)
		require.NotEqual(t, made.Session, other.Session)
		require.Equal(t, 2, plain.mustInvoke(made.Session).Count)

		out, err := plain.client.InvokeAgentRuntime(t.Context(), &agent.InvokeAgentRuntimeInput{
			AgentRuntimeArn: aws.String(counter), RuntimeSessionId: &id, Payload: []byte("{}"), AccountId: aws.String("123456789012"),
			Qualifier: aws.String("DEFAULT"), TraceParent: aws.String("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		})
		require.NoError(t, err)
		require.EqualValues(t, http.StatusOK, *out.StatusCode)
		require.Equal(t, "application/json", *out.ContentType)
		defer out.Response.Close()
		r, err := readReply(0, nil, out.Response)
		require.NoError(t, err)
		require.Equal(t, first.Instance, r.Instance)
		require.Equal(t, 3, r.Count)
	})
}

// TestAgentCoreRuntimeStreams reads the answer's beginning before there is an end.
func TestAgentCoreRuntimeStreams(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		name, h := holdFor(t)
		out, err := runtimeOf(t, d.first(), admin, runtimeARN(counter)).try(runtimeID(t), `{"hold":"`+name+`"}`)
		require.NoError(t, err)
		defer out.Response.Close()
		body := bufio.NewReader(out.Response)
		line, err := body.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, held, line)
		h.release()
		r, err := readReply(0, nil, body)
		require.NoError(t, err)
		require.Equal(t, runtimeID(t), r.Session)
	})
}

func TestAgentCoreStopRuntimeSession(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		a := runtimeOf(t, d.first(), admin, runtimeARN(counter))
		id := runtimeID(t)
		a.mustInvoke(id)
		token := strings.Repeat("t", 33)
		out, err := a.stop(id, token)
		require.NoError(t, err)
		require.Equal(t, id, *out.RuntimeSessionId)
		require.EqualValues(t, http.StatusOK, *out.StatusCode)
		same, err := runtimeOf(t, d.last(), admin, counter).stop(id, token)
		require.NoError(t, err, "the same call gets the same response")
		require.Equal(t, id, *same.RuntimeSessionId)
		_, err = a.stop(id, "")
		requireMissing(t, err)
		r := a.mustInvoke(id)
		require.Equal(t, 1, r.Count, "a fresh environment")
		require.Equal(t, "created", r.Event)
		_, err = a.stop(runtimeID(t)+"-never", "")
		requireMissing(t, err)
	})
}
