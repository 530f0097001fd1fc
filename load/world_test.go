package load_test

import (
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/load/wire"
	"github.com/limpet-proxy/limpet/sample"
)

// sessionHeader is how sessions are named where a test has no other reason.
const sessionHeader = "X-Session-Id"

// faulty is a proxy and its instances in one process: each session has its home by a hash of its ID, and what a test
// wants goes wrong. Its fields are set before it serves.
type faulty struct {
	instances []*sample.Server
	requests  atomic.Int64
	// before, if there, may take a request over; n counts from 1. It returns true if it did.
	before func(w http.ResponseWriter, r *http.Request, n int64) bool
	// home, if there, may choose another instance than the session's own.
	home func(own int, n int64) int
}

func newFaulty(n int) *faulty {
	f := &faulty{}
	for i := range n {
		f.instances = append(f.instances, sample.New(sample.Options{Name: "i" + strconv.Itoa(i), Header: sessionHeader}))
	}
	return f
}

// ServeHTTP passes the request to an instance.
func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := f.requests.Add(1)
	if f.before != nil && f.before(w, r, n) {
		return
	}
	home := f.of(r)
	if f.home != nil {
		home = f.home(home, n)
	}
	f.instances[home].ServeHTTP(w, r)
}

func (f *faulty) of(r *http.Request) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.Header.Get(sessionHeader)))
	return int(h.Sum32()) % len(f.instances)
}

// serve starts a handler on a port of its own and returns its URL.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// plan is a closed load of few sessions at the URLs.
func plan(t testing.TB, urls ...string) load.Plan {
	t.Helper()
	p := load.Plan{Sessions: 20, Connections: 8, Requests: 2000}
	for _, url := range urls {
		target, err := wire.NewTarget(url)
		require.NoError(t, err)
		p.Targets = append(p.Targets, target)
	}
	var err error
	p.Carrier, err = load.ParseCarrier(load.DefaultCarrier)
	require.NoError(t, err)
	p.From, err = load.ParseSource(load.DefaultFrom)
	require.NoError(t, err)
	p.Count, err = load.ParseSource(load.DefaultCount)
	require.NoError(t, err)
	return p
}

// do carries out a plan.
func do(t testing.TB, p load.Plan) load.Report {
	t.Helper()
	run, err := load.New(p)
	require.NoError(t, err)
	r := run.Do(t.Context())
	checkSums(t, r)
	return r
}

// checkSums looks for what is true of every report.
func checkSums(t testing.TB, r load.Report) {
	t.Helper()
	q, a := r.Requests, r.Affinity
	require.Equal(t, q.Sent, q.Answered+q.Unanswered+q.Cut, "%+v", q)
	require.LessOrEqual(t, q.Succeeded, q.Answered)
	require.LessOrEqual(t, q.LateHere, q.Late)
	require.LessOrEqual(t, a.Away, a.Strayed)
	require.LessOrEqual(t, a.Checked, a.Judged)
	require.Equal(t, a.Judged-r.Sessions.Named, a.Checked)
	require.Len(t, a.Examples, min(load.MaxExamples, a.Misroutes+a.LostStates+a.Overcounts))
	require.Len(t, a.Announced, min(load.MaxExamples, a.Moves))
	var of load.Moment
	homes := 0
	for _, m := range r.Timeline {
		of.Answered += m.Answered
		of.Failed += m.Failed
		of.Misroutes += m.Misroutes
		of.Moves += m.Moves
		of.LostStates += m.LostStates
		of.Overcounts += m.Overcounts
		of.Late += m.Late
		homes = 0
		for _, n := range m.Homes {
			homes += n
		}
	}
	require.Equal(t, load.Moment{
		Answered: q.Answered, Failed: of.Failed, Misroutes: a.Misroutes, Moves: a.Moves, LostStates: a.LostStates,
		Overcounts: a.Overcounts, Late: q.Late,
	}, of)
	failures := 0
	for _, f := range r.Failures {
		failures += f.Count
	}
	require.Equal(t, failures, of.Failed)
	responses, sessions := 0, 0
	for _, i := range r.Instances {
		responses += i.Responses
		sessions += i.Sessions
	}
	require.Equal(t, a.Judged, responses)
	require.Equal(t, homes, sessions)
}

// deadTarget is where nothing listens.
func deadTarget(t testing.TB) *wire.Target {
	t.Helper()
	s := httptest.NewServer(nil)
	target, err := wire.NewTarget(s.URL)
	require.NoError(t, err)
	s.Close()
	return target
}
