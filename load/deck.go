package load

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	crand "crypto/rand"
)

// deck holds the sessions that are alive and deals them at random: a fixed order would return to each instance in turn
// under a round robin, and so hide it. Safe for concurrent use.
type deck struct {
	plan *Plan
	ids  string // the start of each session's ID: no other run's

	mu       sync.Mutex
	ready    []*session
	thinking rest
	limit    int // how many are alive
	born     int
	waiting  []*waiter // the next to be told in front
}

// rest is the sessions that think, the one that is ready first on top.
type rest []resting

type resting struct {
	*session
	until time.Time
}

func (r rest) Len() int           { return len(r) }
func (r rest) Less(i, j int) bool { return r[i].until.Before(r[j].until) }
func (r rest) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *rest) Push(x any)        { *r = append(*r, x.(resting)) }
func (r *rest) Pop() any {
	last := len(*r) - 1
	x := (*r)[last]
	*r = (*r)[:last]
	return x
}

func newDeck(p *Plan) *deck {
	return &deck{plan: p, ids: "load-" + strings.ToLower(crand.Text()) + "-"}
}

// allow raises how many sessions may be alive, and makes them.
func (d *deck) allow(n int, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ; d.limit < n; d.limit++ {
		d.ready = append(d.ready, d.bear(now))
		d.tell()
	}
}

// bear makes a session.
func (d *deck) bear(now time.Time) *session {
	s := &session{born: now, life: d.plan.SessionLife.draw()}
	d.plan.Carrier.begin(s, d.ids+strconv.Itoa(d.born))
	d.born++
	return s
}

// alive is how many sessions there are.
func (d *deck) alive() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.limit
}

// all are the sessions that are in the deck.
func (d *deck) all() []*session {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := slices.Clone(d.ready)
	for _, r := range d.thinking {
		all = append(all, r.session)
	}
	return all
}

// wake moves those that have thought enough to the ready ones. The caller holds mu.
func (d *deck) wake(now time.Time) {
	for len(d.thinking) > 0 && !d.thinking[0].until.After(now) {
		d.ready = append(d.ready, heap.Pop(&d.thinking).(resting).session)
	}
}

// draw takes a random session that is ready at the time; nil: none is.
func (d *deck) draw(now time.Time) *session {
	d.wake(now)
	if len(d.ready) == 0 {
		return nil
	}
	i, last := rand.IntN(len(d.ready)), len(d.ready)-1
	s := d.ready[i]
	d.ready[i] = d.ready[last]
	d.ready[last] = nil
	d.ready = d.ready[:last]
	return s
}

// outlived says whether the life of a session is over. One that has had no request yet gets its first all the same.
func (s *session) outlived(now time.Time) bool {
	return s.life > 0 && now.Sub(s.born) >= s.life && s.picked > 0
}

// finished says whether the session has had all its requests.
func (d *deck) finished(s *session) bool {
	return d.plan.SessionRequests > 0 && s.picked >= d.plan.SessionRequests
}

// back returns a session that may think first.
func (d *deck) back(s *session, now time.Time) {
	if think := d.plan.Think.draw(); think > 0 {
		heap.Push(&d.thinking, resting{s, now.Add(think)})
		return
	}
	d.ready = append(d.ready, s)
}

// deal returns the session of an arrival, for the open model: it stays in the deck, and thinks from then on. Where all
// think (the plan's numbers leave no slack) it is the one that has thought longest. left are those that have left the
// deck: s itself if this is its last request, one that was drawn and whose life was over. Others have taken their place.
func (d *deck) deal(now time.Time) (s *session, left []*session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s = d.draw(now); s == nil {
		s = heap.Pop(&d.thinking).(resting).session
	}
	if s.outlived(now) {
		left = append(left, s)
		s = d.bear(now)
	}
	s.picked++
	if d.finished(s) {
		d.ready = append(d.ready, d.bear(now))
		return s, append(left, s)
	}
	d.back(s, now)
	return s, left
}

// give returns a session after its request. over says that it was its last, and that another has taken its place.
func (d *deck) give(s *session, now time.Time) (over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if over = d.finished(s); over {
		s = d.bear(now)
		d.ready = append(d.ready, s)
	} else {
		d.back(s, now)
	}
	d.tell()
	return over
}
