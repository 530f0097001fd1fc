package instances

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

const (
	// hearsayLife is for how long an instance that only other replicas list is known here before they are asked anew.
	hearsayLife = time.Minute
	// disbelief is for how long a home that could not be found, or may not be dialled, is not asked for again: else each
	// request of its sessions would read the whole registry.
	disbelief    = time.Second
	maxDisbelief = 1024
)

// inquiry lets one question to the registry serve all who came before it was asked.
type inquiry struct {
	mu      sync.Mutex
	began   time.Time
	records []sessions.InstanceRecord
	err     error
}

// Find learns from the registry where h lives, if its State is HomeUnknown: this replica's sources may list it a moment
// later than another's. What is found is routed to and probed, like any instance; no new session goes there, and it is
// not reported. A home at an address that PoolConfig does not allow stays unknown.
func (p *Pool) Find(ctx context.Context, h sessions.Home) {
	if state, _ := p.State(h); state != sessions.HomeUnknown || p.disbelieved(h) {
		return
	}
	records, err := p.ask(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.log.Warn("the store cannot say where an instance is that other replicas know", "instance", h.ID, "error", err)
		return
	}
	at := slices.IndexFunc(records, func(r sessions.InstanceRecord) bool { return r.Version == h.Version && r.ID == h.ID })
	if at < 0 || !p.hear(records[at]) {
		p.disbelieve(h)
	}
}

// Find has the pool of h's version learn where h lives: see Pool.Find. A version that has no pool is not configured here, and
// nobody is asked.
func (s *Split) Find(ctx context.Context, h sessions.Home) {
	if pool := s.pools[h.Version]; pool != nil {
		pool.Find(ctx, h)
	}
}

// ask reads the registry. Who waits while it is read for another shares the answer only if that was asked after he came:
// an older one may lack what he asks for.
func (p *Pool) ask(ctx context.Context) ([]sessions.InstanceRecord, error) {
	came := time.Now()
	q := &p.inquiry
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.began.After(came) {
		return q.records, q.err
	}
	p.mu.Lock()
	registry, function := p.cfg.Registry, p.cfg.Function
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout) // others wait for it too
	defer cancel()
	q.began = time.Now()
	q.records, q.err = registry.Instances(ctx, function)
	return q.records, q.err
}

func (p *Pool) disbelieved(h sessions.Home) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.disbeliefs[h]) < disbelief
}

func (p *Pool) disbelieve(h sessions.Home) {
	if len(p.disbeliefs) >= maxDisbelief {
		clear(p.disbeliefs)
	}
	p.disbeliefs[h] = time.Now()
}

// hear takes up an instance that another replica has reported, and says whether it is known here now.
func (p *Pool) hear(r sessions.InstanceRecord) bool {
	if slices.ContainsFunc(p.instances, func(i *Instance) bool { return i.id == r.ID }) {
		return true // it was found meanwhile
	}
	u, err := parseURL(r.URL)
	if err != nil || !r.GoneAt.IsZero() || !ValidID(r.ID) {
		return false
	}
	log := p.log.With("instance", r.ID, "url", u.String())
	if err := p.reach.permitsURL(u); err != nil {
		log.Warn("another replica's instance may not be dialled from here: see allowed_ranges", "error", err)
		return false
	}
	i := p.newInstance(Place{ID: r.ID, URL: u}, time.Now())
	i.reach.Store(p.reach)
	i.hearsay.Store(true)
	i.heardAt = time.Now()
	i.accept(r, false)
	p.instances = append(slices.Clip(p.instances), i)
	p.startProbing(i)
	p.publish(false)
	log.Info("instance known from other replicas only")
	return true
}

// hearAgain brings what is known by hearsay up to date.
func (p *Pool) hearAgain(ctx context.Context) error {
	p.mu.Lock()
	some := slices.ContainsFunc(p.instances, func(i *Instance) bool { return i.hearsay.Load() })
	p.mu.Unlock()
	if !some {
		return nil
	}
	records, err := p.ask(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instances = slices.DeleteFunc(slices.Clone(p.instances), func(i *Instance) bool { return !i.heardIn(records) })
	p.publish(false)
	return nil
}

// heardIn takes in what the registry says of an instance known by hearsay, and says whether it goes on to be known. It is
// not when it is gone or has moved, and not for long without being asked for: whoever still has a session there finds it
// again.
func (i *Instance) heardIn(records []sessions.InstanceRecord) bool {
	if !i.hearsay.Load() {
		return true
	}
	at := slices.IndexFunc(records, func(r sessions.InstanceRecord) bool { return r.Version == i.version && r.ID == i.id })
	old := time.Since(i.heardAt) >= hearsayLife && i.InFlight() == 0
	if at < 0 || old || !records[at].GoneAt.IsZero() || records[at].URL != i.url.String() {
		i.retire()
		return false
	}
	// A nonce that changed is another program once the registry has named another incarnation.
	i.accept(records[at], records[at].Incarnation > i.incarnation.Load())
	return true
}

// hearsayBeside returns the instances known by hearsay that stay beside those listed: none whose ID has become a
// listed one's, or that may not be dialled any more.
func (p *Pool) hearsayBeside(listed []*Instance) []*Instance {
	var stay []*Instance
	for _, i := range p.instances {
		if !i.hearsay.Load() {
			continue
		}
		taken := func(l *Instance) bool { return l.id == i.id }
		if slices.ContainsFunc(listed, taken) || p.reach.permitsURL(i.url) != nil {
			i.retire()
			continue
		}
		i.reach.Store(p.reach)
		stay = append(stay, i)
	}
	return stay
}

// Permits says whether the instance may be dialled at this address: nil, or why not. It looks at what a name has led to,
// not at the name. One that this replica's own sources list may be dialled wherever it is.
func (i *Instance) Permits(at netip.AddrPort) error {
	if !i.hearsay.Load() {
		return nil
	}
	return i.reach.Load().permits(at)
}
