package instances

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

const (
	reportTimeout = time.Second
	// reportRetry is how soon a failed report is tried again, where the probe's interval is longer.
	reportRetry = time.Second
	// minDeadlineReport bounds how often a drain deadline that is near is asked about.
	minDeadlineReport = 10 * time.Millisecond
)

// sent is what a report said of one instance, for when the answer comes.
type sent struct {
	instance   *Instance
	health     sessions.Health
	unprovenAs int
	probed     bool
	asked      time.Time
}

// reportUntil reports once an interval, and at once when something changed, until ctx is done. Probing goes on
// meanwhile, however long the registry takes.
func (p *Pool) reportUntil(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.kick:
		}
		err := p.report(ctx)
		if ctx.Err() != nil {
			return
		}
		timer.Reset(p.reported(err, failed))
		failed = err != nil
	}
}

// reported logs the first of a row of failures and its end, and returns when to report again.
func (p *Pool) reported(err error, failed bool) time.Duration {
	p.mu.Lock()
	rules, log := p.rules, p.log
	p.mu.Unlock()
	switch {
	case err != nil && !failed:
		log.Warn("instances cannot be reported to the store, what it said last is kept", "error", err)
	case err == nil && failed:
		log.Info("instances are reported to the store again")
	}
	if err != nil {
		return min(rules.nextProbe(), reportRetry)
	}
	next := rules.nextProbe()
	if deadline, ok := p.untilDeadline(time.Now()); ok {
		next = min(next, max(deadline, minDeadlineReport))
	}
	return next
}

func (p *Pool) reportNow() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// report tells the registry of the removed instances, then of the present ones: a new program under a removed ID
// gets its own incarnation only if the registry has heard in this order.
func (p *Pool) report(ctx context.Context) error {
	defer p.tellElastic()
	inherited := p.inherit(ctx) // an error ends nothing here: the next report asks again
	r, about := p.removedReport()
	if len(about) > 0 {
		if _, err := p.send(ctx, r); err != nil {
			return err
		}
		p.noteRemoved(about)
	}
	r, about = p.liveReport()
	records, err := p.send(ctx, r)
	if err == nil {
		p.take(about, records)
	}
	p.noteReady(about)
	if err == nil {
		err = p.hearAgain(ctx)
	}
	return errors.Join(inherited, err)
}

func (p *Pool) send(ctx context.Context, r sessions.Report) ([]sessions.InstanceRecord, error) {
	if len(r.Instances) == 0 {
		return nil, nil
	}
	p.mu.Lock()
	registry := p.cfg.Registry
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	records, err := registry.Report(ctx, r)
	if err == nil && len(records) != len(r.Instances) {
		err = fmt.Errorf("%w: %d records for %d instances", sessions.ErrCorrupt, len(records), len(r.Instances))
	}
	return records, err
}

func (p *Pool) newReport() sessions.Report {
	return sessions.Report{
		Function: p.cfg.Function, Version: p.cfg.Version,
		AliveWithin: p.rules.aliveWithin(), LossGrace: p.cfg.LossGrace,
	}
}

func (p *Pool) removedReport() (sessions.Report, []sent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.newReport()
	var about []sent
	for _, gone := range p.removed {
		if gone.reported {
			continue // once: another replica may list the ID again, and its word is the newer one
		}
		r.Instances = append(r.Instances, sessions.InstanceReport{
			ID: gone.instance.id, URL: gone.instance.shared(), Health: sessions.HealthGone,
		})
		about = append(about, sent{instance: gone.instance})
	}
	return r, about
}

func (p *Pool) noteRemoved(about []sent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range about {
		if gone, ok := p.removed[s.instance.id]; ok && gone.instance == s.instance {
			gone.reported = true
			p.removed[s.instance.id] = gone
		}
	}
}

func (p *Pool) liveReport() (sessions.Report, []sent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.newReport()
	var about []sent
	asked := time.Now()
	for _, i := range p.instances {
		if i.hearsay.Load() {
			continue // who lists it reports it: what is gone there must not be up because of this
		}
		// A reload may have come between the two reports.
		if gone, ok := p.removed[i.id]; ok && !gone.reported {
			continue
		}
		h := i.health.report()
		r.Instances = append(r.Instances, sessions.InstanceReport{
			ID: i.id, URL: i.shared(), Start: i.health.start, Health: h,
		})
		about = append(about, sent{i, h, i.health.unprovenAs, !i.health.probedAt.IsZero(), asked})
	}
	return r, about
}

// take applies what the registry answered to a live report.
func (p *Pool) take(about []sent, records []sessions.InstanceRecord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	freed := false
	for n, s := range about {
		i := s.instance
		if i.gone.Err() != nil {
			continue
		}
		before, had, drained := i.incarnation.Load(), i.sessions, i.drain
		i.accept(records[n], s.health == sessions.HealthUp && s.unprovenAs == i.health.unprovenAs)
		i.asOf = s.asked
		freed = freed || i.candidate() && i.sessions < had
		p.logDrain(i, drained)
		i.tell()
		if now := i.incarnation.Load(); before != 0 && now != before {
			p.log.Info("instance has a new incarnation: sessions of the one before have lost their state",
				"instance", i.id, "url", i.url.String(), "incarnation", now)
		}
	}
	p.forget(time.Now())
	p.publish(freed)
}

// noteReady latches Ready when the report was about all there is, all of it probed, whether or not the registry heard
// it.
func (p *Pool) noteReady(about []sent) {
	if p.ready.Load() || !p.complete(len(about)) {
		return
	}
	for _, s := range about {
		if !s.probed {
			return
		}
	}
	p.ready.Store(true)
}

// complete says whether n instances are all there are, as far as sources can be waited for.
func (p *Pool) complete(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	late := p.running != nil && time.Since(p.running.began) >= sourcePatience
	listed := 0
	for _, i := range p.instances {
		if !i.hearsay.Load() {
			listed++
		}
	}
	return n == listed && (p.heard || late)
}
