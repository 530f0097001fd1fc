package load

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// model makes the requests of a Run.
type model struct {
	*Run
	ctx      context.Context // done: interrupted
	schedule context.Context // done: no more requests are begun
	stop     context.CancelFunc
	began    time.Time
}

// run returns when all requests are done with, or cut.
func (m model) run() ending {
	if m.plan.open() {
		return m.open()
	}
	return m.closed()
}

// windUp is called when the last request was scheduled: those that wait or run may take as long as one may take.
func (m model) windUp(e *ending) (done func() bool) {
	m.stop()
	e.scheduled = time.Since(m.began)
	e.alive = m.deck.alive()
	m.record.closeSchedule()
	return time.AfterFunc(m.plan.Timeout, m.cutShort).Stop
}

// open sends requests when they are scheduled, whatever became of those before.
func (m model) open() (e ending) {
	var crew *crew
	crew = newCrew(m.plan.Connections, func() func(*session) {
		w := sender{Run: m.Run}
		return func(s *session) { m.serve(crew, &w, s) }
	})
	m.deck.allow(1, m.began)
	var pacer sync.WaitGroup
	pacer.Go(func() { m.pace(crew) })
	pacer.Wait()
	defer m.windUp(&e)()
	crew.close()
	m.seeAllOff()
	e.connections = crew.busiest()
	return e
}

// pace lets requests arrive. It keeps its thread, which sleeps in the system.
func (m model) pace(crew *crew) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	times := arrivals{m.plan.Rate, m.plan.Ramp}
	for n := 0; m.plan.Requests == 0 || n < m.plan.Requests; n++ {
		since := times.at(n)
		if m.plan.Duration > 0 && since >= m.plan.Duration {
			return // not by the clock: an arrival that is due and late is late, and not left out
		}
		at := m.began.Add(since)
		sleepUntil(m.ctx, at)
		if m.ctx.Err() != nil {
			return
		}
		s, left := m.deck.deal(at)
		m.record.scheduled()
		if s.arrive(at) {
			crew.add(s)
		}
		for _, s := range left {
			if s.leave() {
				crew.add(s) // for whom it is gone
			}
		}
	}
}

// serve sends one request of the session, and queues the session again if another waits: where connections are short,
// no session gets more than its turn.
func (m model) serve(crew *crew, w *sender, s *session) {
	if m.ctx.Err() != nil || m.cut.Err() != nil {
		return // what waits stays unsent
	}
	if s.gone() {
		m.seeOff(w, s)
		return
	}
	w.request(s, s.next())
	more, ended := s.relax()
	if more {
		crew.add(s)
	}
	if ended {
		m.seeOff(w, s)
	}
}

// seeOff ends a session that has had its last answer.
func (m model) seeOff(w *sender, s *session) {
	w.part(s)
	m.record.ended(s)
}

// seeAllOff ends the sessions that are alive when no more requests are sent, so that the target need not keep them.
func (m model) seeAllOff() {
	if m.plan.Protocol != MCP {
		return
	}
	left := make(chan *session)
	var clients sync.WaitGroup
	for range m.plan.Connections {
		clients.Go(func() {
			w := sender{Run: m.Run}
			for s := range left {
				w.part(s)
			}
		})
	}
	for _, s := range m.deck.all() {
		if m.cut.Err() != nil {
			break
		}
		left <- s
	}
	close(left)
	clients.Wait()
}

// closed has each of a number of clients send its next request when the last one was answered.
func (m model) closed() (e ending) {
	var clients sync.WaitGroup
	for n := range m.plan.Connections {
		clients.Go(func() { m.client(n) })
	}
	done := make(chan struct{})
	go func() {
		clients.Wait()
		close(done)
	}()
	select {
	case <-m.schedule.Done():
	case <-done:
	}
	defer m.windUp(&e)()
	<-done
	m.seeAllOff()
	e.connections = m.plan.Connections
	return e
}

// client is one of the clients; the ramp has them begin one after the other.
func (m model) client(n int) {
	if wait := m.plan.Ramp * time.Duration(n) / time.Duration(m.plan.Connections); wait > 0 && !pause(m.schedule, wait) {
		return
	}
	w := sender{Run: m.Run}
	for {
		s, ended, err := m.deck.take(m.schedule)
		if err != nil {
			return
		}
		if ended != nil {
			m.seeOff(&w, ended)
		}
		if !m.claim() {
			return
		}
		m.record.scheduled()
		sent := w.request(s, turn{})
		if m.deck.give(s, time.Now()) {
			m.seeOff(&w, s)
		}
		// Refusals take no time: without a rest a dead target would have most of the requests.
		if !sent && !pause(m.schedule, DefaultRetryWait) {
			return
		}
	}
}

// claim says whether another request may be begun, and ends the schedule with the last one.
func (m model) claim() bool {
	if m.plan.Requests == 0 {
		return m.schedule.Err() == nil
	}
	n := m.claimed.Add(1)
	if n >= int64(m.plan.Requests) {
		m.stop()
	}
	return n <= int64(m.plan.Requests)
}
