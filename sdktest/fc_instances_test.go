package sdktest_test

import (
	"net/http"
	"testing"
	"time"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/stretchr/testify/require"
)

func (f fcFunction) instances(r *fc.ListInstancesRequest) (all []*fc.InstanceInfo) {
	f.t.Helper()
	res, err := f.client.ListInstances(&f.name, r)
	require.NoError(f.t, err)
	f.requireRequestID(res.Headers)
	require.Equal(f.t, value(res.Headers["x-fc-request-id"]), *res.Body.RequestId)
	return res.Body.Instances
}

func instanceIDs(all []*fc.InstanceInfo) (ids []string) {
	for _, i := range all {
		ids = append(ids, *i.InstanceId)
	}
	return ids
}

func list() *fc.ListInstancesRequest { return new(fc.ListInstancesRequest) }

func TestFCListInstances(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		latest := f.instances(list().SetQualifier("LATEST"))
		require.Equal(t, []string{"i0", "i1", "i2"}, instanceIDs(latest))
		for _, i := range latest {
			require.Equal(t, "LATEST", *i.Qualifier)
			require.Equal(t, "0", *i.VersionId)
			require.Equal(t, "Running", *i.Status)
			require.Equal(t, "static", *i.ResourceType)
			require.WithinDuration(t, time.Now(), time.UnixMilli(*i.CreatedTimeMs), 5*time.Minute)
			require.Nil(t, i.DestroyedTimeMs)
		}
		prod := f.instances(list().SetQualifier("prod"))
		require.Equal(t, []string{"i0", "i1"}, instanceIDs(prod))
		require.Equal(t, "prod", *prod[0].VersionId)
		require.Equal(t, []string{"i0", "i0", "i1", "i1", "i2"}, instanceIDs(f.instances(list())))
		require.Equal(t, []string{"i0", "i0", "i1", "i1", "i2"}, instanceIDs(f.instances(list().SetWithAllActive(true))))

		wanted := list().SetQualifier("LATEST").SetInstanceIds(dara.StringSlice([]string{"i2", "i0", "nobody"}))
		require.Equal(t, []string{"i0", "i2"}, instanceIDs(f.instances(wanted)))
		running := list().SetQualifier("LATEST").SetInstanceStatus(dara.StringSlice([]string{"Running", "Destroyed"}))
		require.Len(t, f.instances(running), 3)
		require.Empty(t, f.instances(list().SetInstanceStatus(dara.StringSlice([]string{"Destroyed"}))))

		before := *latest[0].CreatedTimeMs - 3_600_000
		require.Empty(t, f.instances(list().SetStartTimeMs(before).SetEndTimeMs(before+1000)))
		require.Len(t, f.instances(list().SetStartTimeMs(before).SetEndTimeMs(before+1000).SetWithAllActive(true)), 5)
		require.Len(t, f.instances(list().SetStartTimeMs(before).SetEndTimeMs(time.Now().Add(time.Hour).UnixMilli())), 5)

		page := list().SetQualifier("LATEST").SetLimit("2")
		require.Equal(t, []string{"i0", "i1"}, instanceIDs(f.instances(page)))
		require.Equal(t, []string{"i2"}, instanceIDs(f.instances(page.SetStartKey("i1"))))
		for _, bad := range []*fc.ListInstancesRequest{list().SetLimit("0"), list().SetLimit("many"), list().SetStartTimeMs(-1)} {
			_, err := f.client.ListInstances(&f.name, bad)
			requireFC(t, err, http.StatusBadRequest, "InvalidArgument")
		}
	})
}
