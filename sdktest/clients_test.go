package sdktest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/alibabacloud-go/darabonba-openapi/v2/models"
	fc "github.com/alibabacloud-go/fc-20230330/v4/client"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/deadline"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"
)

// region is whatever the caller likes: Limpet has none.
const region = "us-west-2"

// connections keeps more of them than http.DefaultTransport, for tests that run at once.
var connections = &http.Transport{MaxIdleConnsPerHost: 64}

// whole is a transport for AWS's SDKs that has the whole body at hand before it sends a request. They close a body when
// the answer begins, which may be before net/http has looked for its end, and then the answer breaks off with "use of closed
// network connection" (github.com/aws/aws-sdk-go-v2, issue 2737). Their retryers take care of it, by sending again.
type whole struct{ http.RoundTripper }

// RoundTrip sends a request.
func (w whole) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return w.RoundTripper.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return w.RoundTripper.RoundTrip(r)
}

// credentials are static ones, whose secret is that of a key.
func (k key) credentials() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret}, nil
	})
}

// agentClient is AgentCore's SDK. Its retryer is the SDK's own only where options take out the one that never retries: a
// test of an error should not wait for it to come three times.
func agentClient(addr string, k key, options ...func(*bedrockagentcore.Options)) *bedrockagentcore.Client {
	o := bedrockagentcore.Options{
		Region: region, Credentials: k.credentials(), BaseEndpoint: aws.String("http://" + addr),
		HTTPClient: &http.Client{Transport: whole{connections}}, Retryer: aws.NopRetryer{},
	}
	return bedrockagentcore.New(o, options...)
}

// farmClient is Deadline's SDK. It would put "management." before the host, which is the SDK's habit for its own
// endpoints.
func farmClient(addr string, k key, options ...func(*deadline.Options)) *deadline.Client {
	o := deadline.Options{
		Region: region, Credentials: k.credentials(), BaseEndpoint: aws.String("http://" + addr),
		HTTPClient: &http.Client{Transport: whole{connections}}, Retryer: aws.NopRetryer{},
		APIOptions: []func(*middleware.Stack) error{withoutHostPrefix},
	}
	return deadline.New(o, options...)
}

func withoutHostPrefix(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("WithoutHostPrefix",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
		}), middleware.Before)
}

// fcHTTP hands Function Compute's SDK a client. The one of its own is not safe for use by several goroutines.
type fcHTTP struct{ http.RoundTripper }

// Call sends a request.
func (c fcHTTP) Call(r *http.Request, _ *http.Transport) (*http.Response, error) {
	return (&http.Client{Transport: c.RoundTripper}).Do(r)
}

// fcClient is Function Compute's SDK. transport may be nil.
func fcClient(t *testing.T, addr string, k key, transport http.RoundTripper) *fc.Client {
	t.Helper()
	if transport == nil {
		transport = connections
	}
	c, err := fc.NewClient(&models.Config{
		AccessKeyId: &k.id, AccessKeySecret: &k.secret, Endpoint: &addr, Protocol: aws.String("http"),
		HttpClient: fcHTTP{transport},
	})
	require.NoError(t, err)
	return c
}
