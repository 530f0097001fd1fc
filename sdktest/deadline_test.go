package sdktest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/deadline"
	"github.com/aws/aws-sdk-go-v2/service/deadline/types"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// farmID is the plain name of every deployment here.
const farmID = "sdktest"

// job is one function and qualifier through Deadline's SDK. Each ID is the plain name or the derived one.
type job struct {
	t                *testing.T
	client           *deadline.Client
	farm, queue, job string
}

func jobOf(t *testing.T, p *limpettest.Process, k key, function string) job {
	t.Helper()
	return job{t, farmClient(p.Admin, k), farmID, function, "LATEST"}
}

// as is the same with another qualifier.
func (j job) as(qualifier string) job {
	j.job = qualifier
	return j
}

// at is the same through another replica.
func (j job) at(p *limpettest.Process) job {
	j.client = farmClient(p.Admin, admin)
	return j
}

func (j job) get(id string) (*deadline.GetSessionOutput, error) {
	return j.client.GetSession(j.t.Context(),
		&deadline.GetSessionInput{FarmId: &j.farm, QueueId: &j.queue, JobId: &j.job, SessionId: &id})
}

func (j job) mustGet(id string) *deadline.GetSessionOutput {
	j.t.Helper()
	out, err := j.get(id)
	require.NoError(j.t, err)
	return out
}

func (j job) end(id string) error {
	_, err := j.client.UpdateSession(j.t.Context(), &deadline.UpdateSessionInput{
		FarmId: &j.farm, QueueId: &j.queue, JobId: &j.job, SessionId: &id, TargetLifecycleStatus: types.SessionLifecycleTargetStatusEnded,
	})
	return err
}

func (j job) list(in deadline.ListSessionsInput) (*deadline.ListSessionsOutput, error) {
	in.FarmId, in.QueueId, in.JobId = &j.farm, &j.queue, &j.job
	return j.client.ListSessions(j.t.Context(), &in)
}

// pages lists by the SDK's own paginator.
func (j job) pages(size int32) (all []types.SessionSummary) {
	j.t.Helper()
	p := deadline.NewListSessionsPaginator(j.client,
		&deadline.ListSessionsInput{FarmId: &j.farm, QueueId: &j.queue, JobId: &j.job, MaxResults: &size})
	for p.HasMorePages() {
		page, err := p.NextPage(j.t.Context())
		require.NoError(j.t, err)
		all = append(all, page.Sessions...)
	}
	return all
}

// ofWorker lists a worker's sessions by the SDK's own paginator.
func (j job) ofWorker(fleet, worker string, size int32) (all []types.WorkerSessionSummary) {
	j.t.Helper()
	p := deadline.NewListSessionsForWorkerPaginator(j.client,
		&deadline.ListSessionsForWorkerInput{FarmId: &j.farm, FleetId: &fleet, WorkerId: &worker, MaxResults: &size})
	for p.HasMorePages() {
		page, err := p.NextPage(j.t.Context())
		require.NoError(j.t, err)
		all = append(all, page.Sessions...)
	}
	return all
}

// names are the derived IDs of a function and qualifier, as Limpet's own listing has them.
type names struct {
	FarmID, QueueID, JobID, FleetID string
	workers                         map[string]string // by instance
}

func namesOf(t *testing.T, p *limpettest.Process, function, qualifier string) names {
	t.Helper()
	var listed struct {
		FarmID    string
		Functions []struct {
			Name, Qualifier, QueueID, JobID, FleetID string
			Instances                                []struct{ ID, WorkerID string }
		}
	}
	ask(t, call{addr: p.Admin, path: "/limpet/v1/functions", header: admin.bearer()}, &listed)
	for _, f := range listed.Functions {
		if f.Name == function && f.Qualifier == qualifier {
			n := names{listed.FarmID, f.QueueID, f.JobID, f.FleetID, map[string]string{}}
			for _, i := range f.Instances {
				n.workers[i.ID] = i.WorkerID
			}
			return n
		}
	}
	require.Fail(t, "not listed", function)
	return names{}
}

// requireNoSuch requires Deadline's words for what is not there.
func requireNoSuch(t *testing.T, err error, kind, id string) {
	t.Helper()
	var missing *types.ResourceNotFoundException
	require.ErrorAs(t, err, &missing)
	require.Equal(t, kind, *missing.ResourceType)
	require.Equal(t, id, *missing.ResourceId)
}

// requireRejected requires Deadline's words for a bad request.
func requireRejected(t *testing.T, err error, field string) {
	t.Helper()
	var invalid *types.ValidationException
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, types.ValidationExceptionReasonFieldValidationFailed, invalid.Reason)
	require.Len(t, invalid.FieldList, 1)
	require.Equal(t, field, *invalid.FieldList[0].Name)
	require.NotEmpty(t, *invalid.FieldList[0].Message)
}
