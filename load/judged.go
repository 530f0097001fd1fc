package load

import (
	"fmt"
	"strings"

	"github.com/limpet-proxy/limpet/load/proof"
)

// judged takes in what was found of a response. The caller holds mu.
func (r *recorder) judged(a attempt) {
	r.affinity.Judged++
	r.responses[r.bounded(a.seen.From, r.responses)]++
	if a.session.livesAt != "" {
		r.affinity.Checked++
	}
	now := &r.timeline.now
	switch a.finding.Kind {
	case proof.First:
		r.sessions.Named++
		r.settle(a.session, a.finding.Home)
	case proof.Moved:
		r.affinity.Moves++
		now.Moves++
		r.settle(a.session, a.finding.Home)
		r.affinity.Announced = r.exemplify(r.affinity.Announced, a)
	case proof.Misroute:
		r.affinity.Misroutes++
		now.Misroutes++
	case proof.LostState:
		r.affinity.LostStates++
		now.LostStates++
	case proof.Overcount:
		r.affinity.Overcounts++
		now.Overcounts++
		r.overcounted(a)
	case proof.Kept:
		r.alive(a)
	}
	switch a.finding.Kind {
	case proof.First, proof.Moved, proof.LostState:
		a.session.steady = a.at
	case proof.Kept, proof.Misroute, proof.Overcount:
	}
	if a.finding.Kind.Broken() {
		r.affinity.Examples = r.exemplify(r.affinity.Examples, a)
	}
	r.stray(a.session, a.finding.Kind == proof.Misroute)
}

// overcounted notes the home of a response that counted too much: it may be a first one, or have come with a move.
func (r *recorder) overcounted(a attempt) {
	if a.session.livesAt == "" {
		r.sessions.Named++
	}
	if a.session.livesAt != r.bounded(a.finding.Home, r.homes) {
		r.settle(a.session, a.finding.Home)
	}
}

// settle makes home the session's home in the counts.
func (r *recorder) settle(s *session, home string) {
	if s.livesAt != "" {
		r.homes[s.livesAt]--
	}
	s.livesAt = r.bounded(home, r.homes)
	r.homes[s.livesAt]++
}

// stray notes whether the session's last response came from elsewhere than its home.
func (r *recorder) stray(s *session, away bool) {
	if away && !s.strayed {
		s.strayed = true
		r.affinity.Strayed++
	}
	switch {
	case away && !s.away:
		r.affinity.Away++
	case !away && s.away:
		r.affinity.Away--
	}
	s.away = away
}

// bounded returns the name by which an instance is counted.
func (r *recorder) bounded(name string, known map[string]int) string {
	if _, ok := known[name]; !ok && len(known) >= MaxInstances {
		return others
	}
	return name
}

func (r *recorder) exemplify(examples []Example, a attempt) []Example {
	if len(examples) >= MaxExamples {
		return examples
	}
	return append(examples, Example{
		Kind: a.finding.Kind.String(), At: a.at.Sub(r.began).Seconds(), Session: a.session.id, Request: a.request,
		Target: a.target, Expected: expected(a.finding), Got: got(a),
	})
}

// expected says in words what would have been right.
func expected(f proof.Finding) string {
	switch {
	case f.Kind == proof.Moved:
		return "announced, so anything"
	case f.Most == 0:
		return "from " + f.Home
	case f.Least == f.Most:
		return fmt.Sprintf("from %s, count %d", f.Home, f.Most)
	default:
		return fmt.Sprintf("from %s, count %d to %d", f.Home, f.Least, f.Most)
	}
}

// got says in words what came.
func got(a attempt) string {
	parts := []string{"from " + a.seen.From}
	if a.seen.Counted {
		parts = append(parts, fmt.Sprintf("count %d", a.seen.Count))
	}
	parts = append(parts, fmt.Sprintf("status %d", a.status))
	if a.seen.Epoch != 0 {
		parts = append(parts, fmt.Sprintf("epoch %d", a.seen.Epoch))
	}
	if a.seen.Event != "" {
		parts = append(parts, fmt.Sprintf("event %.200q", a.seen.Event))
	}
	return strings.Join(parts, ", ")
}
