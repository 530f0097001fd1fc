// Package sample is a stateful HTTP program for trying and testing any session-affinity proxy: it counts each
// session's requests in its own memory, so that a request which reached the wrong instance shows.
package sample

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"net/textproto"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// DefaultName names an instance that has no name of its own.
	DefaultName = "sample"
	// DefaultMaxSessions bounds the memory of a Server: past it the session that was used longest ago is forgotten.
	DefaultMaxSessions = 100_000
	// DefaultMaxMemory bounds what all sessions together grow by, in bytes.
	DefaultMaxMemory = 256 << 20
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
	CountHeader        = "Sample-Count"
)

// Options change what a Server does. The zero value is of use.
type Options struct {
	Name        string  // in every answer; "": DefaultName
	Start       string  // the first start nonce; "": random
	Header      string  // names the session where SessionIDHeader does not; "": none
	Cookie      string  // names the session where neither header does; "": none
	GiveCookie  bool    // gives a session in Cookie to a counted request that names none
	MaxSessions int     // below 1: DefaultMaxSessions
	MaxMemory   int64   // bytes that all sessions together may grow by; below 1: DefaultMaxMemory
	Trouble     Trouble // what each request meets, as far as its query does not say
}

// Server is an instance that keeps state in memory. It is an http.Handler, safe for concurrent use:
//
//	/healthz   200 with the start nonce, or what SetHealth says
//	/headers   the request's head, as JSON
//	/echo      the request's body, streamed both ways
//	/mcp       an MCP server over Streamable HTTP, whose tool count is one more of the MCP session's calls
//	any other  one more of the session's requests, as an Answer in JSON, and its count in CountHeader
//
// Everywhere but on /healthz the query may ask for trouble, else Options.Trouble does: sleep=DURATION before the answer
// (a client that leaves meanwhile is not counted), status=CODE, fail=head (the connection breaks off before the answer,
// and nothing is counted) or fail=body (in the middle of it), and, where an Answer is given, stream=N with
// interval=DURATION (N server-sent events, each an Answer) and grow=BYTES (kept for the session until it is forgotten:
// answered with 507, and not counted, where Options.MaxMemory has no room for it). An empty fail=, and 0 for a number,
// ask for none of it.
//
// A session is forgotten, with all it grew, when it is the one used longest ago of more than Options.MaxSessions, when
// Restart is called, and when a request names it with a greater epoch. MCP sessions are as many again; they end by DELETE
// too, and no epoch ends them, for a proxy cannot move one.
type Server struct {
	options Options
	name    []string  // the value of InstanceHeader; shared by all answers, so never written to
	buffers sync.Pool // of *[]byte: the bodies of answers

	mu       sync.Mutex
	start    string
	health   int
	sessions *simplelru.LRU[string, *session]
	nobody   *session // the requests without a session
	agents   *simplelru.LRU[string, *agent]
	grown    int64 // by all sessions, nobody's included
}

// New returns a Server without sessions.
func New(o Options) *Server {
	o.Name = cmp.Or(o.Name, DefaultName)
	o.Header = textproto.CanonicalMIMEHeaderKey(o.Header) // else each look-up would make it so
	if o.MaxSessions < 1 {
		o.MaxSessions = DefaultMaxSessions
	}
	if o.MaxMemory < 1 {
		o.MaxMemory = DefaultMaxMemory
	}
	o.Trouble = o.Trouble.withDefaults()
	s := &Server{options: o, name: []string{o.Name}, health: http.StatusOK}
	s.restart(o.Start)
	return s
}

// Restart makes the Server what a new program at the same place would be: it has another start nonce and has
// forgotten every session.
func (s *Server) Restart() { s.restart("") }

func (s *Server) restart(start string) {
	sessions, err := simplelru.NewLRU(s.options.MaxSessions, s.forgotten)
	if err != nil {
		panic(err) // only for a size below 1
	}
	agents, err := simplelru.NewLRU(s.options.MaxSessions, s.left)
	if err != nil {
		panic(err) // likewise
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agents != nil {
		s.agents.Purge() // which ends their streams
	}
	s.start, s.sessions, s.nobody, s.agents, s.grown = cmp.Or(start, rand.Text()), sessions, &session{}, agents, 0
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

// Sessions returns how many sessions the Server remembers, those of MCP included.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions.Len() + s.agents.Len()
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

// Grown returns how many bytes the Server keeps because requests asked it to grow.
func (s *Server) Grown() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grown
}
