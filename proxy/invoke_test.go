package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/proxy"
)

func TestInvokeForAnotherListener(t *testing.T) {
	back, got := recorder()
	w := start(t, func(c *proxy.FunctionConfig) { c.Match.Host = "nobody.example" }, back) // without invoke
	a := w.admin()
	require.Equal(t, http.StatusNotFound, w.post(fcPath, "").StatusCode)
	require.Equal(t, http.StatusOK, a.post(fcPath, "").StatusCode)
	<-got
	a.post("/2023-03-30/functions/g/invocations", "").saysFC(t, "FunctionNotFound", http.StatusNotFound)
	a.post("/runtimes/g/invocations", "").saysAWS(t, "FunctionNotFound", "ResourceNotFoundException", http.StatusNotFound)
	a.get(fcPath, "s").saysFC(t, "MethodNotAllowed", http.StatusMethodNotAllowed)
	for _, path := range []string{"/", "/2023-03-30/functions/f/sessions", "/invoke"} {
		a.post(path, "").fails(t, "NotFound", http.StatusNotFound)
	}
	w.idle()
}

// What authenticates a caller on the admin listener would let an instance act in its name.
func TestCredentialsOfTheAdminListenerDoNotReachTheInstance(t *testing.T) {
	back, got := recorder()
	w := start(t, func(c *proxy.FunctionConfig) { c.Invoke = true }, back)
	headers := []string{
		"Authorization", "Bearer secret", "X-Acs-Signature-Nonce", "n", "x-acs-date", "d", "X-Acs-Content-Sha256", "h", "X_acs_security_token", "t",
		"X-Amz-Security-Token", "t", "X-Amz-Date", "d", "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD", "Amz-Sdk-Invocation-Id", "i", "amz-sdk-request", "r",
		"Connection", "X-Mine",
	}
	query := "?X-Amz-Signature=s&x-amz-credential=c&X%2DAmz-Date=d&x-acs-signature=s&mine=1"
	for _, path := range []string{fcPath, runtimePath, interpreterPath} {
		require.Equal(t, http.StatusOK, w.admin().post(path+query, "x", append(headers, "X-Amzn-Trace-Id", "kept", "X-Mine", "1")...).StatusCode)
		s := <-got
		require.Equal(t, "/invoke?mine=1", s.uri)
		require.Equal(t, "kept", s.header.Get("X-Amzn-Trace-Id"))
		for i := 0; i < len(headers); i += 2 {
			require.NotContains(t, s.header, http.CanonicalHeaderKey(headers[i]), path)
		}
	}
	// On the data listener nobody has read them: they are the application's.
	for _, path := range []string{fcPath, runtimePath} {
		require.Equal(t, http.StatusOK, w.post(path+query, "", headers...).StatusCode)
		s := <-got
		require.Equal(t, "Bearer secret", s.header.Get("Authorization"))
		require.Equal(t, "d", s.header.Get("X-Amz-Date"))
		require.Equal(t, "/invoke"+query, s.uri)
	}
}

func TestShutdownCutsWhatAnotherListenerInvoked(t *testing.T) {
	entered := make(chan struct{})
	w := start(t, invoked, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	a, got := w.admin(), make(chan answer, 1)
	go func() { got <- a.post(fcPath, "") }()
	<-entered
	require.Equal(t, 1, w.shutdown(0))
	(<-got).saysFC(t, "InstanceUnavailable", http.StatusServiceUnavailable)
}

// refusedBody is what the admin plane makes of a body that turns out not to be the signed one.
type refusedBody struct{ refusal error }

func (b refusedBody) Read([]byte) (int, error) { return 0, b.refusal }
func (refusedBody) Close() error               { return nil }

// TestABodyThatIsRefusedMidwaySaysWhy: the signature was good, the body was not; that is no ill-formed request.
func TestABodyThatIsRefusedMidwaySaysWhy(t *testing.T) {
	back, _ := recorder()
	w := start(t, invoked, back)
	r := httptest.NewRequest(http.MethodPost, runtimePath, nil)
	r.Body, r.ContentLength = refusedBody{&dialects.Error{
		Code: dialects.CodeSignatureNotMatch, Status: http.StatusForbidden, Message: "another body",
	}}, -1
	got := httptest.NewRecorder()
	w.handler.Invoke(got, r)
	require.Equal(t, http.StatusForbidden, got.Code, got.Body.String())
	require.Equal(t, "AccessDeniedException", got.Header().Get("X-Amzn-Errortype"))
}
