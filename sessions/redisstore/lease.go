package redisstore

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/limpet-proxy/limpet/sessions"
)

// lease is what has been heard of one function, or of all: see sessions.Freshness. A link that is answered well renews it.
type lease struct {
	mu     sync.Mutex // of who writes
	holder *link      // that renewed it last; nil: the next to renew it says nothing of what was before
	now    atomic.Pointer[sessions.Freshness]
}

func newLease() *lease {
	l := &lease{}
	l.now.Store(&sessions.Freshness{Since: time.Now(), Lost: true})
	return l
}

// renew says that by has heard all changes until sent, from the moment on when it became the holder.
func (l *lease) renew(by *link, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := *l.now.Load()
	if sent.Before(next.At) {
		return
	}
	if l.holder != by {
		l.holder, next.Since = by, sent
	}
	next.At, next.Lost = sent, false
	l.now.Store(&next)
}

// lose says that by hears no more. Nil is for whoever holds it.
func (l *lease) lose(by *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := *l.now.Load()
	if by != nil && by != l.holder || next.Since.IsZero() {
		return
	}
	l.holder, next.Lost = nil, true
	l.now.Store(&next)
}

// doubt says that all that was known by now may have changed.
func (l *lease) doubt(by *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder == by {
		next := *l.now.Load()
		next.Since = time.Now()
		l.now.Store(&next)
	}
}

// none says that there is nothing to hear.
func (l *lease) none() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holder = nil
	l.now.Store(&sessions.Freshness{})
}
