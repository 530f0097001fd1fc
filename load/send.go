package load

import (
	"context"
	"time"

	"github.com/limpet-proxy/limpet/load/mcp"
	"github.com/limpet-proxy/limpet/load/wire"
)

// sender sends requests and has them judged. One goroutine uses it.
type sender struct {
	*Run
	scratch []byte // the head of a request
	message []byte // of MCP
	events  mcp.Events
}

// request sends one request of the session, again if need be, until it is done with. sent says that at least one
// attempt got as far as a connection.
func (w *sender) request(s *session, t turn) (sent bool) {
	start := time.Now()
	arrived := t != (turn{})
	if !arrived { // it is due now
		t = turn{scheduled: start, due: start}
	}
	s.sent++
	w.record.begun(t, start, s.sent == 1)
	turn := int(w.turns.Add(1) - 1)
	for n := 0; ; n++ {
		// Another attempt goes to the target after, and not to whichever has its turn: that may be the same one.
		a := w.attempt(s, (turn+n)%len(w.pools))
		a.again = n > 0
		sent = sent || a.reached
		if n == 0 && !a.begun.IsZero() { // what went before it was an MCP session's beginning
			if start = a.begun; !arrived {
				t.scheduled = start
			}
		}
		w.record.attempted(a)
		if a.failure.retriable && n < w.plan.Retries && pause(w.cut, a.wait) {
			continue
		}
		s.done(a.at)
		w.record.finish(a, a.at.Sub(t.scheduled), a.at.Sub(start))
		return sent
	}
}

// pause waits, and says whether the run still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// attempt sends the request once, to a target.
func (w *sender) attempt(s *session, n int) attempt {
	if w.plan.Protocol == MCP {
		return w.callTool(s, n)
	}
	pool := w.pools[n]
	target := pool.Target()
	a := attempt{session: s, request: s.sent, target: target.URL.String()}
	conn, err := pool.Take(w.cut)
	if err != nil {
		a.at, a.cut, a.failure, a.wait = time.Now(), w.cut.Err() != nil, dialFailed(err), DefaultRetryWait
		return a
	}
	a.sent, a.reached = true, true
	head := w.heads[n]
	w.scratch = append(w.scratch[:0], head.before...)
	w.scratch = w.plan.Carrier.stamp(w.scratch, s, target.URL)
	w.scratch = append(w.scratch, head.after...)
	res, err := conn.Do(wire.Exchange{
		Head: w.scratch, Body: w.plan.Body, Method: w.plan.Method, Deadline: time.Now().Add(w.plan.Timeout), KeepBody: w.keepBody,
	})
	a.at = time.Now()
	if err != nil {
		pool.Put(conn)
		s.state.Lost()
		a.cut, a.failure, a.wait = w.cut.Err() != nil, answerLost(err), DefaultRetryWait
		return a
	}
	// First: the epochs of another ID, if the session has one now, have no order with those before.
	a.renamed = w.plan.Carrier.learn(s, target.URL, res.Header)
	w.judge(&a, res)
	pool.Put(conn) // not before: the body is the connection's
	return a
}

// judge looks at a whole response.
func (w *sender) judge(a *attempt, res wire.Response) {
	a.answered, a.status, a.failure = true, res.Status, refused(res)
	a.wait = retryWait(res.Header)
	if w.plan.From.IsZero() {
		return
	}
	seen, err := w.witness.observe(res)
	if err != nil && a.failure.reason == "" {
		a.unjudged = err
	}
	if seen.From == "" {
		// Whatever answered, it was not the instance, or did not say so. The instance may have counted the request.
		a.session.state.Lost()
		return
	}
	a.seen, a.judged = seen, true
	a.finding = a.session.state.Saw(seen)
}
