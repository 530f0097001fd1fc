package process

import (
	"context"
	"slices"
	"time"
)

// Run starts processes and ends them until ctx is done; then it ends all and returns when they are gone.
func (s *Source) Run(ctx context.Context, changed func()) {
	logged, stop := context.WithCancel(context.Background())
	writer := make(chan struct{})
	go func() {
		defer close(writer)
		s.output.run(logged)
	}()
	s.mu.Lock()
	s.running = true
	s.limit()
	s.mu.Unlock()

	s.follow(ctx, changed)

	s.tending.Wait()
	stop()
	select {
	case <-writer:
	case <-time.After(logPatience): // nobody reads the log: nothing waits for that
	}
}

// look is how often Run looks without being woken: for what only time brings.
const look = 100 * time.Millisecond

func (s *Source) follow(ctx context.Context, changed func()) {
	timer := time.NewTicker(look)
	defer timer.Stop()
	for ctx.Err() == nil {
		s.step(changed)
		select {
		case <-ctx.Done():
		case <-s.kick:
		case <-timer.C:
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.all {
		p.end()
	}
}

// step does what is to be done now.
func (s *Source) step(changed func()) {
	s.mu.Lock()
	now := time.Now()
	s.all = slices.DeleteFunc(s.all, func(p *process) bool { return p.state == ended })
	ending := s.judge(now)
	for range s.missing(now) {
		s.begin()
	}
	s.known = s.known || s.heard()
	moved := s.moved()
	s.mu.Unlock()
	if moved {
		changed() // before anything is stopped: no request is to go there any more
	}
	for _, e := range ending {
		s.host.Logger.Info("process is stopped", "instance", e.process.id, "because", e.because)
		s.end(e.process)
	}
}

func (s *Source) end(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.end()
}

// heard says whether the first processes are there, or will not be so soon.
func (s *Source) heard() bool {
	up := 0
	for _, p := range s.all {
		if p.state == serving {
			up++
		}
	}
	return up >= s.cfg.Min || s.failures.count > 0
}

// moved says whether Places returns something else than the last time.
func (s *Source) moved() bool {
	now := s.places()
	if s.known == s.listedKnown && slices.Equal(now, s.listed) {
		return false
	}
	s.listed, s.listedKnown = now, s.known
	return true
}
