package dialects_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/sessions"
)

// parsed is a request for a target of the wire, nil where net/http would refuse the line.
func parsed(method, target string) *http.Request {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil
	}
	return &http.Request{Method: method, URL: u, RequestURI: target, Header: http.Header{}}
}

func FuzzParseInvocation(f *testing.F) {
	for _, target := range []string{
		"/2023-03-30/functions/f/invocations?qualifier=prod", "/runtimes/" + url.QueryEscape(arn+"f") + "/invocations?qualifier=DEFAULT&x",
		"/code-interpreters/f/tools/invoke", "/runtimes/%2e%2e/invocations", "/runtimes//invocations/", "*", "http://h/runtimes/f/invocations",
		"/runtimes/arn:%2Ff%2F../invocations", "/2023-03-30/functions/f%00/invocations?qualifier=%zz&qualifier", "/runtimes/f/invocations?qualifier=a;b",
	} {
		f.Add("POST", target)
		f.Add("GET", target)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		r := parsed(method, target)
		if r == nil {
			return
		}
		inv, ok, err := dialects.ParseInvocation(r)
		if !ok {
			require.Zero(t, inv)
			require.Nil(t, err)
			return
		}
		require.True(t, dialects.MayInvoke(r.URL.Path), "the cheap look must not miss one")
		d, known := dialects.Of(mustSegments(t, r))
		require.True(t, known)
		require.Equal(t, d, inv.Dialect)
		require.Equal(t, inv.Dialect == dialects.AgentCore, inv.SessionHeader() != "")
		require.True(t, inv.Function == "" || sessions.ValidName(inv.Function))
		require.True(t, inv.Qualifier == "" || sessions.ValidName(inv.Qualifier))
		if err == nil {
			require.Equal(t, http.MethodPost, method)
			require.NotEmpty(t, inv.Function)
			require.NotEmpty(t, inv.Qualifier)
			return
		}
		require.NoError(t, inv.Dialect.Write(httptest.NewRecorder(), "r", err))
	})
}

func mustSegments(t *testing.T, r *http.Request) []string {
	segments, ok := dialects.Segments(r)
	require.True(t, ok)
	return segments
}

// FuzzSegments: what comes out, encoded and put together, is read the same again, and no segment is one that somebody on
// the way would have taken for another path.
func FuzzSegments(f *testing.F) {
	for _, path := range []string{"/a/b", "/a%2Fb/", "/", "//", "/..", "/%2e", "/a/%2E%2e/b", "/%zz", "/ü", "/%00", "/a;b", "*", "/a|b/%7C"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := parsed(http.MethodGet, path)
		if r == nil {
			return
		}
		segments, ok := dialects.Segments(r)
		if !ok {
			return
		}
		require.NotEmpty(t, segments)
		again := ""
		for _, s := range segments {
			require.NotContains(t, []string{"", ".", ".."}, s)
			again += "/" + url.PathEscape(s)
		}
		if len(again) <= 8000 {
			require.Equal(t, segments, mustSegments(t, parsed(http.MethodGet, again)))
		}
		joined := "/" + strings.Join(segments, "/")
		require.Contains(t, []string{joined, joined + "/"}, r.URL.Path)
	})
}

func FuzzFunctionName(f *testing.F) {
	for _, s := range []string{"f", arn + "f", "acs:fc:x:1:functions/f", "arn:", "arn:/", "arn:..", "a/b", "-", "\xff", "arn:\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, segment string) {
		name, ok := dialects.FunctionName(segment)
		require.Equal(t, sessions.ValidName(name), ok)
		if !ok {
			return
		}
		require.True(t, strings.HasSuffix(segment, name))
		if name != segment {
			require.Contains(t, ":/", segment[len(segment)-len(name)-1:len(segment)-len(name)])
		}
		again, ok := dialects.FunctionName(name)
		require.True(t, ok)
		require.Equal(t, name, again)
	})
}

// FuzzQualifierOf: where net/url reads one qualifier, so does QualifierOf, or refuses it; it never reads another.
func FuzzQualifierOf(f *testing.F) {
	for _, q := range []string{"", "qualifier=a", "qualifier=a&qualifier=b", "q%75alifier=%61", "qualifier=a;b", "qualifier", "a=%zz&qualifier=b", "qualifier=%"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{URL: &url.URL{RawQuery: query}}
		got, err := dialects.QualifierOf(r)
		if err != nil {
			require.Empty(t, got)
			return
		}
		require.True(t, sessions.ValidName(got))
		read := slices.DeleteFunc(r.URL.Query()["qualifier"], func(s string) bool { return s == "" })
		if len(read) == 0 {
			read = []string{sessions.LatestQualifier}
		}
		require.Equal(t, []string{got}, read)
	})
}

func FuzzDropParameters(f *testing.F) {
	for _, q := range []string{"", "a=1&qualifier=2", "&&", "%71ualifier", "qualifier;a", "=qualifier", "a&b=%zz&qualifier"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		drop := func(name string) bool { return name == "qualifier" }
		kept := dialects.DropParameters(query, drop)
		require.Equal(t, kept, dialects.DropParameters(kept, drop))
		require.Equal(t, query, dialects.DropParameters(query, func(string) bool { return false }))
		require.NotContains(t, (&url.URL{RawQuery: kept}).Query(), "qualifier")
		before, after := (&url.URL{RawQuery: query}).Query(), (&url.URL{RawQuery: kept}).Query()
		before.Del("qualifier")
		require.Equal(t, before, after)
	})
}

// FuzzWrite: whatever text goes into an error, the answer is one well-formed JSON object and a status.
func FuzzWrite(f *testing.F) {
	f.Add(uint8(0), "InvalidArgument", 400, "field", "text", "session", "id")
	f.Add(uint8(1), "NoCapacity", 503, "", "\xff<\n", "", "")
	f.Fuzz(func(t *testing.T, d uint8, code string, status int, field, text, kind, id string) {
		if status < 400 || status > 599 || !utf8.ValidString(text) {
			return // constants and Limpet's own texts
		}
		w := httptest.NewRecorder()
		e := &dialects.Error{
			Code: dialects.Code(code), Status: status, Field: field, Message: text, Resource: dialects.Resource{Type: kind, ID: id},
		}
		dialect := dialects.Dialect(d % 4)
		require.NoError(t, dialect.Write(w, "r", e))
		require.Equal(t, dialect.Status(e), w.Code)
		body := map[string]any{}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
		require.Contains(t, []any{body["Message"], body["message"]}, text)
	})
}
