package api_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/api"
	"github.com/limpet-proxy/limpet/sessions"
	"github.com/limpet-proxy/limpet/sessions/embeddedstore"
)

const (
	deployment = "reef"
	// network begins the addresses of all instances, which no client may see.
	network = "10.98.76."
	tiny    = "tiny"  // a function whose one instance holds one session
	empty   = "empty" // one without instances
	mcp     = "tools" // one whose sessions the API does not make
	plain   = "plain" // one without sessions
	cookies = "jar"   // one whose sessions travel in a cookie
	counter = "counter"
	prod    = "prod" // counter's other qualifier
)

// shared is a secret of a deployment.
func shared(fill string) []byte { return bytes.Repeat([]byte(fill), api.MinSharedSecret) }

// fixedPool has the instances that it was made with, all of them healthy.
type fixedPool []sessions.Home

func (fixedPool) Drained() []sessions.Home         { return nil }
func (p fixedPool) Candidates(int) []sessions.Home { return p }
func (p fixedPool) Changed() <-chan struct{}       { return nil }
func (p fixedPool) State(sessions.Home) (sessions.HomeState, time.Time) {
	return sessions.HomeUp, time.Time{}
}

// world is a session API over tables in an embedded store.
type world struct {
	api.SessionAPI
	handler http.Handler
	store   *faulty
	audit   *buffer
	tables  map[string]*sessions.Table // by function, a colon and the qualifier
	homes   map[string][]sessions.Home
	invoked []string // method and path of what was handed to an instance
}

// newWorld makes one whose keys are those of access; change, if any, is the last to see the API before it is made.
func newWorld(t testing.TB, change ...func(*api.SessionAPI)) *world {
	t.Helper()
	mem, err := embeddedstore.Open(embeddedstore.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mem.Close()) })
	w := &world{store: &faulty{Store: mem}, audit: &buffer{}, tables: map[string]*sessions.Table{}, homes: map[string][]sessions.Home{}}
	w.SessionAPI = api.SessionAPI{
		Auth: access(t), Deployment: deployment, Store: w.store, Secret: shared("s"),
		Audit: slog.New(slog.NewJSONHandler(w.audit, nil)), HashSession: func(id string) string { return "hash of " + id },
		Invoke: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.invoked = append(w.invoked, r.Method+" "+r.URL.EscapedPath())
			_, _ = io.Copy(rw, r.Body)
		}),
	}
	all := []api.Function{
		w.function(t, counter, sessions.LatestQualifier, sessions.AffinityHeader, 1<<30, "a", "b"),
		w.function(t, counter, prod, sessions.AffinityHeader, 1000, "a", "p"),
		w.function(t, cookies, sessions.LatestQualifier, sessions.AffinityCookie, 1000, "c"),
		w.function(t, mcp, sessions.LatestQualifier, sessions.AffinityMCPStreamable, 1000, "m"),
		w.function(t, tiny, sessions.LatestQualifier, sessions.AffinityHeader, 1, "t"),
		w.function(t, empty, sessions.LatestQualifier, sessions.AffinityHeader, 1),
		{Name: plain, Qualifier: sessions.LatestQualifier, Affinity: sessions.AffinityNone},
	}
	all[2].Issue = func(h http.Header, s sessions.Session, secure bool) {
		h.Add("Set-Cookie", fmt.Sprintf("limpet-session=signed-%s; secure=%v", s.ID, secure))
	}
	w.Functions = func() []api.Function { return all }
	for _, f := range change {
		f(&w.SessionAPI)
	}
	made, err := w.New()
	require.NoError(t, err)
	w.handler = api.Admin{Auth: w.Auth, Deployment: deployment, Sessions: made}.Handler()
	return w
}

func (w *world) function(t testing.TB, name, qualifier string, affinity sessions.Affinity, room int, ids ...string) api.Function {
	report := sessions.Report{Function: name, Version: qualifier}
	for i, id := range ids {
		url := fmt.Sprintf("http://%s%d:9001", network, i)
		report.Instances = append(report.Instances, sessions.InstanceReport{ID: id, URL: url, Health: sessions.HealthUp})
	}
	var pool fixedPool
	if len(ids) > 0 {
		records, err := w.store.Report(t.Context(), report)
		require.NoError(t, err)
		for _, r := range records {
			pool = append(pool, r.Home)
		}
	}
	table := sessions.NewTable(sessions.TableConfig{
		Rules: sessions.Rules{
			Function: name, Qualifier: qualifier, Affinity: affinity, OnLoss: sessions.LossRehome,
			Config: sessions.Config{TTL: 6 * time.Hour, IdleTimeout: 30 * time.Minute, PerInstance: room},
		},
		Cache: sessions.NewCache(sessions.CacheConfig{Life: time.Second}), Store: w.store, Pool: pool,
	})
	w.tables[name+":"+qualifier], w.homes[name+":"+qualifier] = table, pool
	return api.Function{Name: name, Qualifier: qualifier, Affinity: affinity, Source: "static", Table: table}
}

// again is another replica, or the same one restarted: another API over the same store and functions.
func (w *world) again(t testing.TB, change func(*api.SessionAPI)) *world {
	t.Helper()
	other := *w
	change(&other.SessionAPI)
	made, err := other.New()
	require.NoError(t, err)
	other.handler = api.Admin{Auth: other.Auth, Deployment: other.Deployment, Sessions: made}.Handler()
	return &other
}

// The keys of access, by ID, and what their secrets begin with.
const (
	admin    = "admin"    // may do everything
	twin     = "twin"     // like admin, another caller
	onlyRead = "only-rd"  // reads counter
	onlyDo   = "only-wr"  // writes counter
	onlyCall = "only-inv" // invokes counter
	stranger = "stranger" // may do everything with tools
	slow     = "slow"     // may do everything once in 1000 s
)

func secretOf(key string) string { return "the secret of " + key }

func access(t testing.TB) *api.Auth {
	t.Helper()
	dir := t.TempDir()
	every := []api.Verb{api.Read, api.Write, api.Invoke}
	list := []api.KeyConfig{
		{ID: admin, Functions: []string{"*"}, Allow: every}, {ID: twin, Functions: []string{"*"}, Allow: every},
		{ID: onlyRead, Functions: []string{counter}, Allow: []api.Verb{api.Read}},
		{ID: onlyDo, Functions: []string{counter}, Allow: []api.Verb{api.Write}},
		{ID: onlyCall, Functions: []string{counter}, Allow: []api.Verb{api.Invoke}},
		{ID: stranger, Functions: []string{mcp}, Allow: every},
		{ID: slow, Functions: []string{"*"}, Allow: every, Rate: 0.001},
	}
	for i, k := range list {
		list[i].SecretFile = filepath.Join(dir, k.ID)
		require.NoError(t, os.WriteFile(list[i].SecretFile, []byte(secretOf(k.ID)), 0o600))
	}
	auth, err := api.LoadKeys(api.AuthConfig{Keys: list})
	require.NoError(t, err)
	return auth
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   string
}

// draft makes a request with a bearer key, "" for none, and header lines.
func draft(t testing.TB, key, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:9090"+target, strings.NewReader(body))
	require.NoError(t, err)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+secretOf(key))
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// call sends a request to the handler.
func (w *world) call(t testing.TB, key, method, target, body string, headers ...string) answer {
	t.Helper()
	return w.serve(draft(t, key, method, target, body, headers...))
}

func (w *world) serve(r *http.Request) answer {
	rec := httptest.NewRecorder()
	r.RequestURI = r.URL.RequestURI() // as a server has it
	w.handler.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Result().Header, rec.Body.String()}
}
