// Package process runs local processes as the instances of a function.
//
// What is to run follows, again and again, from what runs, what the pool and the registry say of it and what the
// configuration wants; nothing hangs on an event that could be missed.
package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/limpet-proxy/limpet/instances"
)

// Config says what a Source runs. A Source may get another one while it runs.
type Config struct {
	instances.ProcessConfig
	// Isolation says that a process has one session in its life, and ends with it.
	Isolation bool
	// PerInstance is how many sessions a process holds; below 1: any number.
	PerInstance int
	// LossGrace is for how long a process that fails its probes is left alone, because its sessions wait for it.
	LossGrace time.Duration
	// DrainDeadline is for how long sessions may stay with a process of a command that is no longer the configured one.
	DrainDeadline time.Duration
	// Probe says whether the program at u is healthy: nil if it is. Required.
	Probe func(ctx context.Context, u *url.URL) error
}

// Host is what the sources of one Limpet share.
type Host struct {
	// Keeper is a command line that ends in a call of Keep with the words that follow it. Required.
	Keeper []string
	// Owner names this replica, the same after a restart, and different from all others that share its store.
	Owner string
	// Ports gives out ports. Required.
	Ports *Ports
	// Logger gets what happens and what the processes write; nil: nobody does.
	Logger *slog.Logger
}

// Source is an instances.Source of processes that it starts and ends itself. All methods are safe for concurrent use.
type Source struct {
	host   Host
	run    string // marks the IDs of this Source's processes
	kick   chan struct{}
	spawn  func(p *process, port int) (running, error)
	output *journal

	mu          sync.Mutex
	cfg         Config
	round       int // of the command: counts its changes
	seq         int // of processes
	all         []*process
	running     bool
	known       bool
	listed      []instances.Place // what changed was called for last
	listedKnown bool
	wanted      int // sessions without room
	wantedAt    time.Time
	failures    failures
	groups      *groups
	tending     sync.WaitGroup
}

var (
	_ instances.Elastic = (*Source)(nil)
	_ instances.Mortal  = (*Source)(nil)
)

// Bytes of random text in IDs. The mark of a run keeps those of two runs apart for good.
const runBytes = 6

// New returns a source that has started nothing yet.
func New(cfg Config, host Host) *Source {
	if host.Logger == nil {
		host.Logger = slog.New(slog.DiscardHandler)
	}
	mark := make([]byte, runBytes)
	rand.Read(mark) //nolint:errcheck // crypto/rand.Read never fails
	s := &Source{
		host: host, run: hex.EncodeToString(mark), kick: make(chan struct{}, 1), cfg: cfg, output: newJournal(host.Logger),
	}
	s.spawn = s.launch
	return s
}

// Apply makes cfg the configuration. Processes of another command, or with other limits, are replaced: sessions stay
// with theirs until they end, or until DrainDeadline.
func (s *Source) Apply(cfg Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.cfg
	s.cfg = cfg
	same := slices.Equal(old.Command, cfg.Command) && old.Memory == cfg.Memory && old.CPU == cfg.CPU
	if !same || old.Isolation != cfg.Isolation {
		s.round++
		s.failures = failures{}
		if s.running {
			s.limit()
		}
	}
	s.wake()
}

// Places returns the processes that have been healthy and are not about to be stopped.
func (s *Source) Places() ([]instances.Place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.places(), s.known
}

func (s *Source) places() []instances.Place {
	places := make([]instances.Place, 0, len(s.all))
	for _, p := range s.all {
		if p.state == serving {
			places = append(places, instances.Place{
				// Used, it gets no second session whatever becomes of the registry's memory of the first.
				ID: p.id, URL: p.url, Draining: p.drains(), Full: p.used, Local: true, Start: p.id,
			})
		}
	}
	return places
}

// Left says whether the process of this ID was one of an earlier Limpet's, on this replica.
func (s *Source) Left(id string) bool {
	return strings.HasPrefix(id, s.idPrefix()) && !strings.HasPrefix(id, s.idPrefix()+s.run+"-")
}

func (s *Source) idPrefix() string { return "p-" + s.host.Owner + "-" }

// Want starts processes for n sessions, where none are starting already and there may be more.
func (s *Source) Want(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted, s.wantedAt = n, time.Now()
	s.wake()
}

// Told takes in how the processes stand.
func (s *Source) Told(all []instances.Standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byID := make(map[string]instances.Standing, len(all))
	for _, standing := range all {
		byID[standing.ID] = standing
	}
	now := time.Now()
	for _, p := range s.all {
		if standing, listed := byID[p.id]; listed {
			p.told(standing, now)
		}
	}
	s.wake()
}

// Problem says why processes do not start, "" if they do.
func (s *Source) Problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures.problem
}

// wake makes Run look again.
func (s *Source) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// limit finds out whether the processes can be limited. Call with mu held.
func (s *Source) limit() {
	var err error
	if s.groups, err = findGroups(s.cfg.ProcessConfig); err != nil {
		s.host.Logger.Warn("processes run without the configured limits", "error", err)
	}
}
