package load

import (
	"fmt"
	"slices"
	"time"

	"github.com/limpet-proxy/limpet/load/proof"
)

// maxPending is how many unknown sessions of each home wait for a proof that it was alive; past it, those that have waited
// longest are left in doubt.
const maxPending = 1000

// opening is what is known of an MCP session that has begun.
type opening struct {
	again   bool // in the place of one that had become unknown
	took    time.Duration
	version string
}

// unknown is a 404: whoever answered does not know the session.
type unknown struct {
	home      string    // "": none was known
	begun     time.Time // when the request was sent
	lives     bool      // the session has been answered since
	announced bool      // by the proxy itself
	asked     bool      // it is to be judged
}

// doubt is an unknown session whose home may have been alive all the while.
type doubt struct {
	attempt
	unknown
	name string // the ID that the session had
}

// opened takes in an MCP session that has begun.
func (r *recorder) opened(a attempt, o opening) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mcp.Initialized++
	r.mcp.Version = o.version
	if o.again {
		r.mcp.Reinitialized++
	}
	r.handshake.record(o.took)
	if a.judged {
		r.judged(a)
	}
}

// refused counts a handshake that failed.
func (r *recorder) refused() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mcp.Refused++
}

// parted counts a DELETE that was answered, or was not.
func (r *recorder) parted(deleted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if deleted {
		r.mcp.Deleted++
	} else {
		r.mcp.Undeleted++
	}
}

// unknown takes in that a session is unknown, which ends it. Whose fault that is shows at once if the session lives, and
// later if its home does.
func (r *recorder) unknown(a attempt, u unknown) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mcp.Unknown++
	r.timeline.now.Unknown++
	d := doubt{a, u, a.session.id}
	if u.asked && a.session.livesAt != "" && a.seen.From != "" {
		r.affinity.Judged++
		r.affinity.Checked++
		r.responses[r.bounded(a.seen.From, r.responses)]++
	}
	switch {
	case !u.asked:
	case u.lives:
		r.misrouted(d, "and the session answered a request after it")
	case u.home == "", a.seen.From == u.home, a.seen.From == "" && u.announced:
	default:
		r.doubt(d)
	}
	r.homeless(a.session)
}

// homeless takes the home of a session whose client has forgotten it.
func (r *recorder) homeless(s *session) {
	if s.livesAt != "" {
		r.homes[s.livesAt]--
		s.livesAt = ""
	}
	s.steady = time.Time{}
	r.stray(s, false)
}

func (r *recorder) doubt(d doubt) {
	waiting := r.doubts[d.home]
	if len(waiting) >= maxPending {
		waiting = slices.Delete(waiting, 0, 1)
	}
	if waiting != nil || len(r.doubts) < MaxInstances {
		r.doubts[d.home] = append(waiting, d)
	}
}

// alive takes in that a home has gone on with another of its sessions: it has had its memory since it first answered that
// one. What it has forgotten in that time, or so others said, it has not.
//
// The other session must have been at home before the request in doubt was sent, and asked again after that was answered:
// an answer that is read late may be from a program that has died since.
func (r *recorder) alive(a attempt) {
	waiting := r.doubts[a.finding.Home]
	if len(waiting) == 0 {
		return
	}
	r.doubts[a.finding.Home] = slices.DeleteFunc(waiting, func(d doubt) bool {
		if a.session.steady.IsZero() || !a.session.steady.Before(d.unknown.begun) || !d.at.Before(a.begun) {
			return false
		}
		if d.seen.From == "" {
			r.mcp.Unexplained++
		} else {
			r.misrouted(d, d.home+" went on with its other sessions")
		}
		return true
	})
}

// misrouted counts an unknown session that was not lost.
func (r *recorder) misrouted(d doubt, why string) {
	r.affinity.Misroutes++
	r.timeline.now.Misroutes++
	r.mcp.Misrouted++
	if !d.session.strayed {
		d.session.strayed = true
		r.affinity.Strayed++
	}
	from := d.seen.From
	if from == "" {
		from = "an answer without a name"
	}
	expected := "an answer of the session's"
	if d.home != "" {
		expected = "from " + d.home
	}
	if len(r.affinity.Examples) < MaxExamples {
		r.affinity.Examples = append(r.affinity.Examples, Example{
			Kind: proof.Misroute.String(), At: d.at.Sub(r.began).Seconds(), Session: d.name, Request: d.request, Target: d.target,
			Expected: expected, Got: fmt.Sprintf("from %s, status %d, %s", from, d.status, why),
		})
	}
}
