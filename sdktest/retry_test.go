package sdktest_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	agent "github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore/types"
	"github.com/aws/aws-sdk-go-v2/service/deadline"
	farmtypes "github.com/aws/aws-sdk-go-v2/service/deadline/types"
	"github.com/stretchr/testify/require"
)

// counted counts what an SDK sends, and loses the answers to the first of them.
type counted struct {
	sent atomic.Int32
	lose int32
}

var errLost = errors.New("connection reset by peer")

// RoundTrip sends the request, and may lose the answer.
func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	n := c.sent.Add(1)
	res, err := connections.RoundTrip(r)
	if err == nil && n <= c.lose {
		_ = res.Body.Close()
		return nil, lostAnswer{errLost}
	}
	return res, err
}

// lostAnswer is what the SDKs take for a broken connection.
type lostAnswer struct{ error }

// Temporary makes the SDK's retryer try again.
func (lostAnswer) Temporary() bool { return true }

// patiently gives an SDK its default retryer, with shorter waits.
func patiently(c *counted) func(*agent.Options) {
	return func(o *agent.Options) {
		o.HTTPClient = &http.Client{Transport: whole{c}}
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 2 * time.Second })
	}
}

// TestRetriesDoNotMultiplyWrites: of a write whose answer was lost, the SDK's next attempt is signed anew, and finds what
// the first one did.
func TestRetriesDoNotMultiplyWrites(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		c := &counted{lose: 1}
		i := interpreter{t, agentClient(d.first().Admin, admin, patiently(c)), full("retry")}
		s := i.start(agent.StartCodeInterpreterSessionInput{})
		require.EqualValues(t, 2, c.sent.Load())
		_, err := interpreterOf(t, d.last(), admin, full("retry")).tryStart(agent.StartCodeInterpreterSessionInput{})
		var quota *types.ServiceQuotaExceededException
		require.ErrorAs(t, err, &quota, "the one slot is taken, and was not taken twice")

		c = &counted{lose: 1}
		i.client = agentClient(d.first().Admin, admin, patiently(c))
		_, err = i.stop(*s.SessionId)
		require.NoError(t, err)
		require.EqualValues(t, 2, c.sent.Load())

		c = &counted{lose: 1}
		a := agentRuntime{t, agentClient(d.first().Admin, admin, patiently(c)), runtimeARN(counter)}
		runtimeOf(t, d.first(), admin, counter).mustInvoke(runtimeID(t))
		_, err = a.stop(runtimeID(t), "") // the SDK makes a clientToken
		require.NoError(t, err)
		require.EqualValues(t, 2, c.sent.Load())

		c = &counted{lose: 1}
		id := *fcOf(t, d.first(), admin, counter).create(nil).SessionId
		j := job{t, farmClient(d.first().Admin, admin, func(o *deadline.Options) {
			o.HTTPClient, o.Retryer = &http.Client{Transport: whole{c}}, retry.NewStandard()
		}), farmID, counter, "LATEST"}
		require.NoError(t, j.end(id))
		require.EqualValues(t, 2, c.sent.Load())
		require.Equal(t, farmtypes.SessionLifecycleStatusEnded, j.mustGet(id).LifecycleStatus)
	})
}

// TestWhatIsNotRetried: an error that the next attempt would get as well, or after which an instance may have done what it
// was asked for.
func TestWhatIsNotRetried(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		once := func(name, payload string) {
			t.Helper()
			c := &counted{}
			_, err := agentRuntime{t, agentClient(d.first().Admin, admin, patiently(c)), name}.try(runtimeID(t), payload)
			require.Error(t, err)
			require.EqualValues(t, 1, c.sent.Load(), err)
		}
		once("nosuch", "{}")
		once(hasty, `{"stall":true}`)
		once(counter, `{"abort":true}`)
		c := &counted{}
		f := fcFunction{t: t, client: fcClient(t, d.first().Admin, admin, c), name: counter}
		_, err := f.invoke(nil, `{"abort":true}`)
		requireFC(t, err, http.StatusBadGateway, "BadGateway")
		require.EqualValues(t, 1, c.sent.Load(), "this SDK never tries again by itself")
	})
}

// TestRates of keys: the next call within the second is refused, and the SDKs' own retries get through.
func TestRates(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *deployment) {
		exhaust := func(what func() error) (err error) {
			t.Helper()
			eventually(t, func() error {
				if err = what(); err == nil {
					return errStill
				}
				return nil
			})
			return err
		}
		client := fcClient(t, d.first().Admin, slowFC, nil)
		client.Client.DisableSDKError = aws.Bool(true) // or it wraps its own types
		f := fcFunction{t: t, client: client, name: counter}
		err := exhaust(func() error { _, err := f.list(fc.ListSessionsRequest{}); return err })
		var throttling *openapi.ThrottlingError
		require.ErrorAs(t, err, &throttling)
		require.Equal(t, "Throttling", *throttling.Code)
		require.Equal(t, http.StatusTooManyRequests, *throttling.StatusCode)

		i := interpreterOf(t, d.first(), slowAgent, counter)
		err = exhaust(func() error { _, err := i.list(agent.ListCodeInterpreterSessionsInput{}); return err })
		var throttled *types.ThrottlingException
		require.ErrorAs(t, err, &throttled)

		j := jobOf(t, d.first(), slowFarm, counter)
		err = exhaust(func() error { _, err := j.list(deadline.ListSessionsInput{}); return err })
		var slowed *farmtypes.ThrottlingException
		require.ErrorAs(t, err, &slowed)
		require.EqualValues(t, 1, *slowed.RetryAfterSeconds)

		raw := call{addr: d.first().Admin, path: "/2023-03-30/functions/" + counter + "/sessions", header: slowFC.bearer()}
		var r reply
		_ = exhaust(func() error {
			if r = raw.do(t); r.status != http.StatusOK {
				return errStill
			}
			return nil
		})
		require.Equal(t, http.StatusTooManyRequests, r.status)
		require.Equal(t, "1", r.header.Get("Retry-After"))

		c := &counted{}
		patient := interpreter{t, agentClient(d.first().Admin, slowRetry, patiently(c), func(o *agent.Options) {
			o.Retryer = retry.AddWithMaxAttempts(o.Retryer, 10)
		}), counter}
		for range 3 {
			_, err = patient.list(agent.ListCodeInterpreterSessionsInput{})
			require.NoError(t, err)
		}
		require.Greater(t, c.sent.Load(), int32(3))
	})
}
