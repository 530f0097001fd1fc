package sample

import "strings"

// session is what the instance remembers of a session.
type session struct {
	count int
	epoch uint64
	grown int64
	kept  *block
}

// block is memory that one request grew its session by.
type block struct {
	next  *block
	bytes []byte
}

// use is one request of a session, "" for none.
type use struct {
	id    string
	epoch uint64
	grow  int64
}

// count takes in one request and returns how many there were of its session. Without room for what the request grows
// by nothing changes.
//
// A greater epoch than the one remembered means that the ID has been pinned anew since: what is remembered belongs
// to a session that has ended, or that moved away and came back. To count on would hide the loss.
func (s *Server) count(u use) (count int, start string, room bool) {
	s.mu.Lock()
	known, stale := s.find(u)
	free := s.options.MaxMemory - s.grown
	if stale {
		free += known.grown
	}
	if u.grow > 0 && u.grow > free {
		s.mu.Unlock()
		return 0, "", false
	}
	if known == nil || stale {
		known = s.renew(u)
	}
	known.count++
	count, start = known.count, s.start
	fill := s.reserve(known, u.grow)
	s.mu.Unlock()
	fill()
	return count, start, true
}

// find returns what is remembered of the session, and whether the epoch shows that it is another one's.
func (s *Server) find(u use) (known *session, stale bool) {
	if u.id == "" {
		return s.nobody, false
	}
	known, ok := s.sessions.Get(u.id)
	return known, ok && u.epoch > known.epoch
}

// renew remembers a new session. The ID is cloned because a cookie's is part of a header that may be long.
func (s *Server) renew(u use) *session {
	s.sessions.Remove(u.id)
	known := &session{epoch: u.epoch}
	s.sessions.Add(strings.Clone(u.id), known)
	return known
}

// forgotten is called by the LRU, under the lock, for each session that it drops.
func (s *Server) forgotten(_ string, gone *session) { s.grown -= gone.grown }

// reserve notes that the session grows by n bytes. What it returns takes the memory, and is called without the lock: it
// takes a while, and nobody else looks at it.
func (s *Server) reserve(known *session, n int64) (fill func()) {
	if n <= 0 {
		return func() {}
	}
	b := &block{next: known.kept}
	known.kept = b
	known.grown += n
	s.grown += n
	return func() { b.bytes = touched(n) }
}

// pageSize is the least that systems have.
const pageSize = 4 << 10

// touched returns n bytes that the system has given memory for: it gives none for a page that was never written to.
func touched(n int64) []byte {
	b := make([]byte, n)
	for i := 0; i < len(b); i += pageSize {
		b[i] = 1
	}
	return b
}
