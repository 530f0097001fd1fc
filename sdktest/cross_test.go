package sdktest_test

import (
	"net/http"
	"testing"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	agenttypes "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore/types"
	"github.com/aws/aws-sdk-go-v2/service/deadline/types"
	"github.com/stretchr/testify/require"
)

// TestDialectsShareSessions: a session made through one dialect is visible through the others, and every way to its
// function leads to the home that was chosen when it was made.
func TestDialectsShareSessions(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.last(), admin, counter)
		i := interpreterOf(t, d.first(), admin, interpreterARN(counter))
		j := jobOf(t, d.last(), admin, counter)
		chosen := *f.create(new(fc.CreateSessionInput).SetSessionId("chosen-for-" + d.kind)).SessionId
		onDemand := runtimeOf(t, d.first(), admin, runtimeARN(counter)).mustInvoke(runtimeID(t))
		for made, id := range map[string]string{
			"FC": *f.create(nil).SessionId, "FC, own ID": chosen, "AgentCore": i.begin(), "a request": onDemand.Session,
		} {
			native, err := f.get(id)
			require.NoError(t, err, made)
			require.Equal(t, "Active", *native.SessionStatus)
			got, err := i.get(id)
			require.NoError(t, err, made)
			require.Equal(t, agenttypes.CodeInterpreterSessionStatusReady, got.Status)
			require.EqualValues(t, *native.SessionTTLInSeconds, *got.SessionTimeoutSeconds)
			farmed := j.mustGet(id)
			require.Equal(t, types.SessionLifecycleStatusStarted, farmed.LifecycleStatus)
			require.Equal(t, namesOf(t, d.first(), counter, "LATEST").workers[*native.ContainerId], *farmed.WorkerId)
			require.Equal(t, *got.CreatedAt, *farmed.StartedAt)

			before := 0
			if made == "a request" {
				before = 1
			}
			for n, r := range []reply{
				visit(t, d.first(), counter, id), f.invokeIn(id), {Answer: i.mustExecute(id)},
				runtimeOf(t, d.last(), admin, counter).mustInvoke(id), visit(t, d.last(), counter, id),
			} {
				require.Equal(t, *native.ContainerId, r.Instance, made)
				require.Equal(t, before+n+1, r.Count, made)
			}
		}
	})
}

// TestDialectsSeeTheEnd of a session that another dialect ended.
func TestDialectsSeeTheEnd(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		i := interpreterOf(t, d.last(), admin, counter)
		j := jobOf(t, d.first(), admin, counter)
		for by, end := range map[string]func(id string) error{
			"AgentCore": func(id string) error { _, err := i.stop(id); return err },
			"Deadline":  j.end,
		} {
			id := *f.create(nil).SessionId
			require.NoError(t, end(id), by)
			_, err := f.get(id)
			requireFC(t, err, http.StatusNotFound, "SessionNotFound")
			listed := f.pages(d, *new(fc.ListSessionsRequest).SetSessionId(id))
			require.Len(t, listed, 1, by)
			require.Equal(t, "Expired", *listed[0].SessionStatus)
			got, err := i.get(id)
			require.NoError(t, err)
			require.Equal(t, agenttypes.CodeInterpreterSessionStatusTerminated, got.Status)
			require.Equal(t, types.SessionLifecycleStatusEnded, j.mustGet(id).LifecycleStatus)
		}
		id := *i.start(agent.StartCodeInterpreterSessionInput{}).SessionId
		require.NoError(t, f.remove(id))
		_, err := i.get(id)
		requireMissing(t, err)
		_, err = j.get(id)
		requireNoSuch(t, err, "session", id)
	})
}

// TestDataListener: an SDK whose endpoint is the data listener reaches the functions that allow it, and nothing else.
func TestDataListener(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		s := f.create(nil)
		onData := interpreter{t, agentClient(d.last().Listen, unknownKey), interpreterARN(counter)}
		require.Equal(t, *s.ContainerId, onData.mustExecute(*s.SessionId).Instance)
		data := agentRuntime{t, agentClient(d.first().Listen, unknownKey), runtimeARN(counter)}
		require.Equal(t, *s.ContainerId, data.mustInvoke(*s.SessionId).Instance)
		_, err := onData.get(*s.SessionId)
		require.Error(t, err, "the session API is on the admin listener only")
		closed := agentRuntime{t, agentClient(d.first().Listen, unknownKey), uninvoked}
		_, err = closed.invoke("")
		requireMissing(t, err)
		require.Equal(t, http.StatusOK, runtimeOf(t, d.first(), admin, uninvoked).mustInvoke("").status)
	})
}
