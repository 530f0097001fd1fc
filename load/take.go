package load

import (
	"context"
	"slices"
	"time"
)

// waiter is a client that waits for a session.
type waiter struct {
	told   chan struct{} // to look again; it has room for one
	looked bool          // and found nothing
}

// take waits for a session to use, for the closed model. Give it back by give. The error is the context's. ended, if
// not nil, is one that was drawn and whose life was over: s has taken its place.
func (d *deck) take(ctx context.Context) (s, ended *session, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if s, ended = d.tryTake(time.Now()); s != nil {
		return s, ended, nil
	}
	w := &waiter{told: make(chan struct{}, 1)}
	defer d.leave(w)
	for ctx.Err() == nil {
		s, ended, wait := d.takeOrQueue(w, time.Now())
		if s != nil {
			return s, ended, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-w.told:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil, nil, ctx.Err()
}

func (d *deck) tryTake(now time.Time) (s, ended *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pick(now)
}

// pick draws a session and counts it as used. The caller holds mu.
func (d *deck) pick(now time.Time) (s, ended *session) {
	if s = d.draw(now); s == nil {
		return nil, nil
	}
	if s.outlived(now) {
		s, ended = d.bear(now), s
	}
	s.picked++
	return s, ended
}

// longWait is until it is told, for practical purposes.
const longWait = time.Hour

// takeOrQueue takes a session, or says how long to wait unless told. Where sessions think, the waiter in front waits
// until the first of them has thought enough. Told in vain, it is in front again; when it leaves, the next is told.
func (d *deck) takeOrQueue(w *waiter, now time.Time) (s, ended *session, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ended = d.pick(now); s != nil {
		return s, ended, 0
	}
	switch {
	case slices.Contains(d.waiting, w):
	case w.looked:
		d.waiting = slices.Insert(d.waiting, 0, w)
	default:
		d.waiting = append(d.waiting, w)
	}
	w.looked = true
	if d.waiting[0] != w || len(d.thinking) == 0 {
		return nil, nil, longWait
	}
	return nil, nil, d.thinking[0].until.Sub(now)
}

// leave ends a wait and passes the place in front on.
func (d *deck) leave(w *waiter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.waiting, w); i >= 0 {
		d.waiting = slices.Delete(d.waiting, i, i+1)
	}
	d.tell()
}

// tell has one waiter look again: all would be a crowd that takes one session and the time of everybody. The caller
// holds mu.
func (d *deck) tell() {
	if len(d.waiting) == 0 {
		return
	}
	select {
	case d.waiting[0].told <- struct{}{}:
	default: // it has not looked yet since it was told before
	}
	d.waiting = slices.Delete(d.waiting, 0, 1)
}
