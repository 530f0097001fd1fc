package embeddedstore

import (
	"context"

	"github.com/limpet-proxy/limpet/sessions"
)

// sweepStep is how many sessions a sweep ends or forgets before it lets others have the mutex.
const sweepStep = 512

// Touch implements sessions.Life. It does not wait for the disk: the log's own goroutine syncs touches at once, and
// a crash of the machine that is quicker costs what the grace in every deadline allows for.
func (s *Store) Touch(ctx context.Context, touches []sessions.Touch) ([]int, error) {
	if err := s.log.failed(); err != nil {
		return nil, err
	}
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	for _, t := range touches {
		s.function(t.Function).touch(t)
	}
	return nil, s.log.push()
}

func (f *function) touch(t sessions.Touch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	r := f.active[name{t.Qualifier, t.ID}]
	if r == nil || r.epoch != t.Epoch || r.expired(now) {
		return
	}
	moved := f.postpone(r, now-span(max(t.Age, 0)))
	told := t.Delivered && r.event.Kind != sessions.NoEvent
	if told {
		r.event = sessions.Event{}
	}
	if moved || told {
		f.write(touched{r})
	}
}

// postpone moves the deadline of a session that was in use, and says whether it moved.
func (f *function) postpone(r *record, lastUsed micros) bool {
	if lastUsed <= r.lastUsed {
		return false
	}
	f.deadlines.Delete(r)
	before := r.deadline
	r.lastUsed = lastUsed
	r.reckon()
	f.deadlines.Set(r)
	return r.deadline != before
}

// Sweep implements sessions.Life.
func (s *Store) Sweep(ctx context.Context, function string) (int, error) {
	f, err := s.change(ctx, function)
	if err != nil {
		return 0, err
	}
	ended := 0
	for more := true; more; {
		var n int
		n, more = f.sweep()
		ended += n
	}
	return ended, s.log.push()
}

func (f *function) sweep() (ended int, more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	ended = f.expire(now, sweepStep)
	forgotten := 0
	for ; forgotten < sweepStep; forgotten++ {
		r, ok := f.leaving.Min()
		if !ok || r.forgetAt() > now {
			break
		}
		f.forget(r) // no entry: after a restart it is as old as now
	}
	f.forgetInstances(now)
	return ended, ended == sweepStep || forgotten == sweepStep
}
