package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

var (
	errQuit      = errors.New("told to end")
	errPortTaken = errors.New("another program listens on its port")
	errUnhealthy = errors.New("not healthy within start_timeout")
	errEnded     = errors.New("ended before it was healthy")
	errCrashed   = errors.New("ended by itself")
)

const (
	// A starting process is asked for its health after firstAsk, then after ever longer pauses up to maxAsk.
	firstAsk, maxAsk = 5 * time.Millisecond, 250 * time.Millisecond
	// askTimeout bounds one of these questions.
	askTimeout = time.Second
	// portRetries is how many ports are tried one after the other when other programs take them.
	portRetries = 5
	// strangerTime is how long a process has to live where it cannot be seen whose the listener on its port is. One that
	// found its port taken has ended by then.
	strangerTime = time.Second
	// portVariable is what a command and its environment know the port by.
	portVariable = "PORT"
)

// running is a command at work. child is the real one.
type running interface {
	term()
	kill()
	done() <-chan struct{}
	how() string
	owns(port int) owner
}

// begin starts one more process. Call with mu held.
func (s *Source) begin() {
	s.seq++
	p := &process{
		id: s.idPrefix() + s.run + "-" + strconv.Itoa(s.seq), cfg: s.cfg, round: s.round, quit: make(chan struct{}),
	}
	s.all = append(s.all, p)
	s.tending.Go(func() { s.conclude(p, s.tend(p)) })
}

// tend is the whole life of a process. The error says why it ended.
func (s *Source) tend(p *process) (err error) {
	for range portRetries {
		if err = s.live(p); !errors.Is(err, errPortTaken) {
			return err
		}
		s.host.Logger.Info("another program took the port of a starting process: trying the next one", "instance", p.id)
	}
	return err
}

// live runs the process on one port.
func (s *Source) live(p *process) error {
	port, err := s.host.Ports.take()
	if err != nil {
		return err
	}
	defer s.host.Ports.release(port)
	r, err := s.spawn(p, port)
	if err != nil {
		return err
	}
	u := &url.URL{Scheme: "http", Host: net.JoinHostPort(loopback, strconv.Itoa(port))}
	if err = s.await(p, r, u); err == nil {
		s.serve(p, u)
		select {
		case <-p.quit:
			err = errQuit
		case <-r.done():
			err = fmt.Errorf("%w: %s", errCrashed, r.how())
		}
	}
	if errors.Is(err, errPortTaken) {
		r.kill() // it serves nobody
	}
	finish(r, p.cfg.StopGrace)
	return err
}

// finish ends what still runs: SIGTERM, and SIGKILL after grace.
func finish(r running, grace time.Duration) {
	r.term()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-r.done():
		return
	case <-timer.C:
	}
	r.kill()
	<-r.done()
}

// await waits until the process is healthy, and the listener on its port is its own.
func (s *Source) await(p *process, r running, u *url.URL) error {
	port, began := portOf(u), time.Now()
	for pause := firstAsk; ; pause = min(2*pause, maxAsk) {
		select {
		case <-p.quit:
			return errQuit
		case <-r.done():
			if _, still := free(port); !still {
				return errPortTaken
			}
			return fmt.Errorf("%w: %s", errEnded, r.how())
		case <-time.After(pause):
		}
		err := ask(p, u)
		if err == nil {
			switch r.owns(port) {
			case ownerChild:
				return nil
			case ownerOther:
				return errPortTaken
			case ownerUnknown:
				if time.Since(began) >= min(strangerTime, p.cfg.StartTimeout) {
					return nil
				}
			}
		}
		if time.Since(began) >= p.cfg.StartTimeout {
			return fmt.Errorf("%w, %s: %w", errUnhealthy, p.cfg.StartTimeout, err)
		}
	}
}

func ask(p *process, u *url.URL) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	return p.cfg.Probe(ctx, u)
}

func portOf(u *url.URL) int {
	n, _ := strconv.Atoi(u.Port()) // it was made of a number
	return n
}

// serve lists the process.
func (s *Source) serve(p *process, u *url.URL) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.state != starting {
		return
	}
	now := time.Now()
	p.state, p.url, p.servedAt, p.idleSince = serving, u, now, now
	s.failures.problem = ""
	s.wake()
}

// conclude takes in that a process has ended, and why.
func (s *Source) conclude(p *process, why error) {
	told := s.noteEnd(p, why)
	s.wake()
	log := s.host.Logger.With("instance", p.id)
	switch {
	case told.expected:
		log.Info("process has ended")
	case p.servedAt.IsZero():
		log.Error("process did not start", "error", why, "failures", told.failures, "next_try_in", told.pause.String())
	default:
		log.Warn("process ended by itself", "error", why, "failures", told.failures, "next_start_in", told.pause.String())
	}
}

// end is what the log is told of the end of a process.
type end struct {
	expected bool
	failures int // in a row
	pause    time.Duration
}

func (s *Source) noteEnd(p *process, why error) end {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, now := p.state, time.Now()
	p.state = ended
	e := end{expected: was == stopping}
	switch {
	case e.expected:
	case p.servedAt.IsZero():
		e.pause = s.failures.add(now, why.Error())
	case now.Sub(p.servedAt) >= steady:
	case p.cfg.Isolation && !p.openAt.IsZero():
		// Its session may have ended it. That must not keep others from theirs for long.
		e.pause = s.failures.pauseFor(now, firstPause)
	default:
		e.pause = s.failures.add(now, why.Error())
	}
	e.failures = s.failures.count
	return e
}

// launch is Source.spawn for real processes.
func (s *Source) launch(p *process, port int) (running, error) {
	s.mu.Lock()
	groups := s.groups
	s.mu.Unlock()
	l := launch{
		keeper: s.host.Keeper, command: withPort(p.cfg.Command, port),
		env:    append(os.Environ(), portVariable+"="+strconv.Itoa(port)),
		stdout: &lines{journal: s.output, instance: p.id, stream: "stdout"},
		stderr: &lines{journal: s.output, instance: p.id, stream: "stderr"},
	}
	var err error
	if l.group, err = groups.open(p.id); err == nil {
		c, failed := l.start()
		if l.group == nil || !errors.Is(failed, errKeeper) {
			return c, failed
		}
		err = failed // to start it there may be what the kernel refuses
	}
	// An instance without limits is better than none.
	s.host.Logger.Warn("process runs without the configured limits", "instance", p.id, "error", err)
	l.group = nil
	return l.start()
}

// withPort puts the port where the command asks for it.
func withPort(command []string, port int) []string {
	all := make([]string, len(command))
	for i, word := range command {
		all[i] = strings.ReplaceAll(word, "${"+portVariable+"}", strconv.Itoa(port))
	}
	return all
}
