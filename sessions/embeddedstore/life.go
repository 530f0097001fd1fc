package embeddedstore

import (
	"context"
	"math"

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
	var stale []int
	for i, t := range touches {
		if !s.function(t.Function).touch(t) {
			stale = append(stale, i)
		}
	}
	return stale, s.log.push()
}

// touch says whether the session is Active with the touch's epoch.
func (f *function) touch(t sessions.Touch) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	r := f.live(name{t.Qualifier, t.ID}, now)
	if r == nil || r.epoch != t.Epoch {
		if t.InFlight {
			f.renew(t, now)
		}
		return false
	}
	if t.InFlight {
		r.lease = now + span(sessions.InFlightLease)
	}
	moved := f.postpone(r, now-span(max(t.Age, 0)))
	told := t.Delivered && r.event.Kind != sessions.NoEvent
	if told {
		r.event = sessions.Event{}
	}
	if moved || told {
		f.write(touched{r})
	}
	return true
}

// postpone moves the deadline of a session that was in use, and says whether it moved.
func (f *function) postpone(r *record, lastUsed micros) bool {
	if lastUsed <= r.lastUsed {
		return false
	}
	before := r.deadline
	f.reckon(r, func() { r.lastUsed = lastUsed })
	return r.deadline != before
}

// reckon changes what an Active record's deadline depends on.
func (f *function) reckon(r *record, change func()) {
	f.deadlines.Delete(r)
	change()
	r.reckon()
	f.deadlines.Set(r)
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
	s.onces.forget(s.clock.now(), math.MaxInt)
	return ended, s.log.push()
}

func (f *function) sweep() (ended int, more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.now()
	ended = f.expire(now, sweepStep)
	forgotten := f.leave(now, sweepStep)
	f.forgetInstances(now)
	return ended, ended == sweepStep || forgotten == sweepStep
}

// leave forgets up to limit ended records whose time is over, without an entry: after a restart they are as old as
// now.
func (f *function) leave(now micros, limit int) (n int) {
	for ; n < limit; n++ {
		r, ok := f.leaving.Min()
		if !ok || !r.forgotten(now) {
			break
		}
		f.forget(r)
	}
	return n
}
