package sdktest_test

import (
	"testing"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/aws/aws-sdk-go-v2/aws"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore/types"
	"github.com/aws/aws-sdk-go-v2/service/deadline"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// TestRestart: sessions, derived IDs, page tokens, clientTokens and what was signed once outlive the process.
func TestRestart(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		restart(t, &deployment{kind: "restart", path: t.TempDir(), setup: lean()})
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		restart(t, &deployment{kind: "restart-redis", redis: redistest.Standalone(t, redistest.Options{}), setup: lean()})
	})
}

func restart(t *testing.T, d *deployment) {
	own(t, d, 1)
	before := d.first()
	f := fcOf(t, before, admin, counter)
	s := f.create(nil)
	home := visit(t, before, counter, *s.SessionId).Instance
	f.create(nil)
	token := "the-token-of-a-call-before-the-restart"
	started := interpreterOf(t, before, admin, counter).start(agent.StartCodeInterpreterSessionInput{ClientToken: &token})
	derived := namesOf(t, before, counter, "LATEST")
	native, err := f.list(*new(fc.ListSessionsRequest).SetLimit(2))
	require.NoError(t, err)
	paged, err := interpreterOf(t, before, admin, counter).list(agent.ListCodeInterpreterSessionsInput{MaxResults: aws.Int32(2)})
	require.NoError(t, err)
	farmed, err := jobOf(t, before, admin, counter).list(deadline.ListSessionsInput{MaxResults: aws.Int32(2)})
	require.NoError(t, err)
	signed := steal(t, func(th *thief) error {
		at := fcFunction{t: t, client: fcClient(t, before.Admin, admin, th), name: counter}
		_, err := at.update(*s.SessionId, *new(fc.UpdateSessionInput).SetSessionTTLInSeconds(700))
		return err
	})
	require.Equal(t, 200, signed.send(t, before).status)

	require.NoError(t, before.Stop())
	d.replicas = nil
	require.NoError(t, d.start(1))
	after := d.first()
	require.Equal(t, derived, namesOf(t, after, counter, "LATEST"))
	require.Equal(t, 403, signed.send(t, after).status)
	f = fcOf(t, after, admin, counter)
	got, err := f.get(*s.SessionId)
	require.NoError(t, err)
	require.Equal(t, home, *got.ContainerId)
	require.Equal(t, home, visit(t, after, counter, *s.SessionId).Instance)
	require.Equal(t, derived.workers[home], *jobOf(t, after, admin, counter).mustGet(*s.SessionId).WorkerId)
	again := interpreterOf(t, after, admin, counter).start(agent.StartCodeInterpreterSessionInput{ClientToken: &token})
	require.Equal(t, *started.SessionId, *again.SessionId)

	rest, err := f.list(*new(fc.ListSessionsRequest).SetNextToken(*native.NextToken))
	require.NoError(t, err)
	require.Len(t, rest.Sessions, 1)
	items, err := interpreterOf(t, after, admin, counter).list(agent.ListCodeInterpreterSessionsInput{NextToken: paged.NextToken})
	require.NoError(t, err)
	require.Equal(t, []types.CodeInterpreterSessionStatus{"READY"}, []types.CodeInterpreterSessionStatus{items.Items[0].Status})
	more, err := jobOf(t, after, admin, counter).list(deadline.ListSessionsInput{NextToken: farmed.NextToken})
	require.NoError(t, err)
	require.Len(t, more.Sessions, 1)
}

// TestDestroyedInstances stay listed after the file names them no more.
func TestDestroyedInstances(t *testing.T) {
	t.Parallel()
	d := own(t, &deployment{kind: "destroyed", setup: lean()}, 1)
	f := fcOf(t, d.first(), admin, counter)
	require.Len(t, f.instances(list()), 3)
	d.setup.functions[0].instances = world.instances[:2]
	require.NoError(t, d.setup.write(d.first().File))
	var destroyed []*fc.InstanceInfo
	eventually(t, func() error {
		if destroyed = f.instances(list().SetInstanceStatus([]*string{aws.String("Destroyed")})); len(destroyed) == 0 {
			return errStill
		}
		return nil
	})
	require.Equal(t, []string{"i2"}, instanceIDs(destroyed))
	require.GreaterOrEqual(t, *destroyed[0].DestroyedTimeMs, *destroyed[0].CreatedTimeMs)
	long := *destroyed[0].CreatedTimeMs - 3_600_000
	require.Equal(t, []string{"i0", "i1"}, instanceIDs(f.instances(list().SetStartTimeMs(long).SetEndTimeMs(long+1).SetWithAllActive(true))))
	require.Len(t, f.instances(list()), 3, "with the time range left out, all of the retention")
}
