package proxy_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/proxy"
	"github.com/limpet-proxy/limpet/sessions"
)

func TestFCInvocationKeepsTheFunctionsAffinity(t *testing.T) {
	t.Run("header", func(t *testing.T) {
		w := start(t, invoked, named("a"), named("b"), named("c"))
		first := w.post(fcPath, "", "X-Session-Id", "s")
		require.Equal(t, []string{"s"}, first.Header["X-Session-Id"])
		for range 5 {
			require.Equal(t, first.Header.Get("Instance"), w.post(fcPath, "", "X-Session-Id", "s").Header.Get("Instance"))
			require.Equal(t, first.Header.Get("Instance"), w.admin().post(fcPath, "", "X-Session-Id", "s").Header.Get("Instance"))
		}
		w.post(fcPath, "", "X-Session-Id", "-").saysFC(t, "InvalidArgument", http.StatusBadRequest)
		require.Regexp(t, "^[0-9a-f]{32}$", w.post(fcPath, "").Header.Get("X-Session-Id"))
		require.Equal(t, "s2", w.post(fcPath, "", "X-Session-Id", "s2", runtimeHeader, "other").Header.Get("X-Session-Id"))
	})
	t.Run("cookie", func(t *testing.T) {
		w := start(t, func(c *proxy.FunctionConfig) { invoked(c); c.Affinity.Type = sessions.AffinityCookie }, named("a"), named("b"), named("c"))
		client := w.client()
		client.Jar, _ = cookiejar.New(nil)
		home := ""
		for i := range 5 {
			res, err := client.Do(w.request(http.MethodPost, fcPath, nil))
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, i == 0, len(res.Header["Set-Cookie"]) == 1)
			if home == "" {
				home = res.Header.Get("Instance")
			}
			require.Equal(t, home, res.Header.Get("Instance"))
		}
	})
}

func TestFCInstanceIsToldWhatFunctionComputeTells(t *testing.T) {
	back, got := recorder()
	for qualifier, version := range map[string]string{"LATEST": "0", "7": "7", "prod": "prod"} {
		w := start(t, func(c *proxy.FunctionConfig) { invoked(c); c.Qualifier, c.InvokePath = qualifier, "/elsewhere" }, back)
		a := w.post(fcPath+"?qualifier="+qualifier, "", "X-Session-Id", "s",
			"X-Fc-Function-Name", "forged", "X_fc_function_name", "forged", "X-Fc-Account-Id", "forged", "x-fc-qualifier", "forged",
			"X-Fc-Request-Id", "forged", "x-fc-invocation-type", "sYnc", "x-fc-log-type", "Tail", "x-fc-async-task-id", "task",
			"X-Fcx", "kept", "Connection", "X-Fc-Function-Name, X-Fc-Version-Id, X-Session-Id")
		require.Equal(t, http.StatusOK, a.StatusCode, a.body)
		id := a.Header.Get("X-Fc-Request-Id")
		require.Regexp(t, `^1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}$`, id)
		require.Equal(t, id, a.Header.Get("X-Request-Id"))
		said := http.Header{}
		h := (<-got).header
		for name, values := range h {
			if strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "x-fc-") {
				said[name] = values
			}
		}
		require.Equal(t, http.Header{
			"X-Fc-Request-Id": {id}, "X-Fc-Function-Name": {"f"}, "X-Fc-Qualifier": {qualifier}, "X-Fc-Version-Id": {version},
			"X-Fc-Control-Path": {"/invoke"},
		}, said)
		require.Equal(t, "kept", h.Get("X-Fcx"))
		require.Equal(t, []string{"s"}, h["X-Session-Id"])
	}
}

func TestFCRequestIDIsTheCallersIfItGaveOne(t *testing.T) {
	w := start(t, invoked, named("a"))
	require.Equal(t, "mine", w.post(fcPath, "", "X-Request-Id", "mine").Header.Get("X-Fc-Request-Id"))
	for _, bad := range []string{"", "a b"} {
		require.Regexp(t, "^1-", w.post(fcPath, "", "X-Request-Id", bad).Header.Get("X-Fc-Request-Id"))
	}
	require.Regexp(t, "^1-", w.post(fcPath, "", "X-Request-Id", "a", "X-Request-Id", "b").Header.Get("X-Fc-Request-Id"))
}

func TestFCInvocationTypes(t *testing.T) {
	w := start(t, invoked, named("a"))
	for kind, ok := range map[string]bool{"Sync": true, "sync": true, "Async": false, "aSYNC": false, "": false, "Later": false} {
		a := w.post(fcPath, "", "X-Fc-Invocation-Type", kind)
		if ok {
			require.Equal(t, http.StatusOK, a.StatusCode)
			continue
		}
		a.saysFC(t, "InvalidArgument", http.StatusBadRequest)
		require.Equal(t, strings.EqualFold(kind, "Async"), strings.Contains(a.body, "sessions do not exist"), a.body)
	}
	w.post(fcPath, "", "X-Fc-Invocation-Type", "Sync", "X-Fc-Invocation-Type", "Async").saysFC(t, "InvalidArgument", http.StatusBadRequest)
	require.Equal(t, http.StatusOK, w.post(runtimePath, "", "X-Fc-Invocation-Type", "Async").StatusCode, "another dialect's word")
	require.Equal(t, 3, w.sessionCounts()["a"], "what was refused made no session")
}

// The instance's failure is the function's: status and body pass, and nothing is invented.
func TestFCFailureOfTheInstancePasses(t *testing.T) {
	w := start(t, invoked, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("typed") {
			w.Header().Set("X-Fc-Error-Type", "UnhandledInvocationError")
		}
		w.Header().Set("X-Fc-Request-Id", "forged")
		w.Header().Set("Limpet-Error", "forged")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"errorMessage":"oh"}`)
	}))
	a := w.post(fcPath, "")
	require.Equal(t, http.StatusInternalServerError, a.StatusCode)
	require.Equal(t, `{"errorMessage":"oh"}`, a.body)
	require.NotContains(t, a.Header, "X-Fc-Error-Type")
	require.NotContains(t, a.Header, "Limpet-Error")
	require.Equal(t, []string{a.Header.Get("X-Request-Id")}, a.Header["X-Fc-Request-Id"])
	require.Equal(t, "UnhandledInvocationError", w.post(fcPath+"?typed", "").Header.Get("X-Fc-Error-Type"))
}

func TestFCFailuresOfLimpet(t *testing.T) {
	w := start(t, func(c *proxy.FunctionConfig) {
		invoked(c)
		c.Sessions.PerInstance, c.Sessions.DisableIDReuse = 1, true
	}, named("a"))
	require.Equal(t, http.StatusOK, w.post(fcPath, "", "X-Session-Id", "s").StatusCode)
	w.post(fcPath, "", "X-Session-Id", "s2").saysFC(t, "NoCapacity", http.StatusServiceUnavailable)
	w.endAll()
	w.post(fcPath, "", "X-Session-Id", "s").saysFC(t, "SessionExpired", http.StatusGone)
}
