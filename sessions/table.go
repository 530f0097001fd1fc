package sessions

import (
	"context"
	"errors"
	"slices"
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
	// DefaultCacheLife is how long an entry routes before the store is asked again, where it tells no news. It bounds
	// how long a replica may then route a session that another one ended or moved.
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
	// ReservationLife is how long an instance may take to answer the request that makes a session whose ID it chooses;
	// 0 means DefaultReservationLife.
	ReservationLife time.Duration
	// Immovable sessions are never moved, for their state is gone with their home and a protocol tells the client to begin
	// anew: where others are moved they end. OnLoss says when.
	Immovable bool
	// CutEnded has the uses of a session that is no more end with it, as Isolation has: see Use.Ended.
	CutEnded bool
	// AliveWithin is how recent another replica's sight of a healthy home must be to forbid a re-home.
	AliveWithin time.Duration
	// Versions has the rules that differ by the version of the home, with all versions of the function; nil: there is one,
	// and the rules above are its own.
	Versions map[string]VersionRules
	// Others are the other qualifiers of the function that have sessions, and tables of their own to look after them.
	Others []string
}

// VersionRules are what every table of a function has to keep to where the home is of one version: a slot of an instance is
// a slot, whichever way a session came.
type VersionRules struct {
	PerInstance int
	AliveWithin time.Duration
}

// settings are the settings of a session that names none of its own.
func (r Rules) settings() Settings {
	return Settings{TTL: r.TTL, IdleTimeout: r.IdleTimeout, DisableIDReuse: r.DisableIDReuse}
}

// of returns the rules where the home is of this version.
func (r Rules) of(version string) VersionRules {
	if v, ok := r.Versions[version]; ok {
		return v
	}
	return VersionRules{PerInstance: r.PerInstance, AliveWithin: r.AliveWithin}
}

// governs says whether it is this table that sends s away from a drained instance: its own sessions, wherever they are, and
// on its own instances those of a qualifier that has no table, because the configuration has it no more.
func (r Rules) governs(s Session) bool {
	return s.Qualifier == r.Qualifier || s.Home.Version == r.Qualifier && !slices.Contains(r.Others, s.Qualifier)
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
	store   TableStore
	pool    Pool
	queue   *Queue
	flights *singleflight.Group
	observe Observer
	lost    func()
	drained func()
	find    func(context.Context, Home)
	want    func(version string, n int)
	taken   func() bool
}

// TableStore is what a table needs of a Store.
type TableStore interface {
	Pins
	Life
	// List is that of Records.
	List(ctx context.Context, q Query) (Page, error)
}

// TableConfig is what a table is made of. Queue may be nil where Rules.Wait is 0; Observe may be nil.
type TableConfig struct {
	Rules   Rules
	Cache   *Cache
	Store   TableStore
	Pool    Pool
	Queue   *Queue // of this function, kept across reloads
	Observe Observer
	Lost    func() // told of each session that this replica ended because its home stayed away; may be nil
	Drained func() // told of each session that this replica ended because its home has drained; may be nil
	// Find makes the pool learn from the registry where a home lives that its State calls unknown. It is asked about
	// homes that other replicas have seen healthy a moment ago. nil: there are no other replicas.
	Find func(ctx context.Context, h Home)
	// Want is told that n sessions, at least 1, find no instance with room: where instances can be had, it is time for
	// one more. version is where a session comes from that has to move, "" for new ones. It is told again with each try of
	// who waits, and must not block; may be nil.
	Want func(version string, n int)
	// Occupied says that there are healthy instances though none is a candidate, because all are full; may be nil.
	Occupied func() bool
}

// NewTable returns a table.
func NewTable(cfg TableConfig) *Table {
	if cfg.Observe == nil {
		cfg.Observe = func(Tier, bool, error) {}
	}
	if cfg.Lost == nil {
		cfg.Lost = func() {}
	}
	if cfg.Drained == nil {
		cfg.Drained = func() {}
	}
	if cfg.Find == nil {
		cfg.Find = func(context.Context, Home) {}
	}
	if cfg.Want == nil {
		cfg.Want = func(string, int) {}
	}
	if cfg.Occupied == nil {
		cfg.Occupied = func() bool { return false }
	}
	if cfg.Queue == nil {
		cfg.Queue = NewQueue()
	}
	return &Table{
		rules: cfg.Rules, cache: cfg.Cache, store: cfg.Store, pool: cfg.Pool, queue: cfg.Queue,
		flights: &singleflight.Group{}, observe: cfg.Observe, lost: cfg.Lost, drained: cfg.Drained, find: cfg.Find,
		want: cfg.Want, taken: cfg.Occupied,
	}
}

// Rules returns what the table was made with.
func (t *Table) Rules() Rules { return t.rules }

// Use finds the session of id, or makes it, and takes hold of it; the caller releases the use. A session whose home
// is lost is moved or ended first, as the rules say. It waits at most Rules.Wait for a free slot.
//
// Errors: ErrFull, ErrNoInstance, ErrIDReuse, ErrHomeUnavailable, ErrUnavailable, and ctx's own.
func (t *Table) Use(ctx context.Context, id string) (Use, error) { return t.use(ctx, id, GetOrCreate) }

// UseExisting is Use for an ID that must have an Active session: it makes none, and one that ends because its home is
// lost for good is not replaced.
//
// Errors: ErrNotFound, ErrHomeUnavailable, ErrUnavailable, and ctx's own; of a session that has to move, ErrFull and
// ErrNoInstance.
func (t *Table) UseExisting(ctx context.Context, id string) (Use, error) {
	return t.use(ctx, id, Existing)
}

func (t *Table) use(ctx context.Context, id string, mode Mode) (Use, error) {
	u := Use{table: t, mode: mode}
	if t.key(id).Reserved() {
		return Use{}, ErrNotFound
	}
	if t.cache.hit(t.key(id), time.Now(), &u) {
		t.observe(TierCache, false, nil)
	} else if err := t.load(ctx, id, &u); err != nil {
		return Use{}, err
	}
	state, since := t.pool.State(u.s.Home)
	if state == HomeUp {
		return u, nil
	}
	if err := t.settle(ctx, &u, state, since); err != nil {
		u.Abandon()
		return Use{}, err
	}
	return u, nil
}

func (t *Table) key(id string) Key { return Key{t.rules.Function, t.rules.Qualifier, id} }

// load asks the store for the session of id, and makes it if need be and if the use's mode allows it.
func (t *Table) load(ctx context.Context, id string, u *Use) error {
	r := t.request(id, u.mode)
	err := t.attempt(ctx, id, func(ctx context.Context, first bool) error { return t.pin(ctx, r, first, u) })
	if errors.Is(err, ErrUnavailable) && t.cache.stale(r.Key, time.Now(), u) {
		t.observe(TierStale, false, nil)
		return nil
	}
	return err
}

// attempt tries, and where there is no room waits for it. A try says whether it is that of the first in the queue.
func (t *Table) attempt(ctx context.Context, id string, try func(ctx context.Context, first bool) error) error {
	err := try(ctx, false)
	if t.rules.Wait > 0 && (errors.Is(err, ErrFull) || errors.Is(err, ErrNoInstance)) {
		err = t.wait(ctx, id, try)
	}
	return err
}

// request is the Pin of a request that names an ID.
func (t *Table) request(id string, mode Mode) PinRequest {
	return PinRequest{
		Key: t.key(id), Mode: mode, Settings: t.rules.settings(), Affinity: t.rules.Affinity, Origin: OriginRequest,
	}
}
