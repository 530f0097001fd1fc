package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/sessions"
)

// instanceBody is what the operations on an instance answer.
type instanceBody struct {
	Function, Qualifier, ID, State string
	Sessions, InFlight             int
	Drain                          *struct {
		Since, Deadline time.Time
		SecondsLeft     int64
	}
}

const ownInstances = "/limpet/v1/functions/" + counter + "/instances/"

func (a answer) instance(t *testing.T) (b instanceBody) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), &b))
	require.NotEmpty(t, a.header.Get("X-Request-Id"))
	return b
}

// requireOwnRefusal demands a refusal in Limpet's own words.
func requireOwnRefusal(t *testing.T, a answer, status int, code string) {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	require.Equal(t, code, a.header.Get("Limpet-Error"))
	var body map[string]string
	require.NoError(t, json.Unmarshal([]byte(a.body), &body))
	require.Equal(t, code, body["Code"])
	require.NotEmpty(t, body["Message"])
	require.Equal(t, a.header.Get("X-Request-Id"), body["RequestId"])
	require.Equal(t, status == 503, a.header.Get("Retry-After") != "")
}

// drainWorld is a world whose counter has a default deadline, and says what is refreshed.
func drainWorld(t testing.TB) (w *world, refreshed *[]string) {
	refreshed = &[]string{}
	w = newWorld(t, func(a *api.SessionAPI) {
		all := a.Functions()
		for i := range all {
			all[i].DrainDeadline = 20 * time.Minute
			all[i].Refresh = func() { *refreshed = append(*refreshed, all[i].Name+":"+all[i].Qualifier) }
			all[i].InFlight = func(id string) int { return len(id) }
		}
		a.Functions = func() []api.Function { return all }
	})
	return w, refreshed
}

func TestDrainOfAnInstance(t *testing.T) {
	w, refreshed := drainWorld(t)
	_, _, err := w.tables[counter+":LATEST"].Create(t.Context(), sessions.CreateRequest{ID: "s", Settings: sessions.Settings{TTL: time.Hour}})
	require.NoError(t, err)
	before := w.call(t, admin, "GET", ownInstances+"a", "").instance(t)
	require.Equal(t, instanceBody{Function: counter, Qualifier: "LATEST", ID: "a", State: "ready", Sessions: before.Sessions, InFlight: 1}, before)
	for body, seconds := range map[string]int64{
		"": 1200, " \n": 1200, "{}": 1200, `{"deadline":null}`: 1200, `{"deadline":"10m"}`: 600, `{"deadline":"1.5s"}`: 2, `{"deadline":"168h"}`: 604800,
	} {
		got := w.call(t, admin, "PUT", ownInstances+"a/drain", body).instance(t)
		require.Equal(t, "draining", got.State)
		require.Equal(t, before.Sessions, got.Sessions)
		require.Equal(t, seconds, got.Drain.SecondsLeft, body)
		require.WithinDuration(t, time.Now(), got.Drain.Since, time.Minute)
		shown := w.call(t, admin, "GET", ownInstances+"a", "").instance(t)
		require.True(t, shown.Drain.Deadline.Equal(got.Drain.Deadline))
	}
	require.Nil(t, w.call(t, admin, "GET", ownInstances+"b", "").instance(t).Drain)
	require.Nil(t, w.call(t, admin, "GET", ownInstances+"a?qualifier="+prod, "").instance(t).Drain, "another pool's")
	for range 2 {
		require.Equal(t, before, w.call(t, admin, "DELETE", ownInstances+"a/drain", "").instance(t))
	}
	*refreshed = nil
	require.Zero(t, w.call(t, admin, "PUT", ownInstances+"p/drain?qualifier="+prod, `{"deadline":"0s"}`).instance(t).Drain.SecondsLeft)
	require.Equal(t, []string{counter + ":" + prod}, *refreshed, "this replica hears at once")
	_, _, err = w.store.Pin(t.Context(), sessions.PinRequest{
		Key: sessions.Key{Function: counter, Qualifier: prod, ID: "x"}, Settings: sessions.Settings{TTL: time.Hour},
		Affinity: sessions.AffinityHeader, Placement: sessions.Placement{Candidates: w.homes[counter+":"+prod][1:], PerInstance: 9},
	})
	require.ErrorIs(t, err, sessions.ErrFull)
}

func TestStatesOfAnInstance(t *testing.T) {
	w, _ := drainWorld(t)
	report := func(health sessions.Health) {
		_, err := w.store.Report(t.Context(), sessions.Report{
			Function: counter, Version: "LATEST", Instances: []sessions.InstanceReport{{ID: "n", Health: health}},
		})
		require.NoError(t, err)
	}
	for _, c := range []struct {
		health sessions.Health
		state  string
	}{{sessions.HealthUnknown, "starting"}, {sessions.HealthUp, "draining"}, {sessions.HealthLost, "unhealthy"}, {sessions.HealthGone, "gone"}} {
		report(c.health)
		if c.health != sessions.HealthGone {
			w.call(t, admin, "PUT", ownInstances+"n/drain", "").instance(t)
		}
		require.Equal(t, c.state, w.call(t, admin, "GET", ownInstances+"n", "").instance(t).State)
	}
}

func TestDrainIsRefused(t *testing.T) {
	w, refreshed := drainWorld(t)
	for _, c := range []struct {
		name, key, method, path, body string
		status                        int
		code                          string
	}{
		{"no key", "", "PUT", ownInstances + "a/drain", "", 401, "InvalidAccessKeyID"},
		{"may not write", onlyRead, "PUT", ownInstances + "a/drain", "", 403, "AccessDenied"},
		{"may not undrain", onlyRead, "DELETE", ownInstances + "a/drain", "", 403, "AccessDenied"},
		{"may not read", onlyDo, "GET", ownInstances + "a", "", 403, "AccessDenied"},
		{"another function's key", stranger, "PUT", ownInstances + "a/drain", "", 403, "AccessDenied"},
		{"no such function", admin, "PUT", "/limpet/v1/functions/none/instances/a/drain", "", 404, "FunctionNotFound"},
		{"ill-formed function", admin, "PUT", "/limpet/v1/functions/-/instances/a/drain", "", 404, "FunctionNotFound"},
		{"no such qualifier", admin, "PUT", ownInstances + "a/drain?qualifier=none", "", 404, "FunctionNotFound"},
		{"two qualifiers", admin, "PUT", ownInstances + "a/drain?qualifier=a&qualifier=b", "", 400, "InvalidArgument"},
		{"no such instance", admin, "PUT", ownInstances + "z/drain", "", 404, "NotFound"},
		{"none to undrain", admin, "DELETE", ownInstances + "z/drain", "", 404, "NotFound"},
		{"none to show", admin, "GET", ownInstances + "z", "", 404, "NotFound"},
		{"over-long ID", admin, "PUT", ownInstances + strings.Repeat("a", 257) + "/drain", "", 400, "InvalidArgument"},
		{"POST", admin, "POST", ownInstances + "a/drain", "", 405, "MethodNotAllowed"},
		{"PUT of the instance", admin, "PUT", ownInstances + "a", "", 405, "MethodNotAllowed"},
		{"another path", admin, "GET", ownInstances + "a/drain/x", "", 404, "NotFound"},
		{"no instance", admin, "GET", "/limpet/v1/functions/" + counter, "", 404, "NotFound"},
		{"no JSON", admin, "PUT", ownInstances + "a/drain", "10m", 400, "InvalidArgument"},
		{"an array", admin, "PUT", ownInstances + "a/drain", "[]", 400, "InvalidArgument"},
		{"two documents", admin, "PUT", ownInstances + "a/drain", `{"deadline":"1m"}{}`, 400, "InvalidArgument"},
		{"a slip", admin, "PUT", ownInstances + "a/drain", `{"deadlin":"1m"}`, 400, "InvalidArgument"},
		{"a number", admin, "PUT", ownInstances + "a/drain", `{"deadline":600}`, 400, "InvalidArgument"},
		{"no unit", admin, "PUT", ownInstances + "a/drain", `{"deadline":"600"}`, 400, "InvalidArgument"},
		{"negative", admin, "PUT", ownInstances + "a/drain", `{"deadline":"-1s"}`, 400, "InvalidArgument"},
		{"too long", admin, "PUT", ownInstances + "a/drain", `{"deadline":"169h"}`, 400, "InvalidArgument"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.call(t, c.key, c.method, c.path, c.body)
			requireOwnRefusal(t, a, c.status, c.code)
		})
	}
	require.Empty(t, *refreshed)
	require.Nil(t, w.call(t, admin, "GET", ownInstances+"a", "").instance(t).Drain)
}

func TestDrainIsAudited(t *testing.T) {
	w, _ := drainWorld(t)
	w.call(t, onlyDo, "PUT", ownInstances+"a/drain", "").instance(t)
	w.call(t, onlyDo, "DELETE", ownInstances+"a/drain", "").instance(t)
	require.Equal(t, 404, w.call(t, onlyDo, "PUT", ownInstances+"z/drain", "").status)
	require.Equal(t, 403, w.call(t, onlyRead, "PUT", ownInstances+"a/drain", "").status)
	lines := w.audit.lines(t)
	require.Len(t, lines, 4)
	for i, want := range []struct{ operation, result, key, instance string }{
		{"DrainInstance", "ok", onlyDo, "a"}, {"UndrainInstance", "ok", onlyDo, "a"}, {"DrainInstance", "NotFound", onlyDo, "z"},
		{"DrainInstance", "AccessDenied", onlyRead, ""},
	} {
		line := lines[i]
		require.Equal(t, want.operation, line["operation"])
		require.Equal(t, want.result, line["result"])
		require.Equal(t, want.key, line["key"])
		require.Equal(t, "limpet", line["dialect"])
		require.Equal(t, counter, line["function"])
		if want.instance != "" {
			require.Equal(t, want.instance, line["instance"])
			require.Equal(t, "LATEST", line["qualifier"])
		}
	}
}

func TestDrainBeforeTheStoreHasAnswered(t *testing.T) {
	h := api.Admin{}.Handler()
	w := &world{handler: h}
	requireOwnRefusal(t, w.call(t, "", "PUT", ownInstances+"a/drain", ""), 503, "StoreUnavailable")
}

func FuzzDrainBody(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"deadline":"10m"}`, `{"deadline":"-1ns"}`, `{"Deadline":"1h"}`, "[", `{"deadline":"1m"} x`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		d, err := api.ParseDrain([]byte(body))
		if err != nil {
			require.Equal(t, http.StatusBadRequest, err.Status)
			require.Nil(t, d)
			return
		}
		if d != nil {
			require.GreaterOrEqual(t, *d, time.Duration(0))
			require.LessOrEqual(t, *d, api.MaxDrainDeadline)
		}
	})
}
