package main_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// verifier knows each session's home from its first answer, and reports every later answer that did not come from
// there: another instance, another program at its place, or a count that did not go up by exactly one. For that, one
// session has one request at a time. It is safe for concurrent use.
type verifier struct {
	mu        sync.Mutex
	known     map[string]reply // the last of each session
	answers   int
	misroutes []string
	rehomed   int // announced, so no misroutes
}

func newVerifier() *verifier { return &verifier{known: map[string]reply{}} }

// saw takes in an answer that the session, as its client calls it, got.
func (v *verifier) saw(session string, r reply) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answers++
	last, known := v.known[session]
	v.known[session] = r
	if known && strings.HasPrefix(r.event(), "rehomed") && r.epoch > last.epoch {
		v.rehomed++
		known = false
	}
	if problem := misroute(last, r, known); problem != "" {
		v.misroutes = append(v.misroutes, session+": "+problem)
	}
}

func misroute(last, r reply, known bool) string {
	switch {
	case !known && r.Count == 1 && r.Session != "":
		return ""
	case !known:
		return fmt.Sprintf("its first answer is %s", r.body)
	case r.Instance != last.Instance || r.Session != last.Session || r.Start != last.Start:
		return fmt.Sprintf("its home answered %s, and now %s", last.body, r.body)
	case r.Count != last.Count+1 || r.epoch != last.epoch:
		return fmt.Sprintf("lost state: after %s came %s", last.body, r.body)
	default:
		return ""
	}
}

// spread is the ratio of the sessions on the most and on the least loaded of n instances; a large number when one has
// none.
func (v *verifier) spread(n int) float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	loads := map[string]int{}
	for _, r := range v.known {
		loads[r.Instance]++
	}
	if len(loads) < n {
		return float64(len(v.known))
	}
	least, most := len(v.known), 0
	for _, load := range loads {
		least, most = min(least, load), max(most, load)
	}
	return float64(most) / float64(least)
}

// drive is a load of many sessions.
type drive struct {
	sessions, requests, clients int // requests of each session
	send                        func(session int) (reply, error)
}

// run sends the load and has v look at each answer. In each round every session has one request, from whichever client
// comes to it, in another order each time: requests of one session come through many connections.
func (d drive) run(v *verifier) error {
	var failures []error
	var mu sync.Mutex
	order := make([]int, d.sessions)
	for i := range order {
		order[i] = i
	}
	for range d.requests {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		inParallel(d.clients, slices.Values(order), func(session int) {
			r, err := d.send(session)
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, err)
				return
			}
			v.saw(fmt.Sprint(session), r)
		})
	}
	return errors.Join(failures...)
}

// inParallel does work for each item, n at a time.
func inParallel[T any](n int, items func(yield func(T) bool), work func(T)) {
	queue := make(chan T)
	var workers sync.WaitGroup
	for range n {
		workers.Go(func() {
			for item := range queue {
				work(item)
			}
		})
	}
	items(func(item T) bool {
		queue <- item
		return true
	})
	close(queue)
	workers.Wait()
}
