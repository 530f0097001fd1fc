package sdktest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/alibabacloud-go/darabonba-openapi/v2/models"
	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/stretchr/testify/require"
)

// generatedID is the form of the IDs that Limpet makes: 32 hexadecimal digits, as in the vendors' samples.
const generatedID = `^[0-9a-f]{32}$`

func TestFCSession(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		s := f.create(nil)
		require.Regexp(t, generatedID, *s.SessionId)
		require.Contains(t, []string{"i0", "i1", "i2"}, *s.ContainerId)
		require.Equal(t, counter, *s.FunctionName)
		require.Equal(t, "LATEST", *s.Qualifier)
		require.Equal(t, "HEADER_FIELD", *s.SessionAffinityType)
		require.Equal(t, "Active", *s.SessionStatus)
		require.EqualValues(t, 21600, *s.SessionTTLInSeconds)
		require.EqualValues(t, 3600, *s.SessionIdleTimeoutInSeconds)
		require.False(t, *s.DisableSessionIdReuse)
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, *s.CreatedTime)
		created, err := time.Parse(time.RFC3339, *s.CreatedTime)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), created, time.Minute)
		require.Equal(t, *s.CreatedTime, *s.LastModifiedTime)

		got, err := fcOf(t, d.last(), admin, counter).get(*s.SessionId)
		require.NoError(t, err)
		require.Equal(t, s, got)

		// The first request finds the home that CreateSession chose, through whichever replica it comes.
		r := visit(t, d.last(), counter, *s.SessionId)
		require.Equal(t, *s.ContainerId, r.Instance)
		require.Equal(t, 1, r.Count)
		require.Equal(t, "created", r.Event)
		require.Equal(t, "created", r.header.Get("Limpet-Session-Event"))

		require.NoError(t, f.remove(*s.SessionId))
		_, err = f.get(*s.SessionId)
		requireFC(t, err, http.StatusNotFound, "SessionNotFound")
		listed, err := f.list(fc.ListSessionsRequest{SessionId: s.SessionId})
		require.NoError(t, err)
		require.Empty(t, listed.Sessions, "a deleted session leaves nothing")
		r = visit(t, d.first(), counter, *s.SessionId)
		require.Equal(t, 1, r.Count, "another session with the same ID")
		require.Equal(t, "created", r.Event)
	})
}

// TestFCByTheSDKsOwnMeans has no HTTP client of the test's.
func TestFCByTheSDKsOwnMeans(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		c, err := fc.NewClient(new(models.Config).SetAccessKeyId(admin.id).SetAccessKeySecret(admin.secret).
			SetEndpoint(d.first().Admin).SetProtocol("http"))
		require.NoError(t, err)
		f := fcFunction{t: t, client: c, name: counter}
		s := f.create(nil)
		require.Equal(t, *s.ContainerId, f.invokeIn(*s.SessionId).Instance)
		require.NoError(t, f.remove(*s.SessionId))
	})
}

func TestFCSessionWithSettingsOfItsOwn(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		for _, qualifier := range []string{"LATEST", "prod"} {
			f := fcOf(t, d.first(), admin, counter).as(qualifier)
			in := new(fc.CreateSessionInput).SetSessionId("custom-test-session-id").SetSessionTTLInSeconds(600).
				SetSessionIdleTimeoutInSeconds(30).SetDisableSessionIdReuse(true)
			s := f.create(in)
			require.Equal(t, "custom-test-session-id", *s.SessionId)
			require.Equal(t, qualifier, *s.Qualifier)
			require.EqualValues(t, 600, *s.SessionTTLInSeconds)
			require.EqualValues(t, 30, *s.SessionIdleTimeoutInSeconds)
			require.True(t, *s.DisableSessionIdReuse)
			_, err := f.tryCreate(in)
			requireFC(t, err, http.StatusConflict, "SessionAlreadyExists")
			_, err = fcOf(t, d.last(), admin, counter).as(qualifier).tryCreate(in)
			requireFC(t, err, http.StatusConflict, "SessionAlreadyExists")
			require.NoError(t, f.remove(*s.SessionId))
		}
		none := fcOf(t, d.first(), admin, counter).create(new(fc.CreateSessionInput).SetSessionIdleTimeoutInSeconds(0))
		require.EqualValues(t, 0, *none.SessionIdleTimeoutInSeconds)
		short := fcOf(t, d.first(), admin, counter).create(new(fc.CreateSessionInput).SetSessionTTLInSeconds(60))
		require.EqualValues(t, 60, *short.SessionIdleTimeoutInSeconds, "it follows the shorter TTL")
	})
}

// TestFCInvokeFunction lands on the home by every way there is.
func TestFCInvokeFunction(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		for qualifier, path := range map[string]string{"": counter, "prod": counter + "-prod"} {
			f := fcOf(t, d.first(), admin, counter).as(qualifier)
			data := fcFunction{t: t, client: fcClient(t, d.last().Listen, unknownKey, nil), name: counter, qualifier: qualifier}
			s := f.create(nil)
			for n, r := range []reply{
				f.invokeIn(*s.SessionId), data.invokeIn(*s.SessionId), visit(t, d.last(), path, *s.SessionId), f.invokeIn(*s.SessionId),
			} {
				require.Equal(t, *s.ContainerId, r.Instance)
				require.Equal(t, n+1, r.Count)
				require.Equal(t, *s.SessionId, r.Session)
			}
			r := f.invokeIn(*s.SessionId)
			require.Equal(t, "/invoke", r.header.Get(samplePath))
			require.Empty(t, r.header.Get(sampleQuery))
			require.Equal(t, *s.SessionId, r.header.Get(sessionHeader))

			fresh, err := f.invoke(nil, "")
			require.NoError(t, err)
			require.Equal(t, fresh.Session, fresh.header.Get(sessionHeader), "a session made on demand is told")
			require.Equal(t, 2, f.invokeIn(fresh.Session).Count)
			got, err := f.get(fresh.Session)
			require.NoError(t, err)
			require.Equal(t, fresh.Instance, *got.ContainerId)
		}
		stateless, err := fcOf(t, d.first(), admin, stateless).invoke(nil, "event")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, stateless.status)
	})
}

func TestFCAsynchronousInvocationIsRefused(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		_, err := f.invoke(map[string]string{"x-fc-invocation-type": "Async"}, "")
		requireFC(t, err, http.StatusBadRequest, "InvalidArgument")
		require.ErrorContains(t, err, "asynchronous")
		_, err = f.invoke(map[string]string{"x-fc-invocation-type": "Sync"}, "")
		require.NoError(t, err)
	})
}

func TestFCCookieSession(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, cookies)
		res, err := f.tryCreate(nil)
		require.NoError(t, err)
		s := res.Body
		require.Equal(t, "GENERATED_COOKIE", *s.SessionAffinityType)
		cookie, err := http.ParseSetCookie(value(res.Headers["set-cookie"]))
		require.NoError(t, err)
		require.Equal(t, cookieName, cookie.Name)
		require.Equal(t, 21600, cookie.MaxAge)
		require.True(t, cookie.HttpOnly)
		require.NotEqual(t, *s.SessionId, cookie.Value)

		visitWith := func(cookie string) reply {
			r := call{addr: d.last().Listen, path: "/" + cookies, header: map[string]string{"Cookie": cookie}}.do(t)
			require.Equal(t, http.StatusOK, r.status, r.body)
			return r
		}
		first := visitWith(cookieName + "=" + cookie.Value) // as a browser has it
		require.Equal(t, *s.ContainerId, first.Instance)
		require.Equal(t, *s.SessionId, first.Session)
		raw := visitWith(cookieName + "=" + *s.SessionId) // as Function Compute's own clients have it
		require.Equal(t, *s.ContainerId, raw.Instance)
		require.Equal(t, 2, raw.Count)
		invoked, err := f.invoke(map[string]string{"cookie": cookieName + "=" + *s.SessionId}, "")
		require.NoError(t, err)
		require.Equal(t, *s.ContainerId, invoked.Instance)
		require.Equal(t, 3, invoked.Count)

		// Nothing else may be presented without a signature.
		onDemand := visitWith("")
		planted := visitWith(cookieName + "=" + onDemand.Session)
		require.NotEqual(t, onDemand.Session, planted.Session)
		require.NoError(t, f.remove(*s.SessionId))
		eventually(t, func() error { // the other replica may route what it knows for a second
			if visitWith(cookieName+"="+*s.SessionId).Session == *s.SessionId {
				return errStill
			}
			return nil
		})
		_, err = f.tryCreate(new(fc.CreateSessionInput).SetSessionId("my-own-choice"))
		requireFC(t, err, http.StatusBadRequest, "InvalidArgument")
	})
}
