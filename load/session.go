package load

import (
	"net/http"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/load/proof"
)

// session is the client's side of a session. One goroutine at a time works on its requests; what others need is under
// mu.
type session struct {
	id  string         // as the client knows it; "" until the target has given one
	jar http.CookieJar // by cookie only
	// cookies are the names, domains and paths of all that it was given.
	cookies map[string]struct{}

	agent agent // by MCP only
	state proof.Session
	sent  int // requests that have been begun

	// The recorder's.
	livesAt       string // where it is counted as at home
	strayed, away bool
	steady        time.Time // since when its home has kept what it knows of it

	// The deck's.
	born   time.Time
	life   time.Duration // 0: without end
	picked int

	// Open model only.
	mu      sync.Mutex
	waiting []time.Time // when each request that waits was scheduled, in order
	busy    bool        // a connection works on it, or will
	leaving bool        // what waits is its last
	free    time.Time   // when its last request was done with
}

// arrive adds a scheduled request and says whether somebody has to be told to work on the session.
func (s *session) arrive(at time.Time) (idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, at)
	idle = !s.busy
	s.busy = true
	return idle
}

// leave lets no more arrive, and says whether nothing waits either.
func (s *session) leave() (ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = true
	return !s.busy
}

// gone says whether it has left, and nobody works on it.
func (s *session) gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving && !s.busy
}

// turn is a request that waits.
type turn struct {
	// scheduled is when it arrived; due is when it could have been sent: not before the one ahead of it was answered.
	scheduled, due time.Time
}

// next takes the request that waits longest. The session is busy, so there is one.
func (s *session) next() (t turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.scheduled, s.waiting = s.waiting[0], s.waiting[1:]
	t.due = t.scheduled
	if s.free.After(t.due) {
		t.due = s.free
	}
	return t
}

// relax ends a turn. more says that another request waits, so that the session stays busy; ended, that none does nor
// ever will.
func (s *session) relax() (more, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = len(s.waiting) > 0
	return s.busy, !s.busy && s.leaving
}

// done notes when a request was done with.
func (s *session) done(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = at
}
