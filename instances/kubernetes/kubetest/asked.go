package kubetest

import "strconv"

// Request is what a client has asked for.
type Request struct {
	Watch   bool
	Version string // its resourceVersion
	Token   string // its Authorization header
}

// Asked returns what was asked for so far.
func (s *Server) Asked() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.asked...)
}

// Told returns the last version that a watch was told of.
func (s *Server) Told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strconv.Itoa(s.told)
}

// Count returns how many lists and watches were asked for so far.
func (s *Server) Count() (lists, watches int) {
	for _, r := range s.Asked() {
		if r.Watch {
			watches++
		} else {
			lists++
		}
	}
	return lists, watches
}
