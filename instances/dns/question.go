package dns

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/limpet-proxy/limpet/instances"
)

const (
	// confirmations is how many answers in a row must say that there is nothing before it is believed. A name server that
	// has just started, or has lost its own source, says so for a moment; an instance that is really gone refuses dials
	// long before.
	confirmations = 3
	// minWait is the least time between two questions where the TTL asks for less, if Refresh is not shorter still.
	minWait = time.Second
	// jitter is the share of Refresh by which a question may come early: it keeps replicas from asking in step.
	jitter = 0.1
)

// answer is what name servers said.
type answer struct {
	at  []netip.AddrPort
	ttl time.Duration // the least of the records'
}

// question is one thing that is asked again and again. The source's mutex guards what is not set once.
type question struct {
	about string // the record type, for the log
	ask   func(ctx context.Context) (answer, error)

	known    []netip.AddrPort // the last answer that counts
	asked    bool             // at least one question has come to an end
	answered bool             // an answer was believed
	empties  int              // answers in a row that said that there is nothing
	failed   bool             // the last one had no answer
}

// questions returns what a configuration asks.
func questions(cfg Config, l lookup) []*question {
	if cfg.SRV() {
		s := &services{lookup: l, family: cfg.Family, last: map[host][]netip.Addr{}}
		return []*question{{about: "SRV", ask: func(ctx context.Context) (answer, error) { return s.find(ctx, cfg.Name) }}}
	}
	var all []*question
	for _, kind := range kindsOf(cfg.Family) {
		all = append(all, &question{about: dns.TypeToString[kind], ask: func(ctx context.Context) (answer, error) {
			addrs, ttl, err := l.search(ctx, cfg.Name, kind)
			return answer{atPort(addrs, uint16(cfg.Port)), ttl}, err
		}})
	}
	return all
}

func kindsOf(f instances.Family) []uint16 {
	switch f {
	case instances.FamilyIPv4:
		return []uint16{dns.TypeA}
	case instances.FamilyIPv6:
		return []uint16{dns.TypeAAAA}
	default:
		return []uint16{dns.TypeA, dns.TypeAAAA}
	}
}

func atPort(addrs []netip.Addr, port uint16) []netip.AddrPort {
	at := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		at[i] = netip.AddrPortFrom(a, port)
	}
	return at
}

// follow asks q until ctx is done.
func (s *Source) follow(ctx context.Context, q *question, changed func()) {
	for ctx.Err() == nil {
		a, err := q.ask(ctx)
		if ctx.Err() != nil {
			return // an aborted question says nothing
		}
		moved, wait := s.take(q, a, err)
		if moved {
			changed()
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// take takes in how a question ended, and says whether the places changed and when to ask again.
func (s *Source) take(q *question, a answer, err error) (moved bool, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(q, a, err)
	q.asked, q.failed = true, err != nil
	switch {
	case err != nil:
	case len(a.at) > 0:
		q.known, q.answered, q.empties = a.at, true, 0
	default:
		if q.empties++; q.empties >= confirmations {
			q.known, q.answered = nil, true
		}
	}
	return s.publish(), s.wait(q, a.ttl)
}

// wait is how long until q is asked again.
func (s *Source) wait(q *question, ttl time.Duration) time.Duration {
	refresh, least := s.cfg.Refresh, min(minWait, s.cfg.Refresh)
	early := time.Duration(float64(refresh) * jitter * rand.Float64())
	switch {
	case !q.answered:
		return least // nothing is known: who starts waits for it
	case q.failed || q.empties > 0:
		return refresh - early
	default:
		return min(max(ttl, least), refresh-early)
	}
}

// tell logs the first of a row of failures and its end, and that instances are about to be given up.
func (s *Source) tell(q *question, a answer, err error) {
	log := s.log.With("records", q.about)
	switch {
	case err != nil && !q.failed:
		log.Warn("name of instances not answered, what is known stays", "error", err, "known", len(q.known))
	case err == nil && q.failed:
		log.Info("name of instances answered again")
	}
	switch {
	case err != nil:
	case len(a.at) == 0 && q.empties == 0 && len(q.known) > 0:
		log.Warn("name of instances has no addresses any more, asked again before they are taken away", "known", len(q.known))
	case len(a.at) > maxPlaces:
		log.Warn("name of instances has too many addresses, the first ones count", "addresses", len(a.at), "count", maxPlaces)
	case !slices.Equal(a.at, q.known) && len(a.at) > 0:
		log.Debug("name of instances has other addresses", "addresses", len(a.at))
	}
}
