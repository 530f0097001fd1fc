package sdktest_test

import (
	"net/http"
	"testing"
	"time"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/stretchr/testify/require"
)

func TestFCUpdateSession(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		s := f.create(nil)
		require.Equal(t, 1, f.invokeIn(*s.SessionId).Count)
		in := *new(fc.UpdateSessionInput).SetSessionTTLInSeconds(900).SetSessionIdleTimeoutInSeconds(300).SetDisableSessionIdReuse(true)
		var updated *fc.Session
		eventually(t, func() (err error) { // its time is in whole seconds
			if updated, err = f.update(*s.SessionId, in); err == nil && *updated.LastModifiedTime <= *s.CreatedTime {
				err = errStill
			}
			return err
		})
		require.EqualValues(t, 900, *updated.SessionTTLInSeconds)
		require.EqualValues(t, 300, *updated.SessionIdleTimeoutInSeconds)
		require.True(t, *updated.DisableSessionIdReuse)
		require.Equal(t, *s.CreatedTime, *updated.CreatedTime)
		require.Equal(t, *s.ContainerId, *updated.ContainerId)
		got, err := fcOf(t, d.last(), admin, counter).get(*s.SessionId)
		require.NoError(t, err)
		require.Equal(t, updated, got)
		r := f.invokeIn(*s.SessionId)
		require.Equal(t, *s.ContainerId, r.Instance)
		require.Equal(t, 2, r.Count)

		_, err = f.update(*s.SessionId, *new(fc.UpdateSessionInput).SetSessionTTLInSeconds(100).SetSessionIdleTimeoutInSeconds(200))
		requireFC(t, err, http.StatusBadRequest, "InvalidArgument")
		again, err := f.get(*s.SessionId)
		require.NoError(t, err)
		require.Equal(t, updated, again)
	})
}

// TestFCUpdateTakesEffectAtOnce in both directions.
func TestFCUpdateTakesEffectAtOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		extended, shortened := f.createFor(2), f.create(nil)
		began := time.Now()
		visit(t, d.last(), counter, *shortened.SessionId)
		_, err := f.update(*extended.SessionId, *new(fc.UpdateSessionInput).SetSessionTTLInSeconds(600))
		require.NoError(t, err)
		waitUntil(began.Add(2200 * time.Millisecond))
		_, err = f.get(*extended.SessionId)
		require.NoError(t, err, "it outlives the TTL that it was made with")

		_, err = f.update(*shortened.SessionId, *new(fc.UpdateSessionInput).SetSessionTTLInSeconds(1))
		require.NoError(t, err)
		_, err = f.get(*shortened.SessionId)
		requireFC(t, err, http.StatusNotFound, "SessionNotFound")
		r := visit(t, d.first(), counter, *shortened.SessionId)
		require.Equal(t, "created", r.Event)
		require.Equal(t, 1, r.Count)
	})
}

func TestFCIdleTimeout(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		s := f.create(new(fc.CreateSessionInput).SetSessionIdleTimeoutInSeconds(1))
		began := time.Now()
		f.gone(*s.SessionId)
		require.GreaterOrEqual(t, time.Since(began), 900*time.Millisecond)
		listed, err := f.list(fc.ListSessionsRequest{SessionId: s.SessionId})
		require.NoError(t, err)
		require.Len(t, listed.Sessions, 1)
		require.Equal(t, "Expired", *listed.Sessions[0].SessionStatus)
		_, err = f.update(*s.SessionId, *new(fc.UpdateSessionInput).SetSessionTTLInSeconds(600))
		requireFC(t, err, http.StatusNotFound, "SessionNotFound")
	})
}

// TestFCDeleteLetsRequestsFinish where the function is not isolated.
func TestFCDeleteLetsRequestsFinish(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		s := f.create(nil)
		h, held := visitHeld(t, d.last(), counter, *s.SessionId)
		require.NoError(t, f.remove(*s.SessionId))
		_, err := f.get(*s.SessionId)
		requireFC(t, err, http.StatusNotFound, "SessionNotFound")
		next := f.invokeIn(*s.SessionId)
		require.Equal(t, "created", next.Event, "the ID is free at once")
		h.release()
		r := await(t, held, "the request under way finishes")
		require.Equal(t, http.StatusOK, r.status, r.body)
		require.Equal(t, *s.ContainerId, r.Instance)
	})
}

func TestFCDeleteCutsIsolatedRequests(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, isolated)
		s := f.create(nil)
		_, held := visitHeld(t, d.last(), isolated, *s.SessionId)
		require.NoError(t, f.remove(*s.SessionId))
		r := await(t, held, "the request under way is cut off")
		require.Empty(t, r.Instance)
		require.Contains(t, r.body, "EOF", "what has begun cannot be answered otherwise")
		_, err := f.tryCreate(nil)
		requireFC(t, err, http.StatusServiceUnavailable, "NoCapacity") // the instance has had its one session
	})
}
