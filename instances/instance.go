package instances

import (
	"context"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// Instance is one place of a pool, from the day its source lists it until the day it does not. It is the same
// *Instance through reloads, failures and restarts of its program. All methods are safe for concurrent use.
type Instance struct {
	id, version string
	url         *url.URL
	pool        *Pool

	limit       atomic.Int64 // requests in flight; below 1: none
	inFlight    atomic.Int64
	incarnation atomic.Uint64         // as the registry said last; 0: not yet
	hearsay     atomic.Bool           // only other replicas list it
	reach       atomic.Pointer[reach] // where it may be dialled; hearsay only

	gone   context.Context
	retire context.CancelFunc
	wake   chan struct{} // of capacity 1: probe at once

	// The pool's mutex guards what follows.
	source   Source    // lists it
	draining bool      // its source says so
	unready  bool      // its source says so
	filled   bool      // its source says so
	local    bool      // its source says so
	start    string    // its source says so
	heardAt  time.Time // hearsay: when it was found
	health   health
	news     chan struct{} // closed, and another, when a probe or the registry has told something
	asked    time.Time     // probeStale asked for a probe since
	used     bool          // isolation: it has had its session
	sessions int           // as the registry said last
	asOf     time.Time     // when it was asked for that
	drain    drain         // as the registry said last
	lostAt   bool          // the registry has it lost
	goneAt   bool          // the registry has it gone
	floor    uint64        // an earlier program of this ID was removed here; it had this incarnation
	fresh    bool          // an earlier program of this ID was removed here, and the registry has not named the new one yet
	returns  bool          // that program had the same URL: the new one may be the same
}

// ID returns the configured or discovered name.
func (i *Instance) ID() string { return i.id }

// URL returns where the instance listens: scheme and host. It is shared; do not modify it.
func (i *Instance) URL() *url.URL { return i.url }

// Home returns what a session pinned to the instance now would be pinned to. Its incarnation is 0 until the registry
// has named one.
func (i *Instance) Home() sessions.Home {
	return sessions.Home{Version: i.version, ID: i.id, Incarnation: i.incarnation.Load()}
}

// Acquire takes a place for one request in flight, or returns false when PoolConfig.RequestsPerInstance are taken.
// Release must follow a true.
func (i *Instance) Acquire() bool {
	for {
		// Compare-and-swap, because to add first and take back later would refuse a request that had its place.
		n, limit := i.inFlight.Load(), i.limit.Load()
		if limit > 0 && n >= limit {
			return false
		}
		if i.inFlight.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Full says whether as many requests are in flight as there may be.
func (i *Instance) Full() bool {
	limit := i.limit.Load()
	return limit > 0 && i.inFlight.Load() >= limit
}

// Release gives a place back.
func (i *Instance) Release() { i.inFlight.Add(-1) }

// InFlight returns how many places are taken.
func (i *Instance) InFlight() int { return int(i.inFlight.Load()) }

// Refused tells that a dial was refused. The instance takes no new session until a probe succeeds, and is probed at
// once; its State stays HomeUp, because the next dial tells.
func (i *Instance) Refused() { i.pool.openCircuit(i, circuitRefused, syscall.ECONNREFUSED) }

// Unreachable tells that a dial timed out or found no route: err. It opens this replica's circuit: State is
// HomeSuspect, and the instance takes no new session, until a probe succeeds. It is probed at once.
func (i *Instance) Unreachable(err error) { i.pool.openCircuit(i, circuitUnreachable, err) }

// shared is the address that other replicas are told.
func (i *Instance) shared() string {
	if i.local {
		return ""
	}
	return i.url.String()
}

// Gone returns a context that is cancelled when no source lists the instance any more. It stays open when the
// pool's Run ends: a replica that leaves does not take its instances along.
func (i *Instance) Gone() context.Context { return i.gone }

// probeNow makes the next probe begin as soon as the last is done.
func (i *Instance) probeNow() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// accept takes in what the registry says. current says that it answers a report of the instance's present program
// as up.
func (i *Instance) accept(r sessions.InstanceRecord, current bool) {
	i.incarnation.Store(r.Incarnation)
	i.health.named = r.Start
	i.used, i.sessions, i.drain = r.Used, r.Sessions, newDrain(r, time.Now())
	i.lostAt, i.goneAt = !r.LostAt.IsZero(), !r.GoneAt.IsZero()
	if current {
		i.health.unproven = false
	}
	if !i.goneAt && (r.Incarnation > i.floor || i.returns && current) {
		i.fresh = false
	}
}

// candidate says whether a new session may go here, for all that health says. Whether there is room, and whether
// isolation has used the instance up, is the store's to say: it knows at once, and tells full from unavailable.
func (i *Instance) candidate() bool {
	return i.listed() && !i.filled && !i.drains() && i.health.healthy() && i.incarnation.Load() > 0 && !i.goneAt && !i.health.unproven
}

// listed says whether new work may go here, for all that its source says; a drain aside, which is not only its source's.
func (i *Instance) listed() bool { return !i.unready && !i.hearsay.Load() }

// replacedBelow is the least incarnation that is not known to have been replaced.
func (i *Instance) replacedBelow() uint64 {
	switch {
	case i.fresh && i.returns:
		return max(i.incarnation.Load(), i.floor)
	case i.fresh:
		return max(i.incarnation.Load(), i.floor+1)
	default:
		return i.incarnation.Load()
	}
}

// newer is what State answers for incarnations later than replacedBelow: a drain is not theirs, and no doubt either.
func (i *Instance) newer() sessions.HomeState {
	if i.fresh {
		return i.home()
	}
	return i.health.newer()
}

// home is what State answers for the incarnation replacedBelow.
func (i *Instance) home() sessions.HomeState {
	// With a floor the old incarnations are told apart; without one, any session might be of the removed program. One
	// that returns may be what they know, or not.
	if i.fresh && (i.floor == 0 || i.returns) && !i.health.lost {
		return sessions.HomeSuspect
	}
	if i.drain.over && !i.health.lost && !i.health.unproven {
		return sessions.HomeDrained // also where it is unreachable: they are to leave in any case
	}
	return i.health.home()
}
