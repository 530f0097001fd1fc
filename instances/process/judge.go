package process

import (
	"time"
)

// maxStarting bounds how many processes start at once: more would only make each of them slower.
const maxStarting = 8

// wantFor is how long a Want counts. Who waits for room says it more often.
const wantFor = time.Second

// ending is a process that is to be stopped.
type ending struct {
	process *process
	because string
}

// judge finds out which processes are to end, and takes from the candidates those that are to end once they are empty.
// What is to end is no longer listed from here on.
func (s *Source) judge(now time.Time) (all []ending) {
	s.drainOld(now)
	s.drainIdle(now)
	for _, p := range s.all {
		if p.state == serving && p.servedAt.After(s.failures.last) && now.Sub(p.servedAt) >= steady {
			s.failures = failures{}
		}
		if p.state != starting && p.state != serving {
			continue
		}
		if because := s.verdict(p, now); because != "" {
			all = append(all, ending{p, because})
			p.leave()
		}
	}
	return all
}

// verdict says why p is to end, "" if it is not.
func (s *Source) verdict(p *process, now time.Time) string {
	if p.state == starting {
		if p.round != s.round {
			return "the command has changed"
		}
		return ""
	}
	lost, isLost := p.lostFor(now)
	switch {
	case isLost && lost >= s.cfg.LossGrace:
		return "it fails its probes"
	case p.over():
		return "its session has ended"
	case p.empty() && p.marked:
		return "it was drained"
	case p.empty() && p.round != s.round:
		return "the command has changed"
	case p.empty():
		return "it was idle"
	case p.drains() && !p.drainUntil.IsZero() && !now.Before(p.drainUntil):
		return "the drain deadline has passed"
	default:
		return ""
	}
}

// drainOld takes processes of an earlier command from the candidates, once there are enough of the present one.
func (s *Source) drainOld(now time.Time) {
	fresh := 0
	for _, p := range s.all {
		if p.round == s.round && p.state == serving && !p.openAt.IsZero() {
			fresh++
		}
	}
	for _, p := range s.all {
		if p.round != s.round && p.state == serving && !p.drains() && fresh >= s.cfg.Min {
			p.drain(now, now.Add(s.cfg.DrainDeadline))
		}
	}
}

// drainIdle takes idle processes beyond the least number from the candidates; and gives back those that have a session
// nevertheless, or that others look for.
func (s *Source) drainIdle(now time.Time) {
	spare := 0
	for _, p := range s.all {
		if p.round != s.round || p.state != serving || p.used {
			continue
		}
		if p.drains() && !p.marked && (p.standing.Sessions > 0 || s.want(now) > 0) {
			p.drain(time.Time{}, time.Time{})
		}
		if !p.drains() {
			spare++
		}
	}
	for _, p := range s.all {
		idle := p.state == serving && p.round == s.round && !p.used && !p.drains() &&
			!p.idleSince.IsZero() && now.Sub(p.idleSince) >= s.cfg.IdleTimeout
		if idle && spare > s.cfg.Min {
			p.drain(now, time.Time{})
			spare--
		}
	}
}

// want is how many sessions look for room.
func (s *Source) want(now time.Time) int {
	if s.wanted == 0 || now.Sub(s.wantedAt) >= wantFor {
		return 0
	}
	return s.wanted
}

// missing is how many processes are to be started now.
func (s *Source) missing(now time.Time) int {
	var spare, upcoming, begun, fresh, total int
	for _, p := range s.all {
		if p.state == ended {
			continue
		}
		total++
		if p.round != s.round {
			continue
		}
		fresh++
		if p.state == stopping || p.used || p.drains() {
			continue
		}
		spare++
		if p.upcoming(now) {
			upcoming++
		}
		if p.state == starting {
			begun++
		}
	}
	slots := max(1, s.cfg.PerInstance)
	if s.cfg.Isolation {
		slots = 1
	}
	n := max(s.cfg.Min-spare, (s.want(now)+slots-1)/slots-upcoming)
	// Processes of an earlier command may keep their sessions. They must not keep the present one from starting at all.
	n = min(n, max(s.cfg.Max-total, min(s.cfg.Min, s.cfg.Max)-fresh))
	return min(n, s.failures.allow(now, begun))
}
