package sample

import "crypto/rand"

// agent is what the instance remembers of an MCP session.
type agent struct {
	session
	stream *listener // of its open GET; nil: none
}

// maxNotes is how many notifications wait for a client that reads its stream slowly; more are dropped.
const maxNotes = 16

// listener is an open GET of an MCP session.
type listener struct {
	notes chan []byte   // JSON-RPC notifications
	done  chan struct{} // closed when the session has ended
}

// admit begins an MCP session and returns its ID.
func (s *Server) admit() (id string) {
	id = rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agents.Add(id, &agent{})
	return id
}

// left is called by the LRU, under the lock, for each MCP session that it drops.
func (s *Server) left(_ string, gone *agent) {
	s.grown -= gone.grown
	if gone.stream != nil {
		close(gone.stream.done)
		gone.stream = nil
	}
}

// knows says whether there is an MCP session of this ID, and takes it for used now.
func (s *Server) knows(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.agents.Get(id)
	return ok
}

// leave ends an MCP session and says whether there was one.
func (s *Server) leave(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agents.Remove(id)
}

// counted is what came of a call of the tool.
type counted struct {
	count       int
	start       string
	known, room bool
	stream      *listener
}

// countCall takes in one call of an MCP session. Without room for what it grows by nothing changes.
func (s *Server) countCall(u use) counted {
	s.mu.Lock()
	known, ok := s.agents.Get(u.id)
	if !ok || u.grow > 0 && u.grow > s.options.MaxMemory-s.grown {
		s.mu.Unlock()
		return counted{known: ok}
	}
	known.count++
	c := counted{count: known.count, start: s.start, known: true, room: true, stream: known.stream}
	fill := s.reserve(&known.session, u.grow)
	s.mu.Unlock()
	fill()
	return c
}

// listen opens the stream of an MCP session. Of one there is at most one; nil: there is another, or no session.
func (s *Server) listen(id string) (l *listener, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.agents.Get(id)
	if !ok || a.stream != nil {
		return nil, ok
	}
	a.stream = &listener{notes: make(chan []byte, maxNotes), done: make(chan struct{})}
	return a.stream, true
}

// unlisten takes the closed stream of an MCP session away, if it is still there.
func (s *Server) unlisten(id string, l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.agents.Peek(id); ok && a.stream == l {
		a.stream = nil
	}
}

// endStreams ends every open stream; the sessions stay.
func (s *Server) endStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.agents.Values() {
		if a.stream != nil {
			close(a.stream.done)
			a.stream = nil
		}
	}
}

// tell sends a notification on a stream; nil: there is none.
func (l *listener) tell(note []byte) {
	if l == nil {
		return
	}
	select {
	case l.notes <- note:
	default:
	}
}
