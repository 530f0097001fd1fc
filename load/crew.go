package load

import "sync"

// crew works on the sessions that requests have arrived for, each by one worker at a time. Workers are hired as they
// are needed, up to most. Safe for concurrent use.
type crew struct {
	most int
	work func() func(*session) // makes a worker

	mu     sync.Mutex
	due    []*session
	wanted sync.Cond
	idle   int
	size   int
	peak   int // working at once, at the most
	closed bool
	all    sync.WaitGroup
}

func newCrew(most int, work func() func(*session)) *crew {
	c := &crew{most: most, work: work}
	c.wanted.L = &c.mu
	return c
}

// add has a session worked on. It never waits.
func (c *crew) add(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = append(c.due, s)
	switch {
	case c.idle >= len(c.due):
		c.wanted.Signal()
	case c.size < c.most:
		c.size++
		c.all.Go(c.toil)
	}
}

func (c *crew) toil() {
	work := c.work()
	for s := c.next(); s != nil; s = c.next() {
		work(s)
	}
}

// next waits for a session; nil: the crew is closed and none is left.
func (c *crew) next() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.due) == 0 {
		if c.closed {
			return nil
		}
		c.idle++
		c.wanted.Wait()
		c.idle--
	}
	s := c.due[0]
	c.due[0] = nil
	c.due = c.due[1:]
	c.peak = max(c.peak, c.size-c.idle)
	return s
}

// close lets the workers finish what there is, and returns when they have.
func (c *crew) close() {
	c.mu.Lock()
	c.closed = true
	c.wanted.Broadcast()
	c.mu.Unlock()
	c.all.Wait()
}

// busiest is how many worked at once, at the most.
func (c *crew) busiest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peak
}
