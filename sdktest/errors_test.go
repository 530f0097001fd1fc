package sdktest_test

import (
	"net/http"
	"testing"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/aws/aws-sdk-go-v2/aws"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore/types"
	"github.com/stretchr/testify/require"
)

func TestFCErrors(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, counter)
		input := func() *fc.CreateSessionInput { return new(fc.CreateSessionInput) }
		for _, in := range []*fc.CreateSessionInput{
			input().SetSessionId("-begins-with-a-dash"), input().SetSessionId("has/slash"), input().SetSessionId(longID(65)),
			input().SetSessionTTLInSeconds(0), input().SetSessionTTLInSeconds(21601), input().SetSessionTTLInSeconds(-1),
			input().SetSessionIdleTimeoutInSeconds(-1), input().SetSessionTTLInSeconds(10).SetSessionIdleTimeoutInSeconds(11),
		} {
			_, err := f.tryCreate(in)
			requireFC(t, err, http.StatusBadRequest, "InvalidArgument")
		}
		_, err := f.as("no/qualifier").tryCreate(nil)
		requireFC(t, err, http.StatusBadRequest, "InvalidArgument")
		for _, limit := range []int32{0, 1001, -1} {
			_, err = f.list(*new(fc.ListSessionsRequest).SetLimit(limit))
			requireFC(t, err, http.StatusBadRequest, "InvalidArgument")
		}
		_, err = f.list(*new(fc.ListSessionsRequest).SetSessionStatus("Paused"))
		requireFC(t, err, http.StatusBadRequest, "InvalidArgument")
		_, err = fcOf(t, d.first(), admin, stateless).tryCreate(nil)
		requireFC(t, err, http.StatusBadRequest, "InvalidArgument")

		_, err = fcOf(t, d.first(), admin, "nosuch").tryCreate(nil)
		requireFC(t, err, http.StatusNotFound, "FunctionNotFound")
		_, err = f.as("noqualifier").tryCreate(nil)
		requireFC(t, err, http.StatusNotFound, "FunctionNotFound")
		_, err = fcOf(t, d.first(), admin, "nosuch").invoke(nil, "")
		requireFC(t, err, http.StatusNotFound, "FunctionNotFound")
		_, err = f.get("nobody")
		requireFC(t, err, http.StatusNotFound, "SessionNotFound")
		_, err = f.update("nobody", fc.UpdateSessionInput{})
		requireFC(t, err, http.StatusNotFound, "SessionNotFound")
		requireFC(t, f.remove("nobody"), http.StatusNotFound, "SessionNotFound")
		_, err = f.client.PauseSession(&f.name, optional("nobody"), &fc.PauseSessionRequest{})
		requireFC(t, err, http.StatusBadRequest, "NotSupported")
		_, err = f.client.ResumeSession(&f.name, optional("nobody"), &fc.ResumeSessionRequest{})
		requireFC(t, err, http.StatusBadRequest, "NotSupported")
	})
}

func longID(n int) string {
	id := make([]byte, n)
	for i := range id {
		id[i] = 'x'
	}
	return string(id)
}

func TestFCAccess(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		for _, c := range []struct {
			key  key
			code string
		}{{mistaken, "SignatureNotMatch"}, {unknownKey, "InvalidAccessKeyID"}, {reader, "AccessDenied"}, {invoker, "AccessDenied"}, {scoped, "AccessDenied"}} {
			_, err := fcOf(t, d.first(), c.key, counter).tryCreate(new(fc.CreateSessionInput).SetSessionId("not-made"))
			requireFC(t, err, http.StatusForbidden, c.code)
		}
		_, err := fcOf(t, d.first(), admin, counter).get("not-made")
		requireFC(t, err, http.StatusNotFound, "SessionNotFound")
		_, err = fcOf(t, d.first(), reader, counter).list(fc.ListSessionsRequest{})
		require.NoError(t, err)
		_, err = fcOf(t, d.first(), invoker, counter).list(fc.ListSessionsRequest{})
		requireFC(t, err, http.StatusForbidden, "AccessDenied")
		_, err = fcOf(t, d.first(), invoker, counter).invoke(nil, "")
		require.NoError(t, err)
		_, err = fcOf(t, d.first(), reader, counter).invoke(nil, "")
		requireFC(t, err, http.StatusForbidden, "AccessDenied")
		fcOf(t, d.first(), scoped, small).create(nil)

		path := "/2023-03-30/functions/" + counter + "/sessions"
		for _, c := range []struct {
			header map[string]string
			status int
		}{{nil, http.StatusUnauthorized}, {mistaken.bearer(), http.StatusForbidden}, {admin.bearer(), http.StatusOK}} {
			r := call{addr: d.first().Admin, path: path, header: c.header}.do(t)
			require.Equal(t, c.status, r.status, r.body)
			require.NotEmpty(t, r.header.Get("X-Fc-Request-Id"))
		}
		tooLarge := call{method: http.MethodPost, addr: d.first().Admin, path: path, header: admin.bearer(), body: `{"sessionId":"` + longID(64<<10) + `"}`}.do(t)
		require.Equal(t, http.StatusBadRequest, tooLarge.status)
		require.Contains(t, tooLarge.body, "EntityTooLarge")
	})
}

// TestFCRefusals are what instances and limits make of a call that nothing is wrong with.
func TestFCRefusals(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		f := fcOf(t, d.first(), admin, full("fc"))
		only := f.create(nil)
		_, err := f.tryCreate(nil)
		requireFC(t, err, http.StatusServiceUnavailable, "NoCapacity")
		_, err = f.invoke(nil, "")
		requireFC(t, err, http.StatusServiceUnavailable, "NoCapacity")
		require.NoError(t, f.remove(*only.SessionId))
		f.create(nil)

		reuse := fcOf(t, d.first(), admin, blockReuse)
		in := new(fc.CreateSessionInput).SetSessionId("once").SetSessionTTLInSeconds(1)
		reuse.create(in)
		reuse.gone("once")
		_, err = reuse.tryCreate(in)
		requireFC(t, err, http.StatusGone, "SessionExpired")
		_, err = reuse.invoke(map[string]string{"x-session-id": "once"}, "")
		requireFC(t, err, http.StatusGone, "SessionExpired")

		eventually(t, func() error {
			_, err = fcOf(t, d.first(), admin, dead).tryCreate(nil)
			if err == nil {
				return errStill
			}
			return nil
		})
		requireFC(t, err, http.StatusServiceUnavailable, "InstanceUnavailable")
		_, err = fcOf(t, d.first(), admin, hasty).invoke(nil, `{"stall":true}`)
		requireFC(t, err, http.StatusGatewayTimeout, "GatewayTimeout")
		_, err = f.as("").asFunction(counter).invoke(nil, `{"abort":true}`)
		requireFC(t, err, http.StatusBadGateway, "BadGateway")
	})
}

func TestAgentCoreErrors(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		i := interpreterOf(t, d.first(), admin, counter)
		const field = types.ValidationExceptionReasonFieldValidationFailed
		for _, c := range []struct {
			in    agent.StartCodeInterpreterSessionInput
			field string
		}{
			{agent.StartCodeInterpreterSessionInput{SessionTimeoutSeconds: aws.Int32(0)}, "sessionTimeoutSeconds"},
			{agent.StartCodeInterpreterSessionInput{SessionTimeoutSeconds: aws.Int32(28801)}, "sessionTimeoutSeconds"},
			{agent.StartCodeInterpreterSessionInput{Name: aws.String("")}, "name"},
			{agent.StartCodeInterpreterSessionInput{Name: aws.String(longID(101))}, "name"},
			{agent.StartCodeInterpreterSessionInput{ClientToken: aws.String("-x")}, "clientToken"},
		} {
			_, err := i.tryStart(c.in)
			requireInvalid(t, err, field, c.field)
		}
		for _, size := range []int32{0, 101} {
			_, err := i.list(agent.ListCodeInterpreterSessionsInput{MaxResults: &size})
			requireInvalid(t, err, field, "maxResults")
		}
		_, err := i.list(agent.ListCodeInterpreterSessionsInput{Status: "STOPPING"})
		requireInvalid(t, err, field, "status")
		_, err = interpreterOf(t, d.first(), admin, cookies).tryStart(agent.StartCodeInterpreterSessionInput{})
		require.NoError(t, err)
		_, err = interpreterOf(t, d.first(), admin, stateless).tryStart(agent.StartCodeInterpreterSessionInput{})
		requireInvalid(t, err, field, "")

		for _, name := range []string{"nosuch", interpreterARN("nosuch")} {
			_, err = interpreterOf(t, d.first(), admin, name).tryStart(agent.StartCodeInterpreterSessionInput{})
			requireMissing(t, err)
			_, err = interpreterOf(t, d.first(), admin, name).list(agent.ListCodeInterpreterSessionsInput{})
			requireMissing(t, err)
			_, err = runtimeOf(t, d.first(), admin, name).invoke("")
			requireMissing(t, err)
		}
		_, err = i.get("nobody")
		requireMissing(t, err)
		_, err = i.stop("nobody")
		requireMissing(t, err)
		_, _, err = i.execute("nobody")
		requireMissing(t, err)

		for _, k := range []key{mistaken, unknownKey, reader, invoker, scoped} {
			var denied *types.AccessDeniedException
			_, err = interpreterOf(t, d.first(), k, counter).tryStart(agent.StartCodeInterpreterSessionInput{})
			require.ErrorAs(t, err, &denied, k.id)
		}
		require.Equal(t, http.StatusOK, runtimeOf(t, d.first(), invoker, counter).mustInvoke("").status)
	})
}

// TestAgentCoreRefusals are what instances and limits make of a call that nothing is wrong with.
func TestAgentCoreRefusals(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		i := interpreterOf(t, d.first(), admin, full("agent"))
		id := i.begin()
		var quota *types.ServiceQuotaExceededException
		_, err := i.tryStart(agent.StartCodeInterpreterSessionInput{})
		require.ErrorAs(t, err, &quota)
		_, err = runtimeOf(t, d.first(), admin, full("agent")).invoke("")
		require.ErrorAs(t, err, &quota)
		_, err = i.stop(id)
		require.NoError(t, err)
		i.begin()

		h, held := visitHeld(t, d.first(), narrow, "busy-session")
		var throttled *types.ThrottlingException
		_, err = runtimeOf(t, d.first(), admin, narrow).invoke(runtimeID(t))
		require.ErrorAs(t, err, &throttled, "the instance has all the requests that it may have")
		_, err = fcOf(t, d.first(), admin, narrow).invoke(map[string]string{"x-session-id": "busy-session"}, "")
		requireFC(t, err, http.StatusTooManyRequests, "ResourceExhausted")
		h.release()
		require.Equal(t, http.StatusOK, await(t, held, "the held request").status)

		var failed *types.RuntimeClientError
		_, err = runtimeOf(t, d.first(), admin, counter).try("", `{"abort":true}`)
		require.ErrorAs(t, err, &failed)
		_, err = runtimeOf(t, d.first(), admin, hasty).try("", `{"stall":true}`)
		require.ErrorAs(t, err, &failed)
		var internal *types.InternalServerException
		_, err = interpreterOf(t, d.first(), admin, dead).tryStart(agent.StartCodeInterpreterSessionInput{})
		require.ErrorAs(t, err, &internal)
	})
}
