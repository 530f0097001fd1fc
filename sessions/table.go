package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
)

// What the table itself answers, beside the store's conditions.
var (
	// ErrNoInstance means that no healthy instance is known that could take a new session.
	ErrNoInstance = errors.New("no healthy instance")
	// ErrHomeUnavailable means that the session's home cannot be reached and may not, or not yet, be given up.
	ErrHomeUnavailable = errors.New("the session's home is unavailable")
)

const (
	// DefaultCacheLife is how long an entry routes before the store is asked again. It bounds how long a replica
	// may route a session that another one ended or moved.
	DefaultCacheLife = time.Second
	// loadTimeout bounds a flight. It is the flight's own: a caller that hangs up fails no other.
	loadTimeout = 3 * time.Second
	// fullPool is the pool size up to which a pin is offered every candidate; from a larger one it is offered a
	// sample first, which is nearly as even and cheaper.
	fullPool = 64
	// candidateSample is how many candidates of a larger pool a pin is offered first.
	candidateSample = 16
	// maxRefills bounds how often a flight asks again because of drops in its shard.
	maxRefills = 3
)

// Rules are what the configuration says of one function's sessions.
type Rules struct {
	Function, Qualifier string
	Config
	Affinity  Affinity
	OnLoss    LossPolicy
	LossGrace time.Duration // LossFail: how long the home may stay away before the session ends
	Wait      time.Duration // how long a new session may wait for a slot
	// AliveWithin is how recent another replica's sight of a healthy home must be to forbid a re-home.
	AliveWithin time.Duration
}

// settings are the settings of a session that names none of its own.
func (r Rules) settings() Settings {
	return Settings{TTL: r.TTL, IdleTimeout: r.IdleTimeout, DisableIDReuse: r.DisableIDReuse}
}

// Tier is where a look-up was answered.
type Tier string

// The tiers of a look-up.
const (
	TierCache Tier = "cache" // by the LRU
	TierStore Tier = "store" // by the store
	TierStale Tier = "stale" // by the LRU, past its life, because the store does not answer
)

// Observer is told of each look-up: where it was answered and with which error, nil for a session. It runs on the
// request's path and must not block.
type Observer func(tier Tier, created bool, err error)

// Table finds the session of a request, and makes it on demand. It is one function's view of a Cache and a store,
// immutable, so that a reload replaces it. It is safe for concurrent use.
type Table struct {
	rules   Rules
	cache   *Cache
	store   Pins
	pool    Pool
	queue   *Queue
	flights *singleflight.Group
	observe Observer
	lost    func()
}

// TableConfig is what a table is made of. Queue may be nil where Rules.Wait is 0; Observe may be nil.
type TableConfig struct {
	Rules   Rules
	Cache   *Cache
	Store   Pins
	Pool    Pool
	Queue   *Queue // of this function, kept across reloads
	Observe Observer
	Lost    func() // told of each session that this replica ended because its home stayed away; may be nil
}

// NewTable returns a table.
func NewTable(cfg TableConfig) *Table {
	if cfg.Observe == nil {
		cfg.Observe = func(Tier, bool, error) {}
	}
	if cfg.Lost == nil {
		cfg.Lost = func() {}
	}
	if cfg.Queue == nil {
		cfg.Queue = NewQueue()
	}
	return &Table{
		rules: cfg.Rules, cache: cfg.Cache, store: cfg.Store, pool: cfg.Pool, queue: cfg.Queue,
		flights: &singleflight.Group{}, observe: cfg.Observe, lost: cfg.Lost,
	}
}

// Rules returns what the table was made with.
func (t *Table) Rules() Rules { return t.rules }

// Use finds the session of id, or makes it, and takes hold of it; the caller releases the use. A session whose home
// is lost is moved or ended first, as the rules say. It waits at most Rules.Wait for a free slot.
//
// Errors: ErrFull, ErrNoInstance, ErrIDReuse, ErrHomeUnavailable, ErrUnavailable, and ctx's own.
func (t *Table) Use(ctx context.Context, id string) (Use, error) {
	key := Key{t.rules.Function, t.rules.Qualifier, id}
	u := Use{table: t}
	if t.cache.hit(key, time.Now(), &u) {
		t.observe(TierCache, false, nil)
	} else if err := t.load(ctx, key, &u); err != nil {
		return Use{}, err
	}
	state, since := t.pool.State(u.s.Home)
	if state == HomeUp {
		return u, nil
	}
	if err := t.settle(ctx, &u, state, since); err != nil {
		u.abandon()
		return Use{}, err
	}
	return u, nil
}

// load asks the store for the session of key, and makes it if need be.
func (t *Table) load(ctx context.Context, key Key, u *Use) error {
	err := t.pin(ctx, key, u)
	if t.rules.Wait > 0 && (errors.Is(err, ErrFull) || errors.Is(err, ErrNoInstance)) {
		err = t.wait(ctx, key, u)
	}
	if errors.Is(err, ErrUnavailable) && t.cache.stale(key, time.Now(), u) {
		t.observe(TierStale, false, nil)
		return nil
	}
	return err
}

// pin is one flight of Store.Pin for key. Whoever arrives meanwhile shares it.
func (t *Table) pin(ctx context.Context, key Key, u *Use) error {
	flight := func(ctx context.Context) (*entry, error) {
		e, created, err := t.fetch(ctx, key, func(ctx context.Context) (Session, bool, error) {
			if t.queue.Waiting() > 0 {
				// Others wait for a slot: a newcomer may find its session but not overtake them with a new one.
				return t.pinOn(ctx, key, nil)
			}
			return t.pinNew(ctx, key)
		})
		t.observe(TierStore, created, err)
		return e, err
	}
	return t.fly(ctx, "pin", key, u, flight)
}

// pinNew offers the store the pool's candidates: of a large pool a sample first.
func (t *Table) pinNew(ctx context.Context, key Key) (Session, bool, error) {
	candidates := t.pool.Candidates(0)
	if len(candidates) > fullPool {
		s, created, err := t.pinOn(ctx, key, candidates[:candidateSample])
		if !errors.Is(err, ErrFull) {
			return s, created, err
		}
	}
	s, created, err := t.pinOn(ctx, key, candidates)
	if errors.Is(err, ErrFull) && len(candidates) == 0 {
		err = ErrNoInstance
	}
	return s, created, err
}

func (t *Table) pinOn(ctx context.Context, key Key, candidates []Home) (Session, bool, error) {
	return t.store.Pin(ctx, PinRequest{
		Key: key, Mode: GetOrCreate, Settings: t.rules.settings(), Affinity: t.rules.Affinity,
		Origin: OriginRequest, Placement: t.placement(candidates),
	})
}

func (t *Table) placement(candidates []Home) Placement {
	return Placement{Candidates: candidates, PerInstance: t.rules.PerInstance, Isolation: t.rules.Isolation}
}

// fetch asks the store and remembers what it answers.
func (t *Table) fetch(ctx context.Context, key Key, ask func(context.Context) (Session, bool, error)) (*entry, bool, error) {
	owner := false
	for n := 0; ; n++ {
		a := answer{gen: t.cache.generation(key), asked: time.Now()}
		s, made, err := ask(ctx)
		if err != nil {
			return nil, false, err
		}
		owner = owner || made
		a.s, a.owner = s, owner
		if e := t.cache.fill(a); e != nil {
			return e, owner, nil
		}
		if n == maxRefills {
			return detached(a), owner, nil
		}
	}
}

// fly joins or starts the flight of this kind for key and takes hold of the entry that it brings.
func (t *Table) fly(ctx context.Context, kind string, key Key, u *Use, flight func(context.Context) (*entry, error)) error {
	done := t.flights.DoChan(kind+"\x00"+key.ID, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		e, err := flight(ctx)
		if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: no answer within %v", ErrUnavailable, loadTimeout)
		}
		return e, err
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return r.Err
		}
		t.cache.take(r.Val.(*entry), key, u)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// End ends the session if it still is the one given, and forgets it here. See Pins.End.
func (t *Table) End(ctx context.Context, s Session, keep bool) (Session, error) {
	ended, err := t.store.End(ctx, s, keep)
	t.cache.drop(s.Key) // also when it failed: what is cached is in doubt
	if err == nil {
		t.queue.Wake()
	}
	return ended, err
}
