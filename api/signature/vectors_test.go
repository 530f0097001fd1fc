package signature_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api/signature"
)

// recorded returns the requests of testdata: what the unmodified SDKs of semantics.md (fc-20230330 v4.7.6, deadline
// v1.18.0 and bedrockagentcore v1.50.0 for Go, botocore 1.43.11) sent over a socket for this key and secret, less the
// User-Agent, which none of them signs.
func recorded(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.http")
	require.NoError(t, err)
	require.Len(t, files, 17)
	requests := map[string]string{}
	for _, file := range files {
		wire, err := os.ReadFile(file)
		require.NoError(t, err)
		requests[strings.TrimSuffix(filepath.Base(file), ".http")] = string(wire)
	}
	return requests
}

// serve answers each request with what check says of it.
func serve(t testing.TB) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := check(r)
		_, _ = fmt.Fprintf(w, "%s %s %s/%s %v", s.Scheme, s.KeyID, s.Region, s.Service, err)
	}))
	t.Cleanup(server.Close)
	return server
}

// send writes bytes to a server and returns the body of its answer.
func send(t testing.TB, server *httptest.Server, wire string) string {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, strings.Replace(wire, "\r\n", "\r\nConnection: close\r\n", 1))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
	return body
}

func TestWhatTheSDKsSignVerifies(t *testing.T) {
	server := serve(t)
	server.Start()
	for name, wire := range recorded(t) {
		want := "ACS3-HMAC-SHA256 LTAIexample / <nil>"
		switch dialect, _, _ := strings.Cut(name, "-"); {
		case strings.HasPrefix(name, "deadline-go"):
			want = "AWS4-HMAC-SHA256 LTAIexample us-west-2/deadline <nil>"
		case dialect == "deadline":
			want = "AWS4-HMAC-SHA256 LTAIexample us-east-1/deadline <nil>"
		case dialect == "agentcore":
			want = "AWS4-HMAC-SHA256 LTAIexample us-east-1/bedrock-agentcore <nil>"
		}
		require.Equal(t, want, send(t, server, wire), name)
	}
}

func TestWhatTheSDKsSignIsOfOneSecret(t *testing.T) {
	for name, wire := range recorded(t) {
		r := request(t, wire)
		s, ok, err := signature.Parse(r)
		require.NoError(t, err, name)
		require.True(t, ok, name)
		_, body, _ := strings.Cut(wire, "\r\n\r\n")
		require.NoError(t, s.Verify(r, []byte(secret), sum(body)), name)
		for _, other := range []string{"", secret[1:], secret + "\n", strings.ToUpper(secret)} {
			require.ErrorIs(t, s.Verify(r, []byte(other), sum(body)), signature.ErrMismatch, name)
		}
	}
}

func TestPartsOfASignature(t *testing.T) {
	files := recorded(t)
	s, ok, err := signature.Parse(request(t, files["agentcore-go-invoke-runtime-unsigned"]))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, signature.SigV4, s.Scheme)
	require.Equal(t, signature.UnsignedPayload, s.Payload)
	require.Len(t, s.Signature, 64)
	require.Empty(t, s.Nonce)
	require.Equal(t, time.UTC, s.Time.Location())
	require.True(t, s.Signs("X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"))
	require.False(t, s.Signs("X-Amzn-Trace-Id"))
	s, _, err = signature.Parse(request(t, files["agentcore-python-invoke-runtime"]))
	require.NoError(t, err)
	require.Empty(t, s.Payload)
	s, _, err = signature.Parse(request(t, acs3().wire()))
	require.NoError(t, err)
	require.Equal(t, nonce, s.Nonce)
	require.Equal(t, sum(acs3().body), s.Payload)
	require.Equal(t, time.Date(2026, 11, 22, 21, 16, 8, 0, time.UTC), s.Time)
	require.True(t, s.Signs("x-acs-action"))
	require.False(t, s.Signs("Accept"))
}

func TestSignedOverHTTP2(t *testing.T) {
	server := serve(t)
	server.EnableHTTP2 = true
	server.StartTLS()
	for _, d := range []draft{acs3(), sigV4()} {
		d.header["host"] = server.Listener.Addr().String()
		target := server.URL + d.path + "?" + d.query
		r, err := http.NewRequestWithContext(t.Context(), d.method, target, strings.NewReader(d.body))
		require.NoError(t, err)
		for name, value := range d.headers() {
			r.Header.Set(name, value)
		}
		r.Header.Del("Host")
		r.Header.Set("Authorization", d.authorization())
		response, err := server.Client().Do(r)
		require.NoError(t, err)
		require.Equal(t, 2, response.ProtoMajor)
		answer, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.True(t, strings.HasSuffix(string(answer), " <nil>"), "%s", answer)
	}
}

// The examples that the vendors publish: AWS's of the IAM User Guide and its test suite (but for those that normalize a
// path or send one unescaped), Alibaba Cloud's of "Request syntax and signature method V3".
func TestPublishedVectors(t *testing.T) {
	const (
		scope   = "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="
		host    = "Host: example.amazonaws.com\r\nX-Amz-Date: 20150830T123600Z\r\n"
		form    = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 13\r\n"
		vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
		letters = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		acs     = "Host: ecs.cn-shanghai.aliyuncs.com\r\nx-acs-action: RunInstances\r\n" +
			"x-acs-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\nx-acs-date: 2023-10-26T10:22:32Z\r\n" +
			"x-acs-signature-nonce: 3156853299f313e23d1673dc12e1703d\r\nx-acs-version: 2014-05-26\r\n"
	)
	for name, v := range map[string]struct{ line, headers, body, signed, signature string }{
		"get-vanilla":                   {"GET /", host, "", scope + "host;x-amz-date", vanilla},
		"get-vanilla-query-order-value": {"GET /?Param1=value2&Param1=value1", host, "", scope + "host;x-amz-date", "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
		"get-vanilla-query-order-key":   {"GET /?Param2=value2&Param1=value1", host, "", scope + "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		"get-unreserved":                {"GET /" + letters, host, "", scope + "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		"get-utf8":                      {"GET /\u1234", host, "", scope + "host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		"get-header-value-trim": {"GET /", host + "My-Header1:  value1\r\nMy-Header2: \"a   b   c\"\r\n", "",
			scope + "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		"post-vanilla": {"POST /", host, "", scope + "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"post-x-www-form-urlencoded": {"POST /", host + form, "Param1=value1", scope + "content-type;host;x-amz-date",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		"iam-user-guide": {"GET /?Action=ListUsers&Version=2010-05-08", "Host: iam.amazonaws.com\r\nX-Amz-Date: 20150830T123600Z\r\n" +
			"Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n", "",
			"Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date",
			"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
		"acs3": {"POST /?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai", acs, "",
			"Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version",
			"06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"},
	} {
		scheme, key := signature.SigV4, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
		if name == "acs3" {
			scheme, key = signature.ACS3, "YourAccessKeySecret"
		}
		r := request(t, v.line+" HTTP/1.1\r\n"+v.headers+"Authorization: "+string(scheme)+" "+v.signed+", Signature="+v.signature+"\r\n\r\n"+v.body)
		s, ok, err := signature.Parse(r)
		require.NoError(t, err, name)
		require.True(t, ok, name)
		require.Equal(t, scheme, s.Scheme, name)
		require.NoError(t, s.Verify(r, []byte(key), sum(v.body)), name)
		require.ErrorIs(t, s.Verify(r, []byte(key+"x"), sum(v.body)), signature.ErrMismatch, name)
	}
}
