// Package embeddedstore keeps the session table in this process, durable when it is given a directory.
//
// Each function is one state machine behind one mutex. In a directory every change is also an entry of an
// append-only log, which is synced before the change is acknowledged; a snapshot replaces the log when it has
// grown. docs/decisions/0001-own-write-ahead-log.md says why.
package embeddedstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/limpet-proxy/limpet/sessions"
)

// Store is a sessions.Store in this process. It is safe for concurrent use. An operation that waits for the disk
// does not watch its context: what it did is done.
type Store struct {
	clock  clock
	log    *wal // nil: in memory only
	closed atomic.Bool

	mu        sync.RWMutex // guards functions
	functions map[string]*function

	secretMu sync.Mutex // guards secrets
	secrets  map[string]secret

	onces onces
}

var _ sessions.Store = (*Store)(nil)

func newStore() *Store {
	return &Store{clock: newClock(), functions: map[string]*function{}, secrets: map[string]secret{}, onces: newOnces()}
}

// Open opens the store in the directory of c, and makes it (mode 0700) if there is none; with an empty path the
// sessions live in memory. It returns an error that names the directory when another process has it open,
// sessions.ErrCorrupt, with file and offset, when what is stored fails its checksum, and an error of its own for a
// format that another version of this program wrote. An incomplete last write, which nobody was told had happened, is cut off.
func Open(c Config) (*Store, error) {
	s := newStore()
	if c.Path == "" {
		return s, nil
	}
	log, err := openDir(c.Path, s)
	if err != nil {
		return nil, fmt.Errorf("embeddedstore: %w", err)
	}
	s.log = log
	for _, f := range s.functions {
		f.log = log
	}
	log.start(s)
	return s, nil
}

// Close writes and syncs what is pending and releases the directory. Operations fail from here on. Closing twice
// does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.log.close()
}

// Ping reports sessions.ErrUnavailable when the store is closed or its disk has failed.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.log.failed()
}

// ready says whether an operation may begin.
func (s *Store) ready(ctx context.Context) error {
	if s.closed.Load() {
		return fmt.Errorf("%w: closed", sessions.ErrUnavailable)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", sessions.ErrUnavailable, err)
	}
	return nil
}

// enter begins an operation on a function.
func (s *Store) enter(ctx context.Context, name string) (*function, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	return s.function(name), nil
}

// change begins an operation that writes.
func (s *Store) change(ctx context.Context, name string) (*function, error) {
	if err := s.log.failed(); err != nil {
		return nil, err
	}
	return s.enter(ctx, name)
}

func (s *Store) function(name string) *function {
	s.mu.RLock()
	f := s.functions[name]
	s.mu.RUnlock()
	if f != nil {
		return f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f = s.functions[name]; f == nil {
		f = newFunction(name, s.clock, s.log)
		s.functions[name] = f
	}
	return f
}

// all returns the functions that exist now.
func (s *Store) all() []*function {
	s.mu.RLock()
	defer s.mu.RUnlock()
	fs := make([]*function, 0, len(s.functions))
	for _, f := range s.functions {
		fs = append(fs, f)
	}
	return fs
}
