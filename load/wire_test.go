package load_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/load/wire"
	"github.com/limpet-proxy/limpet/sample"
)

func TestTargetsAreTakenInTurn(t *testing.T) {
	t.Parallel()
	f := newFaulty(3)
	var hits [3]atomic.Int64
	var urls []string
	for i := range hits {
		urls = append(urls, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hits[i].Add(1)
			f.ServeHTTP(w, r)
		})))
	}
	p := plan(t, urls...)
	p.Requests = 1500
	r := do(t, p)
	require.Equal(t, load.Proven, r.Verdict, "a session has one home, through whichever replica: %s", r.Why)
	for i := range hits {
		require.EqualValues(t, 500, hits[i].Load())
	}
	require.Equal(t, urls[0]+"/", r.Load.Targets[0])
}

// What a request looks like when it arrives.
func TestRequestsAreAsPlanned(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var last *http.Request
	var body []byte
	ids := map[string]bool{}
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		last = r
		body, _ = io.ReadAll(r.Body)
		ids[r.Header.Get(sessionHeader)] = true
		w.Header().Set(sample.InstanceHeader, "a")
	}))
	p := plan(t, s+"/a%20b/c?x=1;y=2")
	p.Count = load.Source{}
	p.Method, p.Body, p.Requests, p.Sessions = http.MethodPut, []byte("hello"), 300, 7
	p.Header = http.Header{"X-Two": {"one", "two"}, "Host": {"function.example"}, "User-Agent": {"me"}}
	r := do(t, p)
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.Equal(t, http.MethodPut, last.Method)
	require.Equal(t, "/a%20b/c?x=1;y=2", last.RequestURI)
	require.Equal(t, "function.example", last.Host)
	require.Equal(t, []string{"one", "two"}, last.Header["X-Two"])
	require.Equal(t, []string{"me"}, last.Header["User-Agent"])
	require.Equal(t, "hello", string(body))
	require.Len(t, ids, 7)
	for id := range ids {
		require.Regexp(t, `^load-[a-z2-7]{26}-\d$`, id, "AgentCore's IDs have at least 33 characters, Limpet's at most 64")
	}
	require.Contains(t, r.Warnings, "all responses came from one instance, which leaves nothing to misroute")
	require.Contains(t, r.Warnings, "no count was looked at, so a lost state would not show")
}

// giver names sessions itself, in a header or by a cookie.
type giver struct {
	*faulty
	cookie bool
	n      atomic.Int64
}

func (g *giver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Given")
	if c, err := r.Cookie("sid"); g.cookie && err == nil {
		id = c.Value
	}
	if id == "" {
		id = fmt.Sprint("given-", g.n.Add(1))
	}
	if g.cookie {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/", HttpOnly: true})
	} else {
		w.Header().Set("X-Given", id)
	}
	r.Header.Set(sessionHeader, id)
	g.faulty.ServeHTTP(w, r)
}

func TestSessionsThatTheTargetNames(t *testing.T) {
	t.Parallel()
	for carrier, cookie := range map[string]bool{"given:X-Given": false, "cookie": true} {
		for model, rate := range map[string]float64{"closed": 0, "open": 2000} {
			t.Run(carrier+" "+model, func(t *testing.T) {
				t.Parallel()
				g := &giver{faulty: newFaulty(3), cookie: cookie}
				p := plan(t, serve(t, g))
				var err error
				p.Carrier, err = load.ParseCarrier(carrier)
				require.NoError(t, err)
				p.Rate = rate
				r := do(t, p)
				require.Equal(t, load.Proven, r.Verdict, r.Why)
				require.EqualValues(t, 20, g.n.Load(), "each session was named once")
				require.Equal(t, 20, r.Sessions.Named)
				require.Zero(t, r.Sessions.Renamed)
				require.Equal(t, carrier, r.Load.Carrier)
			})
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(newFaulty(2))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	p := plan(t, s.URL)
	p.Requests = 20
	r := do(t, p)
	require.Equal(t, load.Unjudged, r.Verdict, "its certificate is nobody's")
	require.Equal(t, "no connection by TLS", r.Failures[0].Reason)

	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	p.Targets[0].TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	r = do(t, p)
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.Equal(t, 20, r.Requests.Succeeded)
}

func TestJSONSources(t *testing.T) {
	t.Parallel()
	p := plan(t, serve(t, newFaulty(2)))
	var err error
	p.From, err = load.ParseSource("json:instance")
	require.NoError(t, err)
	p.Count, err = load.ParseSource("json:count")
	require.NoError(t, err)
	r := do(t, p)
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.Len(t, r.Instances, 2)
}

// What goes to scripts: nothing is null, and it reads back as it was.
func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	p := plan(t, serve(t, newFaulty(2)))
	p.Requests = 100
	r := do(t, p)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.NotContains(t, string(text), "null")
	var back load.Report
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, r.Affinity, back.Affinity)
	require.Equal(t, r.Latency, back.Latency)
	require.Equal(t, load.ReportVersion, back.Version)
}

func TestPlansThatCannotBeCarriedOut(t *testing.T) {
	t.Parallel()
	_, err := load.New(load.Plan{})
	require.ErrorIs(t, err, load.ErrPlan)
	_, err = wire.NewTarget("ftp://127.0.0.1/")
	require.ErrorIs(t, err, wire.ErrTarget)
}

func ExampleNew() {
	instance, err := sample.Start("127.0.0.1:0", sample.Options{Name: "a", Header: "X-Session-Id"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = instance.Close() }()
	target, _ := wire.NewTarget(instance.URL())
	carrier, _ := load.ParseCarrier(load.DefaultCarrier)
	from, _ := load.ParseSource(load.DefaultFrom)
	count, _ := load.ParseSource(load.DefaultCount)
	run, err := load.New(load.Plan{
		Targets: []*wire.Target{target}, Carrier: carrier, Sessions: 10, Requests: 500, From: from, Count: count,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report := run.Do(context.Background())
	fmt.Println(report.Verdict)
	fmt.Println(report.Why)
	// Output:
	// proven
	// 0 misroutes, 0 lost states and 0 overcounts in 500 judged responses of 10 sessions
}
