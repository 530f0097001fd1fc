// Package sample is a stateful HTTP program for trying and testing any session-affinity proxy: it counts each
// session's requests in its own memory, so that a request which reached the wrong instance shows.
package sample

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// DefaultName names an instance that has no name of its own.
	DefaultName = "sample"
	// DefaultMaxSessions bounds the memory of a Server: past it the session that was used longest ago is forgotten.
	DefaultMaxSessions = 100_000
	// MaxSessionID is the longest session ID that is counted, in bytes; a longer one is answered with 400.
	MaxSessionID = 256
)

// The headers of Limpet that a Server reads and writes, and its own.
const (
	SessionIDHeader    = "Limpet-Session-Id"
	SessionEpochHeader = "Limpet-Session-Epoch"
	SessionEventHeader = "Limpet-Session-Event"
	StartHeader        = "Limpet-Instance-Start"
	InstanceHeader     = "Sample-Instance"
)

// Options change what a Server does. The zero value is of use.
type Options struct {
	Name        string // in every answer; "": DefaultName
	Start       string // the first start nonce; "": random
	Header      string // names the session where SessionIDHeader does not; "": none
	Cookie      string // names the session where neither header does; "": none
	MaxSessions int    // below 1: DefaultMaxSessions
}

// Server is an instance that keeps state in memory. It is an http.Handler, safe for concurrent use:
//
//	/healthz   200 with the start nonce, or what SetHealth says
//	/headers   the request's head, as JSON
//	/echo      the request's body, streamed both ways
//	any other  one more of the session's requests, as an Answer in JSON
//
// Everywhere but on /healthz the query may ask for trouble: sleep=DURATION before the answer, status=CODE,
// fail=head (the connection breaks off before the answer) or fail=body (in the middle of it), and, where an Answer is
// given, stream=N with interval=DURATION (N server-sent events, each an Answer).
type Server struct {
	options Options

	mu       sync.Mutex
	start    string
	health   int
	sessions *simplelru.LRU[string, *session]
	nobody   int // requests without a session
}

// session is what the instance remembers of a session.
type session struct {
	count int
	epoch uint64
}

// Answer is what the instance knows of a request.
type Answer struct {
	Instance string `json:"instance"`
	Session  string `json:"session"`         // "" when the request named none
	Count    int    `json:"count"`           // of this session's requests here, this one included
	Start    string `json:"start"`           // another after a restart
	Epoch    string `json:"epoch,omitempty"` // as the proxy gave it
	Event    string `json:"event,omitempty"` // as the proxy gave it
	Of       int    `json:"of,omitempty"`    // of a stream: how many events there will be
	N        int    `json:"n,omitempty"`     // of a stream: which one this is, from 1
}

// New returns a Server without sessions.
func New(o Options) *Server {
	o.Name = cmp.Or(o.Name, DefaultName)
	if o.MaxSessions < 1 {
		o.MaxSessions = DefaultMaxSessions
	}
	s := &Server{options: o, health: http.StatusOK}
	s.restart(o.Start)
	return s
}

// Restart makes the Server what a new program at the same place would be: it has another start nonce and has
// forgotten every session.
func (s *Server) Restart() { s.restart("") }

func (s *Server) restart(start string) {
	sessions, err := simplelru.NewLRU[string, *session](s.options.MaxSessions, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start, s.sessions, s.nobody = cmp.Or(start, rand.Text()), sessions, 0
}

// SetHealth sets the status of the health answer. 200 is what it starts with.
func (s *Server) SetHealth(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health = status
}

// StartNonce returns what the health answer gives now.
func (s *Server) StartNonce() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start
}

// Sessions returns how many sessions the Server remembers.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions.Len()
}

// Count returns how many requests of the session the Server remembers.
func (s *Server) Count(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.sessions.Peek(id)
	if !ok {
		return 0
	}
	return known.count
}

// count takes in one request of the session and returns how many there were.
//
// A greater epoch than the one remembered means that the ID has been pinned anew since: what is remembered belongs
// to a session that has ended, or that moved away and came back. To count on would hide the loss.
func (s *Server) count(id string, epoch uint64) (count int, start string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		s.nobody++
		return s.nobody, s.start
	}
	known, ok := s.sessions.Get(id)
	if !ok || epoch > known.epoch {
		known = &session{epoch: epoch}
		s.sessions.Add(id, known)
	}
	known.count++
	return known.count, s.start
}
