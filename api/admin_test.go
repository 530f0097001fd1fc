package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/dialects"
	"github.com/limpet-proxy/limpet/metrics"
)

func ExampleAdmin() {
	admin := httptest.NewServer(api.Admin{
		Functions: func() []api.FunctionStatus {
			return []api.FunctionStatus{{Name: "counter", Qualifier: "LATEST", Probed: true}}
		},
	}.Handler())
	defer admin.Close()

	resp, err := http.Get(admin.URL + "/readyz")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var body struct {
		Status  string
		Reasons []string
	}
	fmt.Println(json.NewDecoder(resp.Body).Decode(&body), resp.Status, body.Status, body.Reasons)
	// Output: <nil> 200 OK degraded [function counter/LATEST: no healthy instance]
}

func get(t *testing.T, a api.Admin, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return do(a, "GET", path, headers...)
}

func do(a api.Admin, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := request(method, "127.0.0.1:9090", headers...)
	r.URL.Path = path
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, r)
	return w
}

func instances(states ...string) []api.InstanceStatus {
	var list []api.InstanceStatus
	for n, s := range states {
		list = append(list, api.InstanceStatus{ID: fmt.Sprintf("instance-%d", n), State: s, PerInstance: 20})
	}
	return list
}

func TestReadyz(t *testing.T) {
	up := api.StoreStatus{Kind: "redis", Reached: true, Up: true}
	good := api.FunctionStatus{Name: "good", Qualifier: "LATEST", Probed: true, Instances: instances("ready", "unhealthy")}
	for name, c := range map[string]struct {
		draining  bool
		store     api.StoreStatus
		functions []api.FunctionStatus
		code      int
		status    string
		reasons   []string
	}{
		"ready":        {false, up, []api.FunctionStatus{good}, 200, "ready", []string{}},
		"no functions": {false, up, nil, 200, "ready", []string{}},
		"draining":     {true, up, []api.FunctionStatus{good}, 503, "draining", []string{"shutting down"}},
		"store never reached": {
			false, api.StoreStatus{}, []api.FunctionStatus{good}, 503, "starting", []string{"the session store has not answered yet"},
		},
		"store down": {
			false, api.StoreStatus{Reached: true}, []api.FunctionStatus{good}, 200, "degraded", []string{"the session store does not answer"},
		},
		"not probed": {
			false, up, []api.FunctionStatus{good, {Name: "f", Qualifier: "v1", Instances: instances("starting", "ready")}},
			503, "starting", []string{"function f/v1: not every instance is probed yet"},
		},
		"no healthy instance": {
			false, up, []api.FunctionStatus{good, {Name: "f", Qualifier: "v1", Probed: true, Instances: instances("unhealthy", "draining")}},
			200, "degraded", []string{"function f/v1: no healthy instance"},
		},
		"all at once": {
			true, api.StoreStatus{}, []api.FunctionStatus{{Name: "f", Qualifier: "q"}, {Name: "g", Qualifier: "q", Probed: true}},
			503, "draining", []string{
				"shutting down", "the session store has not answered yet",
				"function f/q: not every instance is probed yet", "function g/q: no healthy instance",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(t, api.Admin{
				Draining:  func() bool { return c.draining },
				Store:     func() api.StoreStatus { return c.store },
				Functions: func() []api.FunctionStatus { return c.functions },
			}, "/readyz")
			require.Equal(t, c.code, w.Code)
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			var body struct {
				Status    string
				Reasons   []string
				Functions []map[string]any
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
			require.Equal(t, c.status, body.Status)
			require.Equal(t, c.reasons, body.Reasons)
			require.NotNil(t, body.Functions, "[] and not null")
			require.Len(t, body.Functions, len(c.functions))
			require.NotContains(t, w.Body.String(), "instance-", "it needs no key: nobody learns the IDs of instances")
		})
	}
	w := get(t, api.Admin{Functions: func() []api.FunctionStatus { return []api.FunctionStatus{good} }}, "/readyz")
	require.JSONEq(t, `{"status":"ready","reasons":[],"functions":[
		{"name":"good","qualifier":"LATEST","probed":true,"ready":1,"instances":2}]}`, w.Body.String())
}

func TestHealthNeedsNoKeyAndNoHost(t *testing.T) {
	bad := api.Admin{
		Draining: func() bool { return true }, Store: func() api.StoreStatus { return api.StoreStatus{} },
	}
	for name, auth := range map[string]*api.Auth{"keys": reader(t), "open": nil} {
		bad.Auth = auth
		r := request("GET", "10.1.2.3:9090") // a kubelet asks the pod's address
		r.URL.Path = "/healthz"
		w := httptest.NewRecorder()
		bad.Handler().ServeHTTP(w, r)
		require.Equal(t, 200, w.Code, name)
		require.JSONEq(t, `{"status":"ok"}`, w.Body.String())
		r.URL.Path = "/readyz"
		w = httptest.NewRecorder()
		bad.Handler().ServeHTTP(w, r)
		require.Equal(t, 503, w.Code, name)
		require.Contains(t, w.Body.String(), "draining")
	}
}

func paths() []string {
	return []string{
		"/", "/metrics", "/debug/pprof/", "/debug/pprof/goroutine", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/debug/pprof/profile",
		"/debug/pprof/trace", "/no/such/path",
	}
}

func TestAllElseNeedsAKeyThatMayReadEverything(t *testing.T) {
	a := api.Admin{Auth: keys(t,
		api.KeyConfig{ID: "r", SecretFile: file(t, secret), Functions: []string{"*"}, Allow: []api.Verb{api.Read}},
		api.KeyConfig{ID: "w", SecretFile: file(t, "may only write here"), Functions: []string{"*"}, Allow: []api.Verb{api.Write}},
		api.KeyConfig{ID: "f", SecretFile: file(t, "may only read of f"), Functions: []string{"f"}, Allow: []api.Verb{api.Read}},
	)}
	for _, path := range paths() {
		requireProblem(t, get(t, a, path), 401, dialects.CodeInvalidAccessKeyID)
		requireProblem(t, get(t, a, path, "Authorization: Bearer may only write here"), 403, dialects.CodeAccessDenied)
		if path != "/no/such/path" {
			requireProblem(t, get(t, a, path, "Authorization: Bearer may only read of f"), 403, dialects.CodeAccessDenied)
		}
	}
	require.Equal(t, 200, get(t, a, "/", "Authorization: Bearer "+secret).Code)
	require.Equal(t, 200, get(t, a, "/debug/pprof/goroutine", "Authorization: Bearer "+secret).Code)
	requireProblem(t, get(t, a, "/no/such/path", "Authorization: Bearer "+secret), 404, dialects.CodeNotFound)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	for _, path := range []string{"", "//", "/metrics/", "/healthz/", "/Metrics", "/index.html", "/debug/pprof", "/debug/vars", "/limpet/v1/"} {
		requireProblem(t, get(t, api.Admin{}, path), 404, dialects.CodeNotFound)
	}
	for _, path := range append(paths(), "/healthz", "/readyz") {
		if path == "/debug/pprof/symbol" || path == "/no/such/path" {
			continue
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			w := do(api.Admin{}, method, path)
			requireProblem(t, w, 405, dialects.CodeMethodNotAllowed)
			require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		}
	}
	require.Equal(t, "GET, HEAD, POST", do(api.Admin{}, "PUT", "/debug/pprof/symbol").Header().Get("Allow"))
}

func TestMetricsAreExported(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.Function("f", "q").Request(200, metrics.OutcomeHome, time.Millisecond, 0)
	w := get(t, api.Admin{Metrics: registry}, "/metrics")
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Header().Get("Content-Type"), "text/plain")
	require.Contains(t, w.Body.String(), `limpet_requests_total{code="200",function="f",outcome="home",qualifier="q"} 1`)
	require.Empty(t, get(t, api.Admin{}, "/metrics").Body.String())
}

// failing is a collector that cannot collect.
type failing struct{ desc *prometheus.Desc }

func (f failing) Describe(out chan<- *prometheus.Desc) { out <- f.desc }

func (f failing) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.NewInvalidMetric(f.desc, http.ErrAbortHandler)
}

func TestOneBadCollectorHidesNoOtherSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics.New(registry)
	registry.MustRegister(failing{prometheus.NewDesc("x", "x", nil, nil)})
	w := get(t, api.Admin{Metrics: registry}, "/metrics")
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), "limpet_config_last_reload_successful")
}

func TestProfiles(t *testing.T) {
	require.Contains(t, get(t, api.Admin{}, "/debug/pprof/").Body.String(), "goroutine")
	w := get(t, api.Admin{}, "/debug/pprof/heap")
	require.Equal(t, 200, w.Code)
	require.Equal(t, []byte{0x1f, 0x8b}, w.Body.Bytes()[:2], "a gzipped profile")
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, 404, get(t, api.Admin{}, "/debug/pprof/none").Code)
}

func TestThePageShowsTheState(t *testing.T) {
	a := api.Admin{
		Deployment: "blue", Version: "v1.2.3",
		Store: func() api.StoreStatus { return api.StoreStatus{Kind: "redis", Reached: true} },
		Functions: func() []api.FunctionStatus {
			return []api.FunctionStatus{{
				Name: "counter", Qualifier: "v7", Affinity: "HEADER_FIELD", Probed: true,
				Instances: []api.InstanceStatus{{ID: "alpha", State: "ready", Sessions: 7, PerInstance: 20, InFlight: 3}},
			}}
		},
	}
	w := get(t, a, "/")
	require.Equal(t, 200, w.Code)
	for _, text := range []string{
		"blue", "v1.2.3", "redis store", "degraded", "the session store does not answer", "counter", "v7", "HEADER_FIELD", "alpha", "7 of 20",
	} {
		require.Contains(t, w.Body.String(), text)
	}
	for name, value := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		require.Equal(t, value, w.Header().Get(name))
	}
	head := httptest.NewServer(a.Handler())
	defer head.Close()
	resp, err := http.Head(head.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
}
