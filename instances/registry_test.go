package instances_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// registry is a Registry by the rules of sessions.Registry, as small as they allow.
type registry struct {
	mu      sync.Mutex
	records map[string]*record
	last    uint64
	reports []sessions.Report
	down    bool
	hangs   bool
	hung    int
	listed  int
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

func (r *registry) Instances(ctx context.Context, _ string) ([]sessions.InstanceRecord, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed++
	if r.down {
		return nil, sessions.ErrUnavailable
	}
	var all []sessions.InstanceRecord
	for _, rec := range r.records {
		all = append(all, rec.InstanceRecord)
	}
	return all, nil
}

func (r *registry) timesListed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.listed
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
		gone := !rec.GoneAt.IsZero()
		goneOver := report.LossGrace > 0 && now.Sub(rec.GoneAt) >= report.LossGrace
		graceOver := now.Sub(rec.LostAt) >= report.LossGrace
		switch {
		case i.Start != "" && rec.start != "" && i.Start != rec.start && i.Start != rec.before,
			gone && (!proof || goneOver || i.URL != rec.URL),
			!rec.LostAt.IsZero() && graceOver && (!proof || report.LossGrace > 0):
			r.renew(rec)
		}
		if i.Start != "" && i.Start != rec.start && i.Start != rec.before {
			rec.before, rec.start = rec.start, i.Start
		}
		rec.LastHealthy, rec.LostAt, rec.GoneAt = now, time.Time{}, time.Time{}
	case sessions.HealthLost:
		if rec.LostAt.IsZero() && now.Sub(rec.LastHealthy) > report.AliveWithin {
			rec.LostAt = now
		}
	case sessions.HealthGone:
		if rec.GoneAt.IsZero() {
			rec.GoneAt = now
		}
	}
	rec.URL, rec.Start, rec.ReadAt = i.URL, rec.start, now
	return rec.InstanceRecord
}

func (r *registry) renew(rec *record) {
	r.last++
	rec.Incarnation, rec.Used, rec.Sessions = r.last, false, 0
	rec.LostAt, rec.GoneAt = time.Time{}, time.Time{}
	rec.DrainingSince, rec.DrainDeadline = time.Time{}, time.Time{}
}

// drain marks an instance as draining, with that deadline from now on; a negative one takes it back.
func (r *registry) drain(id string, deadline time.Duration) {
	r.edit(id, func(rec *sessions.InstanceRecord) {
		rec.DrainingSince, rec.DrainDeadline = time.Now(), time.Now().Add(deadline)
		if deadline < 0 {
			rec.DrainingSince, rec.DrainDeadline = time.Time{}, time.Time{}
		}
	})
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
