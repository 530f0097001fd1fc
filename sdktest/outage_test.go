package sdktest_test

import (
	"net/http"
	"testing"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore/types"
	"github.com/aws/aws-sdk-go-v2/service/deadline"
	farmtypes "github.com/aws/aws-sdk-go-v2/service/deadline/types"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/sessions/redisstore/redistest"
)

// lean has one function: these tests are about the store.
func lean() setup {
	return setup{functions: []function{
		{name: counter, sessions: "{per_instance: 100}", instances: world.instances},
		{name: small, instances: world.instances[:1]}, // a key names it
	}}
}

// TestOutage is what the SDKs are told while the store does not answer: dead, or silent.
func TestOutage(t *testing.T) {
	t.Parallel()
	redis := redistest.Standalone(t, redistest.Options{AOF: true, Config: []string{"appendfsync always"}})
	d := own(t, &deployment{kind: "outage", redis: redis, setup: lean()}, 1)
	id := *fcOf(t, d.first(), admin, counter).create(nil).SessionId

	redis.Kill()
	requireOutage(t, d, id)
	require.NoError(t, redis.Restart())
	requireBack(t, d, id)

	require.NoError(t, redis.Pause())
	requireOutage(t, d, id)
	require.NoError(t, redis.Resume())
	requireBack(t, d, id)
}

func requireOutage(t *testing.T, d *deployment, id string) {
	t.Helper()
	f := fcOf(t, d.first(), admin, counter)
	_, err := f.tryCreate(nil)
	requireFC(t, err, http.StatusServiceUnavailable, "StoreUnavailable")
	_, err = f.get(id)
	requireFC(t, err, http.StatusServiceUnavailable, "StoreUnavailable")
	_, err = f.list(fc.ListSessionsRequest{})
	requireFC(t, err, http.StatusServiceUnavailable, "StoreUnavailable")
	_, err = f.client.ListInstances(&f.name, list())
	requireFC(t, err, http.StatusServiceUnavailable, "StoreUnavailable")
	requireFC(t, f.remove(id), http.StatusServiceUnavailable, "StoreUnavailable")

	i := interpreterOf(t, d.first(), admin, counter)
	var internal *types.InternalServerException
	_, err = i.tryStart(agent.StartCodeInterpreterSessionInput{})
	require.ErrorAs(t, err, &internal)
	_, err = i.get(id)
	require.ErrorAs(t, err, &internal)
	_, err = i.list(agent.ListCodeInterpreterSessionsInput{})
	require.ErrorAs(t, err, &internal)

	j := jobOf(t, d.first(), admin, counter)
	var failed *farmtypes.InternalServerErrorException
	_, err = j.get(id)
	require.ErrorAs(t, err, &failed)
	require.EqualValues(t, 1, *failed.RetryAfterSeconds)
	_, err = j.list(deadline.ListSessionsInput{})
	require.ErrorAs(t, err, &failed)
	require.ErrorAs(t, j.end(id), &failed)
}

func requireBack(t *testing.T, d *deployment, id string) {
	t.Helper()
	f := fcOf(t, d.first(), admin, counter)
	eventually(t, func() error { _, err := f.get(id); return err })
	f.create(nil)
	require.Equal(t, id, visit(t, d.first(), counter, id).Session)
}
