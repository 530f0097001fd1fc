package sourcetest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limpet-proxy/limpet/instances"
	"github.com/limpet-proxy/limpet/instances/sourcetest"
)

// world is the truth that the sources of this test look at.
type world struct {
	mu       sync.Mutex
	hosts    []string
	silent   bool
	watchers map[*source]chan struct{}
}

func (w *world) set(hosts ...string) { w.change(func() { w.hosts = hosts }) }
func (w *world) silence(on bool)     { w.change(func() { w.silent = on }) }
func (w *world) look() (h []string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hosts, !w.silent
}

func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	for _, c := range w.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// faults are the promises that a source breaks.
type faults struct {
	deaf, forgets, early, shows, repeats, shares, mute, chatty, stubborn, random, hasty bool
}

// source keeps its promises but for its faults.
type source struct {
	world  *world
	faults faults

	mu     sync.Mutex
	places []instances.Place
	known  bool
	salt   string
}

func (s *source) Places() ([]instances.Place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.shares {
		return s.places, s.known
	}
	return append([]instances.Place(nil), s.places...), s.known || s.faults.hasty
}

func (s *source) Run(ctx context.Context, changed func()) {
	wake := make(chan struct{}, 1)
	s.world.mu.Lock()
	s.world.watchers[s] = wake
	s.world.mu.Unlock()
	for {
		moved := s.look()
		if (moved || s.faults.chatty) && !s.faults.mute {
			changed()
		}
		select {
		case <-ctx.Done():
			if s.faults.stubborn {
				time.Sleep(time.Second)
			}
			return
		case <-wake:
		}
		if s.faults.deaf {
			<-ctx.Done()
			return
		}
	}
}

// look takes over what the world says, and says whether that changed anything.
func (s *source) look() bool {
	hosts, ok := s.world.look()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok && !s.faults.forgets {
		return false
	}
	if !ok {
		hosts = nil
	}
	before := fmt.Sprint(s.places, s.known)
	s.places, s.known = nil, true
	for _, host := range hosts {
		s.places = append(s.places, instances.Place{ID: s.id(host), URL: &url.URL{Scheme: "http", Host: host + ":80"}})
	}
	if s.faults.repeats && len(s.places) > 0 {
		s.places = append(s.places, s.places[0])
	}
	return before != fmt.Sprint(s.places, s.known)
}

func (s *source) id(host string) string {
	if s.faults.shows {
		return "h-" + strings.ReplaceAll(host, ".", "-")
	}
	sum := sha256.Sum256([]byte(host + s.salt))
	return hex.EncodeToString(sum[:8])
}

func harness(f faults) sourcetest.Harness {
	return sourcetest.Harness{Patience: 2 * time.Second, Open: func(testing.TB) sourcetest.World {
		w := &world{watchers: map[*source]chan struct{}{}}
		made := 0
		return sourcetest.World{Set: w.set, Silence: w.silence, New: func() instances.Source {
			s := &source{world: w, faults: f}
			if made++; f.random {
				s.salt = fmt.Sprint(made)
			}
			if f.early {
				s.look()
			}
			return s
		}}
	}}
}

func TestAnHonestSourceConforms(t *testing.T) { sourcetest.Run(t, harness(faults{})) }

func TestTeeth(t *testing.T) {
	for check, f := range map[string]faults{
		"places that can be dialled":                   {repeats: true},
		"an ID shows no address":                       {shows: true},
		"the slice is the caller's":                    {shares: true},
		"idle before it is run":                        {early: true},
		"follows its world":                            {deaf: true},
		"tells of each change, and may be asked there": {mute: true},
		"unknown until it has heard":                   {hasty: true},
		"nothing is an answer too":                     {mute: true},
		"silence takes nothing away":                   {forgets: true},
		"replicas agree":                               {random: true},
		"ends with its context":                        {stubborn: true},
	} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			require.NotEmpty(t, verdict(t, check, harness(f)))
		})
	}
}

// recorder is a testing.TB that keeps failures to itself.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) FailNow() { runtime.Goexit() }

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// verdict runs one check of the suite and returns what it complained of, "" if nothing.
func verdict(t *testing.T, name string, h sourcetest.Harness) string {
	t.Helper()
	for _, c := range sourcetest.Checks() {
		if c.Name != name {
			continue
		}
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(r, h)
		}()
		<-done
		for _, f := range r.cleanups {
			f()
		}
		return strings.Join(r.failures, "\n")
	}
	require.Fail(t, "no check "+name)
	return ""
}
