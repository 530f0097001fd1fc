package instances

import (
	"cmp"
	"context"
	"time"
)

// suspectFrom is the least number of instances from which on a replica may suspect itself: of two, one that fails
// says as much against itself as against the replica.
const suspectFrom = 3

// startProbing probes i until it is gone or Run ends.
func (p *Pool) startProbing(i *Instance) {
	if p.running == nil {
		return
	}
	ctx := p.running.ctx
	p.running.goroutines.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(i.gone, cancel)()
		p.watch(ctx, i)
	})
}

func (p *Pool) watch(ctx context.Context, i *Instance) {
	for {
		rules, opened := p.probeTerms(i)
		r := result{began: time.Now(), opened: opened}
		probeCtx, cancel := context.WithTimeout(ctx, rules.timeout)
		r.start, r.err = p.probe(probeCtx, target{i.url, rules.ask, i.Control})
		cancel()
		if ctx.Err() != nil {
			return // an aborted probe says nothing
		}
		p.probed(i, r)
		timer := time.NewTimer(rules.nextProbe())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-i.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func (p *Pool) probeTerms(i *Instance) (rules, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules, i.health.opened
}

// probed takes in the result of a probe.
func (p *Pool) probed(i *Instance, r result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i.gone.Err() != nil {
		return
	}
	h, now := &i.health, time.Now()
	before := *h
	if r.err == nil {
		r.start = cmp.Or(r.start, i.start)
		h.pass(r, p.rules.successes, now)
		if h.lost && h.phase == phaseReady {
			h.returned(i.lostAt)
		}
	} else {
		h.fail(r)
	}
	p.logProbe(i, before)
	judged := p.judge(now)
	if judged || before.visible() != h.visible() {
		p.publish(false)
		p.reportNow()
	}
	if before.probedAt.IsZero() {
		p.reportNow() // Ready waits for it
	}
	i.tell()
}

// visible is the part of an instance's health that readers or the registry must hear of at once.
type visible struct {
	phase      phase
	lost       bool
	circuit    circuit
	unproven   bool
	unprovenAs int
}

func (h *health) visible() visible {
	return visible{h.phase, h.lost, h.circuit, h.unproven, h.unprovenAs}
}

// judge declares lost what failed past its failures, unless this replica has reason to suspect itself, and says
// whether anything changed.
//
// A refused dial proves that the host lives and that the network between is fine, so it speaks against the instance
// alone. Any other failure may be this replica's own: when more than half of the instances fail so at once, it is.
// Those declared lost earlier are not failing "at once": an instance that died yesterday must not keep one that dies
// today from being lost.
func (p *Pool) judge(now time.Time) (changed bool) {
	failing, oldest := 0, now
	for _, i := range p.instances {
		h := &i.health
		if h.lost {
			continue
		}
		if h.failures > 0 && !h.refused {
			failing++
		}
		if h.probedAt.Before(oldest) {
			oldest = h.probedAt
		}
	}
	many := len(p.instances) >= suspectFrom
	doubting := many && 2*failing > len(p.instances)
	p.logDoubt(doubting, failing)
	for _, i := range p.instances {
		h := &i.health
		if h.lost || h.failures < p.rules.failures {
			continue
		}
		before := h.visible()
		// With few failures needed, the first instance to fail would be lost before the others had a chance to fail
		// too. So every instance must have been probed since this one began to fail.
		unheard := many && oldest.Before(h.failingSince)
		if h.refused || !doubting && !unheard {
			h.lose(now)
			p.log.Warn("instance lost", "instance", i.id, "url", i.url.String(), "failures", h.failures, "error", h.err)
		} else {
			h.suspect(now)
		}
		changed = changed || before != h.visible()
		if unheard && !doubting {
			p.probeStale(h.failingSince)
		}
	}
	return changed
}

// probeStale probes at once what was not probed since, and asks for it once: until the answers are there, every other
// result leads here again.
func (p *Pool) probeStale(since time.Time) {
	for _, i := range p.instances {
		if i.health.probedAt.Before(since) && i.asked.Before(since) {
			i.asked = since
			i.probeNow()
		}
	}
}

// openCircuit takes in a failed dial of the traffic.
func (p *Pool) openCircuit(i *Instance, c circuit, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Only the first failure asks for a probe, or a flood of requests would become a flood of probes.
	if i.gone.Err() != nil || !i.health.open(c) {
		return
	}
	p.log.Warn("instance dial failed", "instance", i.id, "url", i.url.String(), "error", err)
	p.publish(false)
	i.probeNow()
}

func (p *Pool) logProbe(i *Instance, before health) {
	h := &i.health
	switch {
	case before.phase != phaseReady && h.phase == phaseReady:
		p.log.Info("instance ready", "instance", i.id, "url", i.url.String(), "was", before.phase.String())
	case before.circuit != circuitClosed && h.circuit == circuitClosed:
		p.log.Info("instance reachable again", "instance", i.id, "url", i.url.String())
	}
	if h.unprovenAs != before.unprovenAs && h.program != before.program {
		p.log.Info("instance restarted", "instance", i.id, "url", i.url.String())
	}
	if before.failures == 0 && h.failures > 0 {
		p.log.Debug("instance probe failed", "instance", i.id, "url", i.url.String(), "error", h.err)
	}
}

func (p *Pool) logDoubt(doubting bool, failing int) {
	if doubting == p.doubting {
		return
	}
	p.doubting = doubting
	if doubting {
		p.log.Warn("most instances fail at once: this replica suspects itself and declares none lost",
			"failing", failing, "instances", len(p.instances))
		return
	}
	p.log.Info("this replica no longer suspects itself")
}
