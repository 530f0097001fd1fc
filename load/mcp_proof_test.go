package load_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
	"github.com/limpet-proxy/limpet/sample"
)

func TestMCPAffinityIsProven(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]sample.Options{
		"JSON":         {},
		"event stream": {Trouble: sample.Trouble{Stream: 3, Interval: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSwitchboard(4, o)
			r, m := doMCP(t, mcpPlan(t, serve(t, b)))
			require.Equal(t, load.Proven, r.Verdict, r.Why)
			require.Equal(t, "0 misroutes, 0 lost states and 0 overcounts in 820 judged responses of 20 sessions", r.Why)
			require.Equal(t, mcpCalls, r.Requests.Succeeded, "%v", r.Failures)
			require.Equal(t, mcpCalls, r.Affinity.Checked, "initialize shows each session's home")
			require.Equal(t, load.Sessions{Begun: 20, Alive: 20, Named: 20}, r.Sessions)
			require.Len(t, r.Instances, 4)
			require.Equal(t, []int{20, 0, 0, 20}, []int{m.Initialized, m.Unknown, m.Refused, m.Deleted})
			require.Equal(t, "2025-11-25", m.Version)
			require.Empty(t, r.Warnings)
			require.Zero(t, b.alive(), "each was ended")
		})
	}
}

// What the tool's result says is as good as a header, once as data and once as text.
func TestMCPReadsTheToolsResult(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(3, sample.Options{})
	b.before = func(w http.ResponseWriter, r *http.Request, call int64) bool {
		rec := httptest.NewRecorder()
		b.instances[max(0, b.home(r))].ServeHTTP(rec, r)
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		if id := rec.Header().Get(mcpSession); id != "" {
			w.Header().Set(mcpSession, id)
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
		return true
	}
	p := mcpPlan(t, serve(t, b))
	var err error
	p.From, err = load.ParseSource("json:instance")
	require.NoError(t, err)
	p.Count, err = load.ParseSource("json:count")
	require.NoError(t, err)
	r, _ := doMCP(t, p)
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.Equal(t, mcpCalls, r.Affinity.Judged, "initialize says neither")
	require.Equal(t, mcpCalls-20, r.Affinity.Checked)
}

// Each call that is sent elsewhere finds an instance that does not know its session, which lives: a ping gets home.
func TestMCPMisroutesAreCountedExactly(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(4, sample.Options{})
	b.route = func(_ *http.Request, own int, call int64) int {
		if call > 0 && call%200 == 0 {
			return (own + 1) % 4
		}
		return own
	}
	r, m := doMCP(t, mcpPlan(t, serve(t, b)))
	require.Equal(t, load.Broken, r.Verdict)
	require.Equal(t, []int{4, 4, 4, 4}, []int{r.Affinity.Misroutes, m.Unknown, m.Misrouted, r.Requests.Failed})
	require.Equal(t, 24, m.Initialized+m.Unknown-m.Reinitialized, "those that had another request began anew")
	for _, e := range r.Affinity.Examples {
		require.Regexp(t, `^[A-Z2-7]{26}$`, e.Session)
		require.Regexp(t, `^from i\d$`, e.Expected)
		require.Regexp(t, `^from i\d, status 404, and the session answered a request after it$`, e.Got)
		require.NotEqual(t, e.Expected[:len("from i0")], e.Got[:len("from i0")])
	}
	require.Equal(t, "status 404", r.Failures[0].Reason)
}

// A hash of the session's ID sends every request of a session to the same wrong place, so no ping gets home. That the home
// goes on with those sessions that the hash does send there shows that the others were not lost.
func TestMCPBehindAHashIsBroken(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(4, sample.Options{})
	b.route = func(r *http.Request, _ int, _ int64) int { return hashed(r, 4) }
	p := mcpPlan(t, serve(t, b))
	p.Sessions = 50
	r, m := doMCP(t, p)
	require.Equal(t, load.Broken, r.Verdict, r.Why)
	require.Positive(t, m.Misrouted)
	require.Regexp(t, `^from i\d, status 404, i\d went on with its other sessions$`, r.Affinity.Examples[0].Got)
}

func TestMCPBehindARoundRobinIsBroken(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(4, sample.Options{})
	var n atomic.Int64
	b.route = func(*http.Request, int, int64) int { return int(n.Add(1)) % 4 }
	p := mcpPlan(t, serve(t, b))
	p.Requests = 200
	r, m := doMCP(t, p)
	require.Equal(t, load.Broken, r.Verdict, r.Why)
	require.Greater(t, m.Misrouted, m.Unknown/2)
	require.Greater(t, m.Refused, p.Requests/2, "most are not even told that the handshake is done")
}

// An instance whose sessions are sent elsewhere since it died has lost them, and no other has been wronged.
func TestMCPSessionsOfADeadInstanceAreLost(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(4, sample.Options{})
	b.route = func(_ *http.Request, own int, call int64) int {
		dead := b.calls.Load() >= mcpCalls/2
		switch {
		case own == 0 && dead:
			return 1
		case own < 0 && dead:
			return 2
		}
		return own
	}
	p := mcpPlan(t, serve(t, b))
	p.Connections = 1 // else a call of before may be answered later
	r, m := doMCP(t, p)
	require.Equal(t, load.Proven, r.Verdict, "%s %v", r.Why, r.Affinity.Examples)
	require.Equal(t, []int{5, 5, 5, 25}, []int{m.Unknown, m.Reinitialized, r.Requests.Failed, m.Initialized})
	require.Zero(t, m.Misrouted+m.Unexplained)
	require.Equal(t, []string{
		"5 requests failed",
		"5 sessions were unknown to whoever answered (404), with no sign that they lived: their clients had to initialise again",
	}, r.Warnings)
	require.Equal(t, load.Sessions{Begun: 20, Alive: 20, Named: 25}, r.Sessions)
	at := 0
	for _, i := range r.Instances {
		at += i.Sessions
	}
	require.Equal(t, 20, at, "each is at home once")
}

// One client alone has the round robin go on by one with each of its requests: it never comes home by chance.
func TestMCPBehindAQuietRoundRobinIsBroken(t *testing.T) {
	t.Parallel()
	for of := 2; of <= 5; of++ {
		b := newSwitchboard(of, sample.Options{})
		var n atomic.Int64
		b.route = func(*http.Request, int, int64) int { return int(n.Add(1)) % of }
		p := mcpPlan(t, serve(t, b))
		p.Connections, p.Sessions, p.Requests = 1, 1, 10
		r, m := doMCP(t, p)
		require.Equal(t, load.Broken, r.Verdict, "%d instances: %s", of, r.Why)
		require.Equal(t, m.Unknown, m.Misrouted)
	}
}

// A home that has forgotten a session says so itself.
func TestMCPForgottenSessionsAreLost(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(4, sample.Options{})
	b.before = func(_ http.ResponseWriter, r *http.Request, call int64) bool {
		if call > 0 && call%200 == 0 {
			end := httptest.NewRequest(http.MethodDelete, sample.MCPPath, nil)
			end.Header.Set(mcpSession, r.Header.Get(mcpSession))
			b.instances[b.home(r)].ServeHTTP(httptest.NewRecorder(), end)
		}
		return false
	}
	r, m := doMCP(t, mcpPlan(t, serve(t, b)))
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.Equal(t, []int{4, 0, 0}, []int{m.Unknown, m.Misrouted, m.Unexplained})
}

// Who has answered a 404 without a name, nobody can say, unless the proxy says that it was itself.
func TestMCPUnknownWithoutAName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code  string
		pings bool // are answered
		want  load.Verdict
	}{
		"by whom":      {"", false, load.Unjudged},
		"by the proxy": {"SessionNotFound", false, load.Proven},
		"and it lives": {"SessionNotFound", true, load.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSwitchboard(2, sample.Options{})
			gone := map[string]bool{}
			b.before = func(w http.ResponseWriter, r *http.Request, call int64) bool {
				b.mu.Lock()
				defer b.mu.Unlock()
				id := r.Header.Get(mcpSession)
				if call == 200 {
					gone[id] = true
				}
				if !gone[id] || call == 0 && c.pings {
					return false
				}
				if c.code != "" {
					w.Header().Set("Limpet-Error", c.code)
				}
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			r, m := doMCP(t, mcpPlan(t, serve(t, b)))
			require.Equal(t, c.want, r.Verdict, r.Why)
			require.Equal(t, 1, m.Unknown)
			if c.want == load.Unjudged {
				require.Equal(t, "1 session was unknown (404) while their homes went on with others, and the answers do not show whether the homes gave them", r.Why)
			}
		})
	}
}

func TestMCPCallsExecutedTwiceAreOvercounts(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(4, sample.Options{})
	b.before = func(_ http.ResponseWriter, r *http.Request, call int64) bool {
		if call > 0 && call%200 == 0 {
			b.instances[b.home(r)].ServeHTTP(httptest.NewRecorder(), again(r))
		}
		return false
	}
	r, _ := doMCP(t, mcpPlan(t, serve(t, b)))
	require.Equal(t, load.Broken, r.Verdict)
	require.Equal(t, 4, r.Affinity.Overcounts)
	require.Zero(t, r.Affinity.Misroutes+r.Affinity.LostStates)
}

func TestMCPLostAnswersDoNotBlurTheCount(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(4, sample.Options{})
	var n atomic.Int64
	b.before = func(_ http.ResponseWriter, r *http.Request, call int64) bool {
		switch n.Add(1) % 20 {
		case 3: // before it was executed; a handshake too
			panic(http.ErrAbortHandler)
		case 7: // and after
			if call > 0 {
				b.instances[b.home(r)].ServeHTTP(httptest.NewRecorder(), again(r))
				panic(http.ErrAbortHandler)
			}
		}
		return false
	}
	for _, retries := range []int{0, 3} {
		p := mcpPlan(t, serve(t, b))
		p.Retries, p.SessionRequests = retries, 20
		r, m := doMCP(t, p)
		require.Equal(t, load.Proven, r.Verdict, "%s %v", r.Why, r.Affinity.Examples)
		require.Positive(t, m.Refused)
		require.Positive(t, m.Undeleted)
		require.Greater(t, r.Requests.Unanswered, 40)
	}
}

// Sessions that end make room: in both models, and when the run ends.
func TestMCPSessionsEnd(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]float64{"closed": 0, "open": 2000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSwitchboard(4, sample.Options{})
			p := mcpPlan(t, serve(t, b))
			p.Rate, p.SessionRequests, p.Connections = rate, 10, 8
			p.Think = load.Span{Least: time.Millisecond, Most: 5 * time.Millisecond}
			r, m := doMCP(t, p)
			require.Equal(t, load.Proven, r.Verdict, r.Why)
			require.Equal(t, mcpCalls, r.Requests.Succeeded)
			require.Greater(t, r.Sessions.Ended, 60)
			require.Equal(t, []int{r.Sessions.Begun, 0}, []int{m.Deleted, m.Undeleted})
			require.Zero(t, b.alive())
		})
	}
}

// The lives of sessions end while they think, too.
func TestMCPSessionsOfAnAgeEnd(t *testing.T) {
	t.Parallel()
	b := newSwitchboard(2, sample.Options{})
	p := mcpPlan(t, serve(t, b))
	p.Rate, p.SessionLife = 1000, load.Span{Least: 50 * time.Millisecond, Most: 100 * time.Millisecond}
	r, m := doMCP(t, p)
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.Greater(t, r.Sessions.Ended, 20)
	require.Equal(t, r.Sessions.Begun, m.Deleted)
	require.Zero(t, b.alive())
}
