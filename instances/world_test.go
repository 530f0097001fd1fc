package instances_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/sessions"
)

// What probes of the fake world fail with.
var (
	errRefused = &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errTimeout = &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	errStatus  = errors.New("health answer 500")
)

// world is a pool on a fake clock with a fake network and a fake registry. Everything in it runs inside a synctest
// bubble: between two calls of pass nothing moves.
type world struct {
	t        *testing.T
	pool     *instances.Pool
	cfg      instances.PoolConfig
	registry *registry
	stop     func()

	mu     sync.Mutex
	hosts  map[string]host
	probes map[string]int
}

// host is how an address answers probes.
type host struct {
	start string
	err   error
	takes time.Duration
}

func newWorld(t *testing.T, ids ...string) *world {
	t.Helper()
	w := &world{t: t, registry: newRegistry(), hosts: map[string]host{}, probes: map[string]int{}}
	w.cfg = instances.PoolConfig{
		Function: "f", Version: "LATEST", Config: config(ids...), RequestsPerInstance: 2, Registry: w.registry,
	}
	pool, err := instances.NewPool(w.cfg)
	require.NoError(t, err)
	pool.WithProbe(w.probe)
	w.pool = pool
	return w
}

func config(ids ...string) instances.Config {
	c := instances.DefaultConfig()
	health := instances.DefaultHealthConfig()
	c.Health = &health
	for _, id := range ids {
		c.Static = append(c.Static, instances.StaticInstance{ID: id, URL: "http://" + id + ".test:80"})
	}
	return c
}

// run starts the pool and lets all that happens at once happen.
func (w *world) run() *world {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.pool.Run(ctx)
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	synctest.Wait()
	return w
}

func (w *world) probe(ctx context.Context, u *url.URL, _ string) (string, error) {
	w.mu.Lock()
	h := w.hosts[u.Hostname()]
	w.probes[u.Hostname()]++
	w.mu.Unlock()
	if h.takes > 0 {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(h.takes):
		}
	}
	return h.start, h.err
}

// set says how the instance answers probes from now on.
func (w *world) set(id string, h host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[id+".test"] = h
}

func (w *world) probed(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.probes[id+".test"]
}

// pass lets d go by, and everything that follows at its end happen.
func (w *world) pass(d time.Duration) {
	time.Sleep(d) // the bubble's clock: no real time
	synctest.Wait()
}

// rounds lets n probe rounds go by: every instance has then been probed at least n times.
func (w *world) rounds(n int) {
	w.pass(time.Duration(n)*instances.DefaultHealthInterval*11/10 + time.Millisecond)
}

func (w *world) view(id string) instances.View {
	for _, v := range w.pool.Snapshot() {
		if v.ID == id && v.State != instances.StateGone {
			return v
		}
	}
	w.t.Fatalf("no instance %s", id)
	return instances.View{}
}

func (w *world) home(id string) sessions.Home {
	return sessions.Home{Version: "LATEST", ID: id, Incarnation: w.view(id).Incarnation}
}

func (w *world) state(h sessions.Home) sessions.HomeState {
	state, _ := w.pool.State(h)
	return state
}

func (w *world) candidates() []string {
	var ids []string
	for _, h := range w.pool.Candidates(0) {
		ids = append(ids, h.ID)
	}
	return ids
}

func (w *world) instance(id string) *instances.Instance {
	i, ok := w.pool.Lookup(sessions.Home{ID: id})
	require.True(w.t, ok, "no instance %s", id)
	return i
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// registry is a Registry by the rules of sessions.Registry, as small as they allow.
type registry struct {
	mu      sync.Mutex
	records map[string]*record
	last    uint64
	reports []sessions.Report
	down    bool
	hangs   bool
	hung    int
	short   bool                  // answers lack a record
	before  func(sessions.Report) // called before a report is applied
}

type record struct {
	sessions.InstanceRecord
	start, before string
}

func newRegistry() *registry { return &registry{records: map[string]*record{}} }

func (r *registry) Report(ctx context.Context, report sessions.Report) ([]sessions.InstanceRecord, error) {
	r.mu.Lock()
	hangs, down, before := r.hangs, r.down, r.before
	if hangs {
		r.hung++
	}
	r.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, fmt.Errorf("%w: %w", sessions.ErrUnavailable, ctx.Err())
	}
	if down {
		return nil, sessions.ErrUnavailable
	}
	if before != nil {
		before(report)
	}
	return r.applyAll(report), nil
}

func (r *registry) applyAll(report sessions.Report) []sessions.InstanceRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, report)
	records := make([]sessions.InstanceRecord, 0, len(report.Instances))
	for _, i := range report.Instances {
		records = append(records, r.apply(report, i))
	}
	if r.short {
		return records[1:]
	}
	return records
}

func (r *registry) apply(report sessions.Report, i sessions.InstanceReport) sessions.InstanceRecord {
	rec, now := r.records[i.ID], time.Now()
	if rec == nil {
		rec = &record{InstanceRecord: sessions.InstanceRecord{Home: sessions.Home{Version: report.Version, ID: i.ID}}}
		r.records[i.ID] = rec
		r.renew(rec)
	}
	switch i.Health {
	case sessions.HealthUp:
		proof := i.Start != "" && i.Start == rec.start
		graceOver := now.Sub(rec.LostAt) >= report.LossGrace
		switch {
		case i.Start != "" && rec.start != "" && i.Start != rec.start && i.Start != rec.before,
			!rec.GoneAt.IsZero(),
			!rec.LostAt.IsZero() && graceOver && (!proof || report.LossGrace > 0):
			r.renew(rec)
		}
		if i.Start != "" && i.Start != rec.start && i.Start != rec.before {
			rec.before, rec.start = rec.start, i.Start
		}
		rec.LastHealthy, rec.LostAt = now, time.Time{}
	case sessions.HealthLost:
		if rec.LostAt.IsZero() && now.Sub(rec.LastHealthy) > report.AliveWithin {
			rec.LostAt = now
		}
	case sessions.HealthGone:
		if rec.GoneAt.IsZero() {
			rec.GoneAt = now
		}
	}
	rec.URL = i.URL
	return rec.InstanceRecord
}

func (r *registry) renew(rec *record) {
	r.last++
	rec.Incarnation, rec.Used, rec.Sessions = r.last, false, 0
	rec.LostAt, rec.GoneAt = time.Time{}, time.Time{}
}

// outage makes the registry refuse every report, or no longer.
func (r *registry) outage(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// onReport calls before with each report that is neither refused nor hangs, before it is applied.
func (r *registry) onReport(before func(sessions.Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = before
}

func (r *registry) hang(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hangs = on
}

// edit changes the record of an instance, as a Pin, an End or another replica would.
func (r *registry) edit(id string, change func(*sessions.InstanceRecord)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.records[id].InstanceRecord)
}

func (r *registry) record(id string) sessions.InstanceRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.records[id]; rec != nil {
		return rec.InstanceRecord
	}
	return sessions.InstanceRecord{}
}

func (r *registry) all() []sessions.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reports
}

func (r *registry) timesHung() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hung
}

// said returns what the last report that named the instance said of it.
func (r *registry) said(id string) sessions.InstanceReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := len(r.reports) - 1; n >= 0; n-- {
		for _, i := range r.reports[n].Instances {
			if i.ID == id {
				return i
			}
		}
	}
	return sessions.InstanceReport{}
}

// saidEver counts the reports that said so of the instance.
func (r *registry) saidEver(id string, h sessions.Health) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, report := range r.reports {
		for _, i := range report.Instances {
			if i.ID == id && i.Health == h {
				n++
			}
		}
	}
	return n
}
