// Package load sends the requests of many sessions to an HTTP service and reports whether each was answered by its
// session's home, and how fast.
package load

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/load/mcp"
	"github.com/limpet-proxy/limpet/load/wire"
)

const (
	// Grace is how long requests in flight may go on after the run was interrupted.
	Grace = time.Second
	// tickEvery is how often the timeline and a ramp are looked at.
	tickEvery = 20 * time.Millisecond
)

// Run is one load. Do carries it out, once; Progress may be called at any time, by any goroutine.
type Run struct {
	plan  Plan
	heads []head // by target
	// By MCP: the heads of DELETE, by target, and the call that every request is.
	farewells []head
	call      mcp.Call
	pools     []*wire.Pool
	witness   witness
	keepBody  int
	deck      *deck
	turns     atomic.Int64 // requests so far, to take the targets in turn
	claimed   atomic.Int64 // closed model: requests so far
	record    *recorder
	started   chan struct{} // closed when record is there

	// cut ends requests in flight.
	cut      context.Context
	cutShort context.CancelFunc
}

// New prepares a run. ErrPlan, with every reason.
func New(p Plan) (*Run, error) {
	p = p.withDefaults()
	if err := p.check(); err != nil {
		return nil, err
	}
	r := &Run{
		plan: p, witness: witness{from: p.From, count: p.Count, event: p.Event, epoch: p.Epoch}, started: make(chan struct{}),
	}
	r.keepBody = max(r.witness.keepBody(), maxErrorBody)
	r.call, _ = mcp.NewCall(p.Tool, p.Arguments) // checked
	for _, t := range p.Targets {
		r.pools = append(r.pools, wire.NewPool(t))
		r.heads = append(r.heads, p.head(p.Method, t))
		r.farewells = append(r.farewells, p.head(http.MethodDelete, t))
	}
	r.deck = newDeck(&r.plan)
	return r, nil
}

// Do makes the load until its plan is done or ctx is, and returns what was found so far. After the plan's last request
// it waits for answers for as long as one may take; after ctx is done, for Grace.
func (r *Run) Do(ctx context.Context) Report {
	began := time.Now()
	r.cut, r.cutShort = context.WithCancel(context.WithoutCancel(ctx))
	defer r.cutShort()
	defer context.AfterFunc(r.cut, r.closePools)()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(Grace, r.cutShort) })()
	r.record = newRecorder(began)
	close(r.started)

	schedule, stop := context.WithCancel(ctx)
	defer stop()
	if r.plan.Duration > 0 {
		schedule, stop = context.WithDeadline(schedule, began.Add(r.plan.Duration))
		defer stop()
	}
	var watch sync.WaitGroup
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	watch.Go(func() { r.watch(watching, began) })

	m := model{Run: r, ctx: ctx, schedule: schedule, stop: stop, began: began}
	e := m.run()
	e.interrupted = ctx.Err() != nil
	unwatch()
	watch.Wait()
	r.closePools()
	e.at = time.Now()
	return r.record.report(&r.plan, e)
}

func (r *Run) closePools() {
	for _, p := range r.pools {
		p.Close()
	}
}

// watch lets the sessions grow in number as the ramp has it, and time pass in the timeline.
func (r *Run) watch(ctx context.Context, began time.Time) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		now := time.Now()
		r.deck.allow(grown(r.plan.Sessions, now.Sub(began), r.plan.Ramp), now)
		r.record.tick(now)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
