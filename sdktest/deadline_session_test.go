package sdktest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/deadline"
	"github.com/aws/aws-sdk-go-v2/service/deadline/types"
	"github.com/stretchr/testify/require"
)

func TestDeadlineSession(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		s := fcOf(t, d.first(), admin, counter).create(nil)
		derived := namesOf(t, d.first(), counter, "LATEST")
		require.Equal(t, derived, namesOf(t, d.last(), counter, "LATEST"))
		for kind, id := range map[string]string{
			"farm": derived.FarmID, "queue": derived.QueueID, "job": derived.JobID, "fleet": derived.FleetID, "worker": derived.workers["i0"],
		} {
			require.Regexp(t, "^"+kind+"-[0-9a-f]{32}$", id)
		}
		plain := jobOf(t, d.first(), admin, counter)
		vendor := plain.at(d.last())
		vendor.farm, vendor.queue, vendor.job = derived.FarmID, derived.QueueID, derived.JobID

		sessionID := "session-" + *s.SessionId
		var of []*deadline.GetSessionOutput
		for _, j := range []job{plain, vendor} {
			for _, id := range []string{*s.SessionId, sessionID} {
				got := j.mustGet(id)
				got.ResultMetadata = (&deadline.GetSessionOutput{}).ResultMetadata
				of = append(of, got)
			}
		}
		for _, got := range of {
			require.Equal(t, of[0], got, "by whatever names")
			require.Equal(t, sessionID, *got.SessionId)
			require.Equal(t, types.SessionLifecycleStatusStarted, got.LifecycleStatus)
			require.Equal(t, derived.FleetID, *got.FleetId)
			require.Equal(t, derived.workers[*s.ContainerId], *got.WorkerId)
			require.Equal(t, *s.CreatedTime, got.StartedAt.Truncate(time.Second).Format(time.RFC3339))
			require.NotNil(t, got.Log)
			require.Nil(t, got.EndedAt)
			require.Empty(t, got.TargetLifecycleStatus)
		}
	})
}

// TestDeadlineUpdateSession ends a session that serves a request.
func TestDeadlineUpdateSession(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		s := fcOf(t, d.first(), admin, counter).create(nil)
		j := jobOf(t, d.first(), admin, counter)
		h, held := visitHeld(t, d.first(), counter, *s.SessionId)
		require.NoError(t, j.end(*s.SessionId))
		updating := j.at(d.last()).mustGet(*s.SessionId)
		require.Equal(t, types.SessionLifecycleStatusUpdateInProgress, updating.LifecycleStatus)
		require.Equal(t, types.SessionLifecycleTargetStatusEnded, updating.TargetLifecycleStatus)
		require.Nil(t, updating.EndedAt)
		require.NotNil(t, updating.UpdatedAt)
		next := visit(t, d.first(), counter, *s.SessionId)
		require.Equal(t, "created", next.Event, "nothing more is routed to it")
		require.NoError(t, fcOf(t, d.first(), admin, counter).remove(*s.SessionId))

		h.release()
		require.Equal(t, 200, await(t, held, "the request under way finishes").status)
		var ended *deadline.GetSessionOutput
		eventually(t, func() error {
			if ended = j.mustGet(*s.SessionId); ended.LifecycleStatus != types.SessionLifecycleStatusEnded {
				return errStill
			}
			return nil
		})
		require.Empty(t, ended.TargetLifecycleStatus)
		require.False(t, ended.EndedAt.Before(*ended.StartedAt))
		require.NoError(t, j.end(*s.SessionId), "it is what was asked for")
	})
}

// TestDeadlineUpdateSessionElsewhere ends a session through a replica that does not know of the request yet: the other one
// says so with its next touches.
func TestDeadlineUpdateSessionElsewhere(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		s := fcOf(t, d.first(), admin, counter).create(nil)
		j := jobOf(t, d.first(), admin, counter)
		h, held := visitHeld(t, d.last(), counter, *s.SessionId)
		require.NoError(t, j.end(*s.SessionId))
		reach := func(status types.SessionLifecycleStatus) {
			t.Helper()
			eventually(t, func() error {
				if j.mustGet(*s.SessionId).LifecycleStatus != status {
					return errStill
				}
				return nil
			})
		}
		reach(types.SessionLifecycleStatusUpdateInProgress)
		h.release()
		require.Equal(t, 200, await(t, held, "the request under way finishes").status)
		reach(types.SessionLifecycleStatusEnded)
	})
}

func TestDeadlineListSessions(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		j := jobOf(t, d.first(), admin, farm)
		latest, prod := fcOf(t, d.first(), admin, farm), fcOf(t, d.first(), admin, farm).as("prod")
		homes := map[string]string{}
		var ofProd string
		for range 7 {
			s := latest.create(nil)
			homes["session-"+*s.SessionId] = *s.ContainerId
		}
		ofProd = *prod.create(nil).SessionId
		ended := *latest.create(nil).SessionId
		require.NoError(t, j.end(ended))

		derived := namesOf(t, d.last(), farm, "LATEST")
		listed := j.at(d.last()).pages(2)
		require.Len(t, listed, 8)
		for _, s := range listed {
			if *s.SessionId == "session-"+ended {
				require.Equal(t, types.SessionLifecycleStatusEnded, s.LifecycleStatus)
				require.NotNil(t, s.EndedAt)
				require.NotNil(t, s.UpdatedAt)
				continue
			}
			require.Equal(t, types.SessionLifecycleStatusStarted, s.LifecycleStatus)
			require.Equal(t, derived.FleetID, *s.FleetId)
			require.Equal(t, derived.workers[homes[*s.SessionId]], *s.WorkerId)
		}
		require.Len(t, j.as("prod").pages(100), 1)
		inProd := namesOf(t, d.first(), farm, "prod")
		require.Equal(t, derived.QueueID, inProd.QueueID)
		require.NotEqual(t, derived.FleetID, inProd.FleetID)
		require.NotEqual(t, derived.workers["i0"], inProd.workers["i0"], "the same program is a worker of two fleets")
		require.Equal(t, "session-"+ofProd, *j.as(inProd.JobID).pages(1)[0].SessionId)

		byWorker := map[string]bool{}
		for instance, worker := range derived.workers {
			plain, vendor := j.ofWorker(farm, instance, 1), j.ofWorker(derived.FleetID, worker, 100)
			require.Equal(t, plain, vendor)
			for _, s := range plain {
				require.Equal(t, derived.QueueID, *s.QueueId)
				require.Equal(t, derived.JobID, *s.JobId)
				if home := homes[*s.SessionId]; home != "" {
					require.Equal(t, instance, home)
				}
				byWorker[*s.SessionId] = true
			}
		}
		require.Len(t, byWorker, 8)
	})
}

func TestDeadlineErrors(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		j := jobOf(t, d.first(), admin, farm)
		_, err := j.get("nobody")
		requireNoSuch(t, err, "session", "nobody")
		requireNoSuch(t, j.end("nobody"), "session", "nobody")
		_, err = j.as("nojob").get("nobody")
		requireNoSuch(t, err, "job", "nojob")
		elsewhere := j
		elsewhere.queue = "noqueue"
		_, err = elsewhere.list(deadline.ListSessionsInput{})
		requireNoSuch(t, err, "queue", "noqueue")
		elsewhere.farm = "nofarm"
		_, err = elsewhere.list(deadline.ListSessionsInput{})
		requireNoSuch(t, err, "farm", "nofarm")
		_, err = j.client.ListSessionsForWorker(t.Context(),
			&deadline.ListSessionsForWorkerInput{FarmId: aws.String(farmID), FleetId: aws.String(farm), WorkerId: aws.String("noworker")})
		requireNoSuch(t, err, "worker", "noworker")
		_, err = j.list(deadline.ListSessionsInput{NextToken: aws.String("no token")})
		requireRejected(t, err, "nextToken")
		_, err = j.list(deadline.ListSessionsInput{NextToken: aws.String(strings.Repeat("A", 4096))})
		requireRejected(t, err, "nextToken")
		for _, size := range []int32{0, 101, -1} {
			_, err = j.list(deadline.ListSessionsInput{MaxResults: &size})
			requireRejected(t, err, "maxResults")
		}
		_, err = j.client.UpdateSession(t.Context(), &deadline.UpdateSessionInput{
			FarmId: &j.farm, QueueId: &j.queue, JobId: &j.job, SessionId: aws.String("nobody"), TargetLifecycleStatus: "STARTED",
		})
		requireRejected(t, err, "targetLifecycleStatus")

		for _, k := range []key{mistaken, unknownKey, invoker, scoped} {
			var denied *types.AccessDeniedException
			_, err = jobOf(t, d.first(), k, farm).list(deadline.ListSessionsInput{})
			require.ErrorAs(t, err, &denied, k.id)
			require.NotEmpty(t, *denied.Message)
		}
		var denied *types.AccessDeniedException
		require.ErrorAs(t, jobOf(t, d.first(), reader, farm).end("nobody"), &denied)
		_, err = jobOf(t, d.first(), reader, farm).list(deadline.ListSessionsInput{})
		require.NoError(t, err)
	})
}
