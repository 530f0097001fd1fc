package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

const (
	// breakerFailures is how many operations in a row must get no answer until none is sent any more.
	breakerFailures = 5
	// probeInterval is how often Redis is asked, meanwhile, whether it is back.
	probeInterval = 100 * time.Millisecond
)

var errBreakerOpen = errors.New("no answer to the last calls, waiting for a probe to get through")

// breaker spares callers the wait for a server that has not answered the last ones.
//
// Only silence counts: a server that says LOADING or READONLY says so at once.
type breaker struct {
	failures atomic.Int32
	open     atomic.Bool
}

// breakers are one breaker for all functions, since one server has them all; in Cluster one for each, since each is
// on one master: a fallen master opens the breakers of its own functions only.
type breakers struct {
	perFunction bool
	probe       func(ctx context.Context, function string) error
	ctx         context.Context // ends with the store
	running     *sync.WaitGroup
	all         sync.Map // of *breaker by function
}

func (b *breakers) of(function string) *breaker {
	if !b.perFunction {
		function = ""
	}
	if known, ok := b.all.Load(function); ok {
		return known.(*breaker)
	}
	made, _ := b.all.LoadOrStore(function, &breaker{})
	return made.(*breaker)
}

// note records the outcome of one operation.
func (b *breakers) note(function string, br *breaker, err error) {
	if answered(err) {
		br.failures.Store(0)
		return
	}
	if br.failures.Add(1) >= breakerFailures && b.ctx.Err() == nil && br.open.CompareAndSwap(false, true) {
		b.running.Go(func() { b.heal(function, br) })
	}
}

// heal closes the breaker when a probe got through.
func (b *breakers) heal(function string, br *breaker) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-tick.C:
		}
		if answered(b.probe(b.ctx, function)) {
			br.failures.Store(0)
			br.open.Store(false)
			return
		}
	}
}

// do runs one operation on a function's keys and says in the contract's words how it went. The function "" is for
// what belongs to none.
func (s *Store) do(ctx context.Context, function string, op func(context.Context) error) error {
	br := s.breakers.of(function)
	if br.open.Load() {
		return fmt.Errorf("%w: %w", sessions.ErrUnavailable, errBreakerOpen)
	}
	start := time.Now()
	err := op(ctx)
	// A caller that hung up says nothing about Redis, unless Redis had had time enough to answer.
	if ended(ctx) == nil || time.Since(start) >= ReadTimeout {
		s.breakers.note(function, br, err)
	}
	return classify(ctx, err)
}

// probe asks the master that has the function's keys for something cheap.
func (s *Store) probe(ctx context.Context, function string) error {
	return s.client.Exists(ctx, s.keys.marks(function)).Err()
}
