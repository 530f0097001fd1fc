package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

// The paths of the three operations on the function f, and the headers of AgentCore's.
const (
	fcPath          = "/2023-03-30/functions/f/invocations"
	runtimePath     = "/runtimes/f/invocations"
	interpreterPath = "/code-interpreters/f/tools/invoke"

	runtimeHeader     = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
	interpreterHeader = "x-amzn-code-interpreter-session-id"
)

// invoked lets the function be invoked on the data listener, and matches no other request.
func invoked(c *proxy.FunctionConfig) {
	c.Invoke, c.Match.Host = true, "nobody.example"
}

// seen is what an instance saw.
type seen struct {
	method, uri, body, host string
	header                  http.Header
}

// recorder answers 200 and tells what it saw.
func recorder() (http.Handler, <-chan seen) {
	got := make(chan seen, 16)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- seen{r.Method, r.RequestURI, string(b), r.Host, r.Header}
		w.Header().Set("Content-Type", "application/x-ndjson")
		fmt.Fprint(w, "answer")
	}), got
}

// post sends an invocation.
func (w *world) post(path, body string, headers ...string) answer {
	w.t.Helper()
	return w.do(w.request(http.MethodPost, path, strings.NewReader(body), headers...))
}

// admin is another listener, which hands all to Invoke.
func (w *world) admin() *world {
	s := httptest.NewServer(http.HandlerFunc(w.handler.Invoke))
	w.t.Cleanup(s.Close)
	other := &world{t: w.t, cfg: w.cfg, store: w.store, pool: w.pool, table: w.table, handler: w.handler, server: w.server}
	other.addr = s.Listener.Addr().String()
	return other
}

func TestInvocationPathsReachTheNamedFunction(t *testing.T) {
	back, got := recorder()
	w := start(t, func(c *proxy.FunctionConfig) { invoked(c); c.InvokePath = "/run/it" }, back)
	arn := url.PathEscape("arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/f")
	for _, path := range []string{
		fcPath, runtimePath, interpreterPath, "/runtimes/" + arn + "/invocations", "/code-interpreters/" + arn + "/tools/invoke/",
	} {
		for _, at := range []*world{w, w.admin()} {
			a := at.post(path+"?a=1;b&qualifier=LATEST&x=%zz&accountId=1&q%75alifier2=", "the body", "Content-Type", "text/x-mine")
			require.Equal(t, http.StatusOK, a.StatusCode, a.body)
			require.Equal(t, "answer", a.body)
			require.Equal(t, "application/x-ndjson", a.Header.Get("Content-Type"))
			require.Equal(t, "created", a.Header.Get("Limpet-Session-Event"))
			s := <-got
			require.Equal(t, http.MethodPost, s.method)
			require.Equal(t, "/run/it?a=1;b&x=%zz&q%75alifier2=", s.uri)
			require.Equal(t, "the body", s.body)
			require.Equal(t, at.addr, s.host)
			require.Equal(t, []string{"text/x-mine"}, s.header["Content-Type"])
			require.NotEmpty(t, s.header.Get("Limpet-Session-Id"))
			require.Equal(t, a.Header.Get("Limpet-Session-Epoch"), s.header.Get("Limpet-Session-Epoch"))
			require.Equal(t, "created", s.header.Get("Limpet-Session-Event"))
		}
	}
	a := w.post(fcPath, "")
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, "/run/it", (<-got).uri, "no question mark without a query")
}

// Without the key invoke, an invocation's path is one like any other.
func TestInvocationPathsNeedTheKeyInvoke(t *testing.T) {
	back, got := recorder()
	w := start(t, nil, back)
	for _, path := range []string{fcPath + "?qualifier=x&qualifier=y", runtimePath, interpreterPath, "/runtimes/other/invocations"} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			a := w.do(w.request(method, path, nil, "X-Session-Id", "s", "X-Fc-Mine", "1"))
			require.Equal(t, http.StatusOK, a.StatusCode)
			require.NotContains(t, a.Header, "X-Fc-Request-Id")
			require.NotContains(t, a.Header, "X-Amzn-Requestid")
			s := <-got
			require.Equal(t, seen{method, path, "", w.addr, s.header}, s)
			require.Equal(t, "1", s.header.Get("X-Fc-Mine"))
			require.NotContains(t, s.header, "X-Fc-Function-Name")
		}
	}
	failing := start(t, func(c *proxy.FunctionConfig) { c.Invoke = true }, back)
	failing.get(fcPath, "s").saysFC(t, "MethodNotAllowed", http.StatusMethodNotAllowed)
	failing.cfg.Invoke = false
	failing.handler.Swap(proxy.Plane{Routes: proxy.NewRoutes([]*proxy.Function{failing.function()})})
	failing.get(fcPath, "-").fails(t, "InvalidArgument", http.StatusBadRequest) // ordinary, and so are the words
}

// saysAWS checks that a is Limpet's own answer in AWS's words.
func (a answer) saysAWS(t *testing.T, code, exception string, status int) {
	t.Helper()
	require.Equal(t, status, a.StatusCode, a.body)
	require.Equal(t, code, a.Header.Get("Limpet-Error"))
	require.Equal(t, exception, a.Header.Get("X-Amzn-Errortype"))
	require.NotEmpty(t, a.Header.Get("X-Amzn-Requestid"))
	require.Contains(t, a.body, `"message":`)
	require.NotContains(t, a.body, `"Code"`)
	require.NotContains(t, a.body, "127.0.0.1")
}

func (a answer) saysFC(t *testing.T, code string, status int) {
	t.Helper()
	a.fails(t, code, status)
	require.Equal(t, a.Header.Get("X-Request-Id"), a.Header.Get("X-Fc-Request-Id"))
	require.Empty(t, a.Header["X-Amzn-Errortype"])
}

// A path that has the form of an invocation and is nobody's is answered in its dialect's words.
func TestInvocationsOfNobody(t *testing.T) {
	back, _ := recorder()
	for name, configure := range map[string]func(*proxy.FunctionConfig){
		"another name": invoked,
		"no key":       func(c *proxy.FunctionConfig) { c.Match.Host = "nobody.example" },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, configure, back)
			other := strings.NewReplacer("/f/", "/g/")
			if name == "no key" {
				other = strings.NewReplacer()
			}
			w.post(other.Replace(fcPath), "").saysFC(t, "FunctionNotFound", http.StatusNotFound)
			w.post(other.Replace(runtimePath), "").saysAWS(t, "FunctionNotFound", "ResourceNotFoundException", http.StatusNotFound)
			w.post(other.Replace(interpreterPath), "").saysAWS(t, "FunctionNotFound", "ResourceNotFoundException", http.StatusNotFound)
			w.post(fcPath+"?qualifier=other", "").saysFC(t, "FunctionNotFound", http.StatusNotFound)
			w.post(fcPath+"?qualifier=a&qualifier=b", "").saysFC(t, "InvalidArgument", http.StatusBadRequest)
			w.post(runtimePath+"?qualifier=-", "").saysAWS(t, "InvalidArgument", "ValidationException", http.StatusBadRequest)
			w.get(runtimePath, "s").saysAWS(t, "MethodNotAllowed", "UnknownOperationException", http.StatusMethodNotAllowed)
			require.Equal(t, "POST", w.get(fcPath, "s").Header.Get("Allow"))
			w.post("/elsewhere", "").fails(t, "FunctionNotFound", http.StatusNotFound)
		})
	}
}

// A function is invoked by its name and qualifier; others of its name stay out of it.
func TestInvocationOfAQualifier(t *testing.T) {
	back, got := recorder()
	w := start(t, func(c *proxy.FunctionConfig) { invoked(c); c.Qualifier = "prod" }, back)
	for _, path := range []string{fcPath, runtimePath} {
		require.Equal(t, http.StatusOK, w.post(path+"?qualifier=prod", "").StatusCode)
		<-got
		require.Equal(t, http.StatusNotFound, w.post(path, "").StatusCode)
		require.Equal(t, http.StatusNotFound, w.post(path+"?qualifier=DEFAULT", "").StatusCode)
	}
	latest := start(t, invoked, back)
	require.Equal(t, http.StatusOK, latest.post(runtimePath+"?qualifier=DEFAULT", "").StatusCode)
}

func TestBeforeThereIsAPlaneTheDialectIsKept(t *testing.T) {
	w := start(t, invoked, named("a"))
	w.handler.Swap(proxy.Plane{})
	w.post(runtimePath, "").saysAWS(t, "StoreUnavailable", "InternalServerException", http.StatusInternalServerError)
	w.post(fcPath, "").saysFC(t, "StoreUnavailable", http.StatusServiceUnavailable)
}

func TestInvocationsStreamBothWays(t *testing.T) {
	w := start(t, invoked, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		if http.NewResponseController(w).EnableFullDuplex() != nil {
			panic("not supported")
		}
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "\x00\x01%s\n", lines.Text())
			if http.NewResponseController(w).Flush() != nil {
				return
			}
		}
	}))
	for _, path := range []string{fcPath, runtimePath, interpreterPath} {
		for _, at := range []*world{w, w.admin()} {
			body, send := io.Pipe()
			go fmt.Fprintln(send, 0)
			res, err := at.client().Do(at.request(http.MethodPost, path, body))
			require.NoError(t, err, "the response begins before the request ends")
			require.Equal(t, "application/vnd.amazon.eventstream", res.Header.Get("Content-Type"))
			answers := bufio.NewScanner(res.Body)
			for i := range 5 {
				require.True(t, answers.Scan())
				require.Equal(t, fmt.Sprintf("\x00\x01%d", i), answers.Text(), "each line as it is sent")
				if i < 4 {
					fmt.Fprintln(send, i+1)
				}
			}
			require.NoError(t, send.Close())
			require.False(t, answers.Scan())
			require.NoError(t, answers.Err())
			require.NoError(t, res.Body.Close())
		}
	}
}

// A function without sessions has none on these paths either.
func TestInvocationOfAFunctionWithoutSessions(t *testing.T) {
	back := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()[http.CanonicalHeaderKey(runtimeHeader)] = []string{"the instance's"}
		fmt.Fprintf(w, "%q %q", r.Header[http.CanonicalHeaderKey(runtimeHeader)], r.Header["Limpet-Session-Id"])
	})
	w := start(t, func(c *proxy.FunctionConfig) { invoked(c); c.Affinity.Type = sessions.AffinityNone }, back)
	a := w.post(runtimePath, "", runtimeHeader, "- ill formed")
	require.Equal(t, `["- ill formed"] []`, a.body)
	require.Equal(t, "the instance's", a.Header.Get(runtimeHeader))
	require.NotEmpty(t, a.Header.Get("X-Amzn-Requestid"))
	require.Equal(t, http.StatusOK, w.post(interpreterPath, "", interpreterHeader, "no session").StatusCode)
	require.Equal(t, http.StatusOK, w.post(fcPath, "").StatusCode)
}
