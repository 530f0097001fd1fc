package dialects_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// request has the target as a server would read it off the wire.
func request(t testing.TB, method, target string) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	require.NoError(t, err)
	r := httptest.NewRequest(method, "/", nil)
	r.URL, r.RequestURI = u, target
	return r
}

const arn = "arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/"

func TestDialectOfAPath(t *testing.T) {
	for path, want := range map[string]string{
		"/2023-03-30/functions":     "fc",
		"/2023-10-12/farms/f":       "deadline",
		"/code-interpreters/c":      "agentcore",
		"/runtimes/r/invocations":   "agentcore",
		"/":                         "",
		"/limpet/v1":                "",
		"/2023-03-30x":              "",
		"//2023-03-30":              "",
		"/x/2023-03-30":             "",
		"/%32023-03-30/functions":   "fc",
		"/2023-03-30%2Ffunctions/f": "",
	} {
		segments, _ := dialects.Segments(request(t, http.MethodGet, path))
		d, ok := dialects.Of(segments)
		require.Equal(t, want != "", ok, path)
		if ok {
			require.Equal(t, want, d.String(), path)
		}
	}
	require.Equal(t, "limpet", dialects.Own.String())
	require.Equal(t, "mcp", dialects.MCP.String())
}

func TestSegments(t *testing.T) {
	for path, want := range map[string][]string{
		"/a/b":                                 {"a", "b"},
		"/a/b/":                                {"a", "b"},
		"/a%2Fb/c":                             {"a/b", "c"},
		"/a%3Ab|c":                             {"a:b|c"},
		"/a%25b":                               {"a%b"},
		"/a+b":                                 {"a+b"},
		"/":                                    nil,
		"//":                                   nil,
		"/a//b":                                nil,
		"/a/b//":                               nil,
		"/a/./b":                               nil,
		"/a/../b":                              nil,
		"/a/%2e%2E/b":                          nil,
		"/a/%2e/b":                             nil,
		"*":                                    nil,
		"/" + strings.Repeat("x", 8193):        nil,
		"/" + strings.Repeat("%2F", 2000) + "": {strings.Repeat("/", 2000)},
	} {
		got, ok := dialects.Segments(request(t, http.MethodGet, path))
		require.Equal(t, want != nil, ok, "%.80s", path)
		require.Equal(t, want, got, "%.80s", path)
	}
}

func TestFunctionName(t *testing.T) {
	for segment, want := range map[string]string{
		"counter":                              "counter",
		"my.agent-1_x":                         "my.agent-1_x",
		"aws.codeinterpreter.v1":               "aws.codeinterpreter.v1",
		arn + "my_agent-a1B2c3":                "my_agent-a1B2c3",
		"arn:aws-cn:x:::code-interpreter/ci":   "ci",
		"arn:x":                                "x",
		"acs:fc:cn-hangzhou:1:functions/hello": "hello",
		"":                                     "",
		"arn:":                                 "",
		arn:                                    "",
		arn + "..":                             "",
		"a/b":                                  "",
		"runtime/x":                            "",
		"a:b":                                  "",
		"-a":                                   "",
		"ä":                                    "",
		"a\x00":                                "",
		strings.Repeat("x", 129):               "",
		"ARN:aws:x":                            "",
	} {
		got, ok := dialects.FunctionName(segment)
		require.Equal(t, want != "", ok, segment)
		if ok {
			require.Equal(t, want, got)
		}
	}
}

func TestQualifierOf(t *testing.T) {
	for query, want := range map[string]string{
		"":                                      sessions.LatestQualifier,
		"qualifier=":                            sessions.LatestQualifier,
		"qualifier":                             sessions.LatestQualifier,
		"other=x&x;y":                           sessions.LatestQualifier,
		"Qualifier=x":                           sessions.LatestQualifier,
		"qualifier=prod":                        "prod",
		"a=%zz&qualifier=prod&&":                "prod",
		"q%75alifier=%70rod":                    "prod",
		"qualifier=a&qualifier=b":               "",
		"qualifier=a&qualifier=a":               "",
		"qualifier=a&qualifier=":                "",
		"qualifier=a&q%75alifier":               "",
		"qualifier=a/b":                         "",
		"qualifier=a%2Fb":                       "",
		"qualifier=a;b=c":                       "", // net/url would leave it out
		"qualifier=%zz":                         "",
		"qualifier=+":                           "",
		"qualifier=" + strings.Repeat("x", 129): "",
	} {
		got, err := dialects.QualifierOf(request(t, http.MethodGet, "/?"+query))
		require.Equal(t, want, got, query)
		if want == "" {
			require.NotNil(t, err, query)
			require.Equal(t, dialects.CodeInvalidArgument, err.Code)
			require.Equal(t, "qualifier", err.Field)
			continue
		}
		require.Nil(t, err, query)
	}
}

func TestDropParameters(t *testing.T) {
	drop := func(name string) bool { return name == "q" }
	for query, want := range map[string]string{
		"":                      "",
		"q=1":                   "",
		"a=1&q=2&b=%zz;&&q&c":   "a=1&b=%zz;&&c",
		"%71=1&qq=1&Q=1&+q=1&=": "qq=1&Q=1&+q=1&=",
		"q;a=1&q=%zz":           "q;a=1",
	} {
		require.Equal(t, want, dialects.DropParameters(query, drop))
	}
}

func ExampleFunctionName() {
	fmt.Println(dialects.FunctionName("arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/counter"))
	// Output: counter true
}

func ExampleSegments() {
	r := httptest.NewRequest(http.MethodPost, "/runtimes/arn:aws:x:y:1:runtime%2Fcounter/invocations", nil)
	segments, ok := dialects.Segments(r)
	fmt.Printf("%q %v\n", segments, ok)
	// Output: ["runtimes" "arn:aws:x:y:1:runtime/counter" "invocations"] true
}

func ExampleDropParameters() {
	fmt.Println(dialects.DropParameters("x=1;y&qualifier=prod&z=%zz", func(name string) bool { return name == "qualifier" }))
	// Output: x=1;y&z=%zz
}
