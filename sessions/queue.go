package sessions

import (
	"container/list"
	"context"
	"sync"
	"time"
)

const (
	// maxWaiting bounds a function's queue for a slot.
	maxWaiting = 1000
	// retryBase and retryJitter are how long the head of the queue pauses between two tries.
	retryBase   = 50 * time.Millisecond
	retryJitter = 50 * time.Millisecond
)

// Queue holds the new sessions of one function that wait for a slot on this replica, first come first served. It is
// safe for concurrent use.
type Queue struct {
	mu      sync.Mutex
	tickets list.List     // of *ticket
	free    chan struct{} // closed when a slot may have become free
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{free: make(chan struct{})} }

// Waiting is the length of the queue.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tickets.Len()
}

// Wake makes the head of the queue try at once, because a slot may have become free.
func (q *Queue) Wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(q.free)
	q.free = make(chan struct{})
}

func (q *Queue) freed() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.free
}

// ticket is one place in the queue.
type ticket struct {
	queue *Queue
	id    string // of the session
	place *list.Element
	head  chan struct{} // closed when this is the first
	twin  chan struct{} // of capacity 1: another ticket of the same session has left
}

// join takes the last place, unless the queue is full.
func (q *Queue) join(id string) (*ticket, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.tickets.Len() >= maxWaiting {
		return nil, false
	}
	t := &ticket{queue: q, id: id, head: make(chan struct{}), twin: make(chan struct{}, 1)}
	t.place = q.tickets.PushBack(t)
	if q.tickets.Front() == t.place {
		close(t.head)
	}
	return t, true
}

// turn waits until the ticket is the first, or until another of its session has left: that one may have got the
// session, and then there is nothing to wait for.
func (t *ticket) turn(ctx context.Context) (first bool, err error) {
	select {
	case <-t.head:
		return true, nil
	case <-t.twin:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// leave gives the place up; the next one moves on, and those of the same session look for it.
func (t *ticket) leave() {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	first := q.tickets.Front() == t.place
	q.tickets.Remove(t.place)
	if next := q.tickets.Front(); first && next != nil {
		close(next.Value.(*ticket).head)
	}
	if !first {
		return // it asked for nothing that others could have found since
	}
	for e := q.tickets.Front(); e != nil; e = e.Next() {
		if other := e.Value.(*ticket); other.id == t.id {
			select {
			case other.twin <- struct{}{}:
			default:
			}
		}
	}
}
