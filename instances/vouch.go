package instances

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrReplaced means that another program lives at the place than the one that was asked for: its sessions have lost
	// their state.
	ErrReplaced = errors.New("another program is there")
	// ErrUnproven means that a program is there, and that it cannot be told whether it is the one that was asked for.
	ErrUnproven = errors.New("it is not known which program is there")
)

// vouchProbes bounds how long a new connection waits, in probe timeouts: the probe that is under way, which may have begun
// before the connection was made, and the next.
const vouchProbes = 2

// Vouch says whether a connection that was made just now leads to the program of this incarnation: nil if so, or if it
// cannot be known. Between two probes a program may be restarted, and who connects then talks to one that has never heard of
// its sessions. So Vouch waits for a probe that begins after the connection was made: as long as it gives the same nonce as
// before, there was no other program in between. All who wait share one probe.
//
// Where the instance gives no nonce nothing is asked. A probe that times out vouches for nobody and refuses nobody, for
// else a busy instance would be taken for a dead one.
//
// Errors: ErrReplaced; ErrUnproven, with the probe's own, such as a refused dial; ctx's.
func (i *Instance) Vouch(ctx context.Context, incarnation uint64) error {
	made := time.Now()
	patience, ask := i.vouching()
	if !ask {
		return nil
	}
	i.probeNow()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrUnproven)
	defer cancel()
	for {
		settled, news, err := i.vouched(made, incarnation)
		if settled {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// vouching says whether a probe can tell anything, and for how long to wait for it.
func (i *Instance) vouching() (patience time.Duration, ask bool) {
	p := i.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return vouchProbes * p.rules.timeout, i.health.program != "" && p.probing(i)
}

// probing says whether i is still probed.
func (p *Pool) probing(i *Instance) bool {
	return p.running != nil && p.running.ctx.Err() == nil && i.gone.Err() == nil
}

// vouched is what is known of a connection by now. news is closed when more is.
func (i *Instance) vouched(made time.Time, incarnation uint64) (settled bool, news <-chan struct{}, err error) {
	p := i.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	h := &i.health
	switch {
	case i.incarnation.Load() > incarnation:
		return true, nil, ErrReplaced
	case !p.probing(i):
		return true, nil, nil
	case h.probedAt.Before(made), h.err == nil && h.unproven: // the registry will tell
		return false, i.news, nil
	case h.err == nil, errors.Is(h.err, context.DeadlineExceeded):
		return true, nil, nil
	default:
		return true, nil, fmt.Errorf("%w: %w", ErrUnproven, h.err)
	}
}

// tell wakes who waits for news of i. The caller holds the pool's mutex.
func (i *Instance) tell() {
	close(i.news)
	i.news = make(chan struct{})
}
