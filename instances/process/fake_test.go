package process_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/process"
)

var errSick = errors.New("sick")

// stage is a source on a fake clock, whose commands are fakes. Everything runs inside a synctest bubble.
type stage struct {
	t      *testing.T
	source *process.Source
	cfg    process.Config
	log    *buffer
	stop   func()

	mu       sync.Mutex
	all      []*process.Fake // in the order of their starts
	alive    int
	most     int // alive at once
	terms    []string
	kills    []string
	seen     []string // when changed was called last
	stubborn bool     // commands ignore SIGTERM
	sick     bool     // they are not healthy
	refuse   error
	begins   func(*process.Fake) // called with each that starts
}

// buffer is a log that a test reads.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func config() process.Config {
	c := process.Config{ProcessConfig: instances.DefaultProcessConfig(), PerInstance: 2, DrainDeadline: time.Minute}
	c.Command = []string{"one"}
	return c
}

func newStage(t *testing.T, change func(*process.Config)) *stage {
	t.Helper()
	s := &stage{t: t, cfg: config(), log: &buffer{}}
	change(&s.cfg)
	s.cfg.Probe = func(context.Context, *url.URL) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.sick {
			return errSick
		}
		return nil
	}
	s.source = process.New(s.cfg, process.Host{
		Keeper: []string{"none"}, Owner: "me", Ports: &process.Ports{}, Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	})
	s.source.WithSpawn(s.spawn)
	return s
}

// run runs the source until the end of the test.
func (s *stage) run() *stage {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.source.Run(ctx, s.changed)
	}()
	s.stop = func() {
		cancel()
		<-done
	}
	s.pass(time.Second)
	return s
}

func (s *stage) changed() {
	ids := s.ids() // may be asked there
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = ids
}

func (s *stage) spawn(id string, port int, _ process.Config) (*process.Fake, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	f := &process.Fake{ID: id, Port: port, Owner: 1, Gone: make(chan struct{}), Reason: "signal: terminated"}
	f.OnTerm = func() { s.signalled(f, &s.terms, !s.stubborn) }
	f.OnKill = func() { s.signalled(f, &s.kills, true) }
	s.all = append(s.all, f)
	s.alive++
	s.most = max(s.most, s.alive)
	if s.begins != nil {
		s.begins(f)
	}
	return f, nil
}

// signalled notes a signal to a living command, which may end it.
func (s *stage) signalled(f *process.Fake, where *[]string, ends bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gone(f) {
		return
	}
	*where = append(*where, f.ID)
	if ends {
		close(f.Gone)
		s.alive--
	}
}

func gone(f *process.Fake) bool {
	select {
	case <-f.Gone:
		return true
	default:
		return false
	}
}

// crash ends a command by itself.
func (s *stage) crash(id string) {
	s.mu.Lock()
	for _, f := range s.all {
		if f.ID == id {
			f.Reason = "exit status 3"
			close(f.Gone)
			s.alive--
		}
	}
	s.mu.Unlock()
	synctest.Wait()
}

// pass lets d go by, and all that follows at its end happen.
func (s *stage) pass(d time.Duration) {
	time.Sleep(d) // the bubble's clock
	synctest.Wait()
}

func (s *stage) started() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

func (s *stage) living() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive
}

// ids are those of the places, in the order of their starts.
func (s *stage) ids() []string {
	var ids []string
	places, _ := s.source.Places()
	for _, p := range places {
		ids = append(ids, p.ID)
	}
	return ids
}

func (s *stage) place(id string) instances.Place {
	s.t.Helper()
	places, _ := s.source.Places()
	i := slices.IndexFunc(places, func(p instances.Place) bool { return p.ID == id })
	require.GreaterOrEqual(s.t, i, 0, "%s is not listed", id)
	return places[i]
}

// tell tells the source that its places have these sessions, those left out none.
func (s *stage) tell(sessions map[string]int) {
	var all []instances.Standing
	for _, id := range s.ids() {
		all = append(all, instances.Standing{ID: id, Candidate: true, AsOf: time.Now(), Sessions: sessions[id], Used: sessions[id] > 0})
	}
	s.source.Told(all)
	synctest.Wait()
}

// rounds is the reports of d, one every two seconds.
func (s *stage) rounds(d time.Duration, sessions map[string]int) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		s.pass(2 * time.Second)
		s.tell(sessions)
	}
}

func (s *stage) logged(what string) int { return strings.Count(s.log.String(), what) }
