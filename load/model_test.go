package load_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/load"
)

// stalling stops answering for a while: every request that comes in that time is answered at its end.
type stalling struct {
	http.Handler
	after, stall time.Duration
	began        sync.Once
	from, to     atomic.Int64 // ns
}

func (s *stalling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.began.Do(func() {
		s.from.Store(time.Now().Add(s.after).UnixNano())
		s.to.Store(s.from.Load() + s.stall.Nanoseconds())
	})
	if now := time.Now().UnixNano(); now >= s.from.Load() && now < s.to.Load() {
		time.Sleep(time.Duration(s.to.Load() - now))
	}
	s.Handler.ServeHTTP(w, r)
}

// An instance stalls for 1 s of 3. A third of the requests are scheduled in the stall, and each waits for what is left
// of it: the latency at percentile p, from 67 on, is 3 s x (p - 67 %). Five sessions and as many connections see to it
// that most of those requests cannot even be sent. A closed load of one client has one slow request.
func TestAStallShowsInEveryRequestScheduledInIt(t *testing.T) {
	t.Parallel()
	const rate, second = 400, time.Second
	p := plan(t, serve(t, &stalling{Handler: newFaulty(1), after: second, stall: second}))
	p.Rate, p.Duration, p.Requests, p.Sessions, p.Connections = rate, 3*second, 0, 5, 5
	r := do(t, p)
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.Equal(t, 3*rate, r.Requests.Scheduled)
	require.Equal(t, 3*rate, r.Requests.Answered)
	require.EqualValues(t, 3*rate, r.Latency.Count)
	require.Greater(t, r.Latency.P99, 900.0)
	require.Greater(t, r.Latency.P95, 800.0)
	require.Greater(t, r.Latency.P90, 650.0)
	require.Greater(t, r.Latency.Max, 990.0)
	require.Less(t, r.Service.P95, 500.0, "from sending on, five requests were slow")
	require.Greater(t, r.Requests.Late, rate*9/10, "they waited for the answers before them")
	require.NotEmpty(t, r.Latency.Curve)
	require.InDelta(t, rate, r.Rate.Asked, 10)

	p = plan(t, serve(t, &stalling{Handler: newFaulty(1), after: second / 2, stall: second}))
	p.Duration, p.Requests, p.Connections = 2*second, 0, 1
	closed := do(t, p)
	require.Less(t, closed.Latency.P99, 500.0, "a closed load omits what it did not send")
	require.Greater(t, closed.Latency.Max, 900.0)
	require.Zero(t, closed.Requests.Late)
}

// While one instance of two stalls, arrivals for its sessions go on: to leave them out would hide the stall.
func TestArrivalsDoNotAvoidWhoStalls(t *testing.T) {
	t.Parallel()
	f := newFaulty(2)
	slow := &stalling{Handler: f.instances[0], stall: time.Second}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.of(r) == 0 {
			slow.ServeHTTP(w, r)
			return
		}
		f.instances[1].ServeHTTP(w, r)
	})
	p := plan(t, serve(t, h))
	p.Rate, p.Duration, p.Requests, p.Sessions = 300, time.Second, 0, 40
	r := do(t, p)
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.Len(t, r.Instances, 2)
	for _, i := range r.Instances {
		// In the mean its share of the sessions, 20 of 40 give or take: 40 fair coins, so 4 to 36 is beyond 5 sigma.
		share := float64(i.Responses) / float64(r.Affinity.Judged)
		require.InDelta(t, float64(i.Sessions)/float64(r.Sessions.Named), share, 0.15)
	}
	require.Greater(t, r.Latency.P50, 100.0, "near half of them waited, half of those for more than half a second")
}

func TestTheScheduleIsKept(t *testing.T) {
	t.Parallel()
	p := plan(t, serve(t, newFaulty(2)))
	p.Rate, p.Requests, p.Ramp = 500, 300, 500*time.Millisecond
	r := do(t, p)
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.Equal(t, 300, r.Requests.Scheduled)
	require.Zero(t, r.Requests.Unsent)
	// 125 arrive in the ramp, 175 after it at 500 a second: 0.85 s.
	require.GreaterOrEqual(t, r.Elapsed, 0.84)
	require.Equal(t, "open", r.Load.Model)
}

// One connection to something slow cannot keep the schedule: the report says whose fault that is, and what is left when
// time is over was not sent.
func TestAScheduleThatCannotBeKept(t *testing.T) {
	t.Parallel()
	f := newFaulty(2)
	f.before = func(http.ResponseWriter, *http.Request, int64) bool {
		time.Sleep(20 * time.Millisecond)
		return false
	}
	p := plan(t, serve(t, f))
	p.Rate, p.Duration, p.Requests, p.Connections, p.Timeout = 500, time.Second, 0, 1, 500*time.Millisecond
	r := do(t, p)
	require.Equal(t, 500, r.Requests.Scheduled)
	require.Positive(t, r.Requests.LateHere)
	require.Greater(t, r.Requests.Unsent, 300, "75 can be answered in 1.5 s")
	require.LessOrEqual(t, r.Requests.Answered, 76)
	require.Len(t, r.Warnings, 2)
	require.Contains(t, r.Warnings[0], "the schedule was not kept")
	require.Contains(t, r.Warnings[0], "at most 1 of 1 were")
	require.Contains(t, r.Warnings[1], "scheduled and not sent")
	require.Empty(t, r.Failures, "what the end of the run cuts is no failure of the target")
}

// Sessions that end make room for others, in both models, and no session has more requests than it may.
func TestChurn(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]float64{"closed": 0, "open": 2000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaulty(3)
			var mu sync.Mutex
			per := map[string]int{}
			f.before = func(_ http.ResponseWriter, r *http.Request, _ int64) bool {
				mu.Lock()
				defer mu.Unlock()
				per[r.Header.Get(sessionHeader)]++
				return false
			}
			p := plan(t, serve(t, f))
			p.Rate, p.Requests, p.SessionRequests = rate, 1000, 10
			r := do(t, p)
			require.Equal(t, load.Proven, r.Verdict, r.Why)
			require.Equal(t, len(per), r.Sessions.Begun)
			require.GreaterOrEqual(t, len(per), 100)
			full := 0
			for id, n := range per {
				require.LessOrEqual(t, n, 10, id)
				if n == 10 {
					full++
				}
			}
			require.Equal(t, full, r.Sessions.Ended)
			require.Equal(t, 20, r.Sessions.Alive)
		})
	}
	t.Run("by age", func(t *testing.T) {
		t.Parallel()
		p := plan(t, serve(t, newFaulty(3)))
		p.Duration, p.Requests = time.Second, 0
		p.SessionLife = load.Span{Least: 100 * time.Millisecond, Most: 300 * time.Millisecond}
		r := do(t, p)
		require.Equal(t, load.Proven, r.Verdict, r.Why)
		require.Greater(t, r.Sessions.Ended, 2*20)
		require.Less(t, r.Sessions.Ended, 10*20)
	})
}

// A session rests between its requests, in both models: 4 sessions that rest for 50 ms or more have at most 20 each in
// a second.
func TestThinkTime(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]float64{"closed": 0, "open": 60} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, serve(t, newFaulty(2)))
			p.Rate, p.Sessions, p.Duration, p.Requests = rate, 4, time.Second, 0
			p.Think = load.Span{Least: 50 * time.Millisecond, Most: 60 * time.Millisecond}
			r := do(t, p)
			require.Equal(t, load.Proven, r.Verdict, r.Why)
			require.LessOrEqual(t, r.Requests.Answered, 4*20+4)
			require.Greater(t, r.Requests.Answered, 4*5)
		})
	}
}

func TestARampBeginsSmall(t *testing.T) {
	t.Parallel()
	var inFlight, early, most atomic.Int64
	began := time.Now()
	f := newFaulty(2)
	f.before = func(http.ResponseWriter, *http.Request, int64) bool {
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		most.Store(max(most.Load(), n))
		if time.Since(began) < 300*time.Millisecond {
			early.Store(max(early.Load(), n))
		}
		time.Sleep(10 * time.Millisecond)
		return false
	}
	p := plan(t, serve(t, f))
	p.Connections, p.Duration, p.Requests, p.Ramp = 10, 1500*time.Millisecond, 0, time.Second
	r := do(t, p)
	require.Equal(t, load.Proven, r.Verdict, r.Why)
	require.LessOrEqual(t, early.Load(), int64(4), "three or four of ten clients")
	require.Greater(t, most.Load(), int64(5))
}

func TestInterruptedRunsReportWhatTheyHave(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]float64{"closed": 0, "open": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, interrupt := context.WithCancel(t.Context())
			f := newFaulty(2)
			f.before = func(_ http.ResponseWriter, r *http.Request, n int64) bool {
				if n == 100 {
					interrupt()
				}
				if n >= 100 {
					<-r.Context().Done() // in flight when the run is interrupted, and for longer than its grace
				}
				return false
			}
			p := plan(t, serve(t, f))
			p.Rate, p.Duration, p.Requests = rate, time.Hour, 0
			run, err := load.New(p)
			require.NoError(t, err)
			began := time.Now()
			r := run.Do(ctx)
			checkSums(t, r)
			require.True(t, r.Interrupted)
			require.Less(t, time.Since(began), 30*time.Second)
			require.GreaterOrEqual(t, time.Since(began), load.Grace)
			require.Equal(t, load.Proven, r.Verdict, r.Why)
			require.Positive(t, r.Requests.Cut)
			require.Zero(t, r.Requests.Failed, "what was cut did not fail: %v", r.Failures)
			require.GreaterOrEqual(t, r.Requests.Answered, 90)
		})
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	f := newFaulty(2)
	at, goOn := make(chan struct{}), make(chan struct{})
	f.before = func(_ http.ResponseWriter, _ *http.Request, n int64) bool {
		if n == 500 {
			close(at)
		}
		if n >= 500 {
			<-goOn
		}
		return false
	}
	p := plan(t, serve(t, f))
	p.Requests = 1000
	run, err := load.New(p)
	require.NoError(t, err)
	require.Zero(t, run.Progress())
	done := make(chan load.Report)
	go func() { done <- run.Do(t.Context()) }()
	<-at
	now := run.Progress()
	require.InDelta(t, 0.5, now.Done, 0.02)
	require.InDelta(t, 500, now.Answered, 16)
	require.Equal(t, 20, now.Sessions)
	require.Positive(t, now.P99)
	require.GreaterOrEqual(t, now.P99, now.P50)
	close(goOn)
	r := <-done
	require.Equal(t, 1000, r.Requests.Answered)
	require.Equal(t, 1.0, run.Progress().Done)
}

// However many clients want to begin the last request, one does.
func TestNoRequestTooMany(t *testing.T) {
	t.Parallel()
	for range 20 {
		p := plan(t, serve(t, newFaulty(1)))
		p.Requests, p.Connections = 1, 16
		r := do(t, p)
		require.Equal(t, 1, r.Requests.Scheduled)
		require.Equal(t, 1, r.Requests.Answered)
	}
}

// A dead target refuses in no time. It must not get most of the requests for that.
func TestADeadTargetDoesNotTakeOver(t *testing.T) {
	t.Parallel()
	p := plan(t, serve(t, newFaulty(2)))
	p.Targets = append(p.Targets, deadTarget(t))
	p.Connections, p.Requests, p.Duration = 4, 0, time.Second
	r := do(t, p)
	require.Less(t, r.Requests.Failed, 100, "four clients, ten refusals a second each")
	require.Positive(t, r.Requests.Succeeded)
	require.Equal(t, "connection refused", r.Failures[0].Reason)

	p.Retries = 1 // each at the next target
	r = do(t, p)
	require.Zero(t, r.Requests.Failed)
	require.Positive(t, r.Requests.Retried)
}
