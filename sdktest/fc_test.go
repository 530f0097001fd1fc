package sdktest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/limpettest"
)

// fcFunction is one function and qualifier through Function Compute's SDK.
type fcFunction struct {
	t               *testing.T
	client          *fc.Client
	name, qualifier string
}

func fcOf(t *testing.T, p *limpettest.Process, k key, function string) fcFunction {
	t.Helper()
	return fcFunction{t: t, client: fcClient(t, p.Admin, k, nil), name: function}
}

// as is the same with another qualifier.
func (f fcFunction) as(qualifier string) fcFunction {
	f.qualifier = qualifier
	return f
}

// asFunction is the same with another function.
func (f fcFunction) asFunction(name string) fcFunction {
	f.name = name
	return f
}

func (f fcFunction) tryCreate(in *fc.CreateSessionInput) (*fc.CreateSessionResponse, error) {
	return f.client.CreateSession(&f.name, &fc.CreateSessionRequest{Body: in, Qualifier: optional(f.qualifier)})
}

func (f fcFunction) create(in *fc.CreateSessionInput) *fc.Session {
	f.t.Helper()
	res, err := f.tryCreate(in)
	require.NoError(f.t, err)
	f.requireRequestID(res.Headers)
	require.EqualValues(f.t, http.StatusOK, value(res.StatusCode))
	return res.Body
}

// createFor makes a session with a TTL in seconds.
func (f fcFunction) createFor(ttl int64) *fc.Session {
	f.t.Helper()
	return f.create(&fc.CreateSessionInput{SessionTTLInSeconds: &ttl})
}

func (f fcFunction) get(id string) (*fc.Session, error) {
	res, err := f.client.GetSession(&f.name, &id, &fc.GetSessionRequest{Qualifier: optional(f.qualifier)})
	if err != nil {
		return nil, err
	}
	f.requireRequestID(res.Headers)
	return res.Body, nil
}

func (f fcFunction) update(id string, in fc.UpdateSessionInput) (*fc.Session, error) {
	res, err := f.client.UpdateSession(&f.name, &id, &fc.UpdateSessionRequest{Body: &in, Qualifier: optional(f.qualifier)})
	if err != nil {
		return nil, err
	}
	f.requireRequestID(res.Headers)
	return res.Body, nil
}

func (f fcFunction) remove(id string) error {
	res, err := f.client.DeleteSession(&f.name, &id, &fc.DeleteSessionRequest{Qualifier: optional(f.qualifier)})
	if err == nil {
		f.requireRequestID(res.Headers)
	}
	return err
}

func (f fcFunction) list(r fc.ListSessionsRequest) (*fc.ListSessionsOutput, error) {
	r.Qualifier = optional(f.qualifier)
	res, err := f.client.ListSessions(&f.name, &r)
	if err != nil {
		return nil, err
	}
	f.requireRequestID(res.Headers)
	return res.Body, nil
}

// invoke calls the function with headers of the caller's.
func (f fcFunction) invoke(common map[string]string, body string) (reply, error) {
	headers := &fc.InvokeFunctionHeaders{CommonHeaders: map[string]*string{}}
	for name, v := range common {
		headers.CommonHeaders[name] = &v
	}
	request := &fc.InvokeFunctionRequest{Body: strings.NewReader(body), Qualifier: optional(f.qualifier)}
	res, err := f.client.InvokeFunctionWithOptions(&f.name, request, headers, &dara.RuntimeOptions{})
	if err != nil {
		return reply{}, err
	}
	if c, ok := res.Body.(io.Closer); ok {
		defer c.Close()
	}
	f.requireRequestID(res.Headers)
	h := http.Header{}
	for name, v := range res.Headers {
		h.Set(name, *v)
	}
	return readReply(int(value(res.StatusCode)), h, res.Body)
}

// invokeIn calls the function in a session.
func (f fcFunction) invokeIn(id string) reply {
	f.t.Helper()
	r, err := f.invoke(map[string]string{strings.ToLower(sessionHeader): id}, "{}")
	require.NoError(f.t, err)
	require.Equal(f.t, http.StatusOK, r.status)
	return r
}

func (f fcFunction) requireRequestID(headers map[string]*string) {
	f.t.Helper()
	require.Regexp(f.t, `^1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}$`, value(headers["x-fc-request-id"]))
}

// requireFC requires the error that the SDK makes of an answer.
func requireFC(t *testing.T, err error, status int, code string) {
	t.Helper()
	var e *tea.SDKError
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, value(e.Code), err)
	require.Equal(t, status, value(e.StatusCode), err)
	require.Regexp(t, `request id: 1-[0-9a-f]{8}-`, value(e.Message))
}

// gone asks until there is no such session.
func (f fcFunction) gone(id string) {
	f.t.Helper()
	var err error
	eventually(f.t, func() error {
		if _, err = f.get(id); err == nil {
			return errStill
		}
		return nil
	})
	requireFC(f.t, err, http.StatusNotFound, "SessionNotFound")
}
