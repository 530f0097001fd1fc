package load

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/limpet-proxy/limpet/load/mcp"
	"github.com/limpet-proxy/limpet/load/proof"
	"github.com/limpet-proxy/limpet/load/wire"
)

// agent is the client's side of an MCP session: its ID is the session's own. The zero value has none yet.
type agent struct {
	version string // as the server has chosen it
	ready   bool   // the server has been told that the handshake is done
	begun   int    // how many sessions it has been given, one after the other
	last    int    // the ID of the last JSON-RPC request
}

// callTool sends one call of the session, in an MCP session that is begun if there is none.
func (w *sender) callTool(s *session, n int) attempt {
	a := attempt{session: s, request: s.sent, target: w.pools[n].Target().URL.String()}
	if !s.agent.ready {
		if r := w.open(s); !s.agent.ready {
			a.at, a.reached, a.sent, a.cut, a.failure, a.wait = r.at, r.sent, r.sent && r.cut, r.cut, r.failure, r.wait
			return a
		}
		n = w.turn() // the handshake took what this one had
		a.target = w.pools[n].Target().URL.String()
	}
	s.agent.last++
	w.message = w.call.Append(w.message[:0], s.agent.last)
	r := w.say(s, n, message{method: http.MethodPost, body: w.message, id: s.agent.last})
	a.begun, a.at, a.sent, a.reached, a.cut, a.failure, a.wait = r.began, r.at, r.sent, r.sent, r.cut, r.failure, r.wait
	switch {
	case !r.sent:
	case r.status == 0:
		s.state.Lost()
	case r.status == http.StatusNotFound:
		a.answered, a.status = true, r.status
		w.lost(s, a, r)
	default:
		a.answered, a.status = true, r.status
		w.judgeCall(&a, r)
	}
	return a
}

// judgeCall looks at the answer to a call.
func (w *sender) judgeCall(a *attempt, r reply) {
	if w.plan.From.IsZero() {
		return
	}
	seen, err := w.witness.observe(r.response())
	if err != nil && a.failure.reason == "" {
		a.unjudged = err
	}
	if seen.From == "" {
		a.session.state.Lost()
		return
	}
	a.seen, a.judged = seen, true
	a.finding = a.session.state.Saw(seen)
}

// open begins an MCP session, or goes on where that was left. s.agent.ready says whether it came to its end; if not, the
// reply says why.
func (w *sender) open(s *session) reply {
	if s.id == "" {
		r := w.initialize(s)
		if s.id == "" {
			w.record.refused()
			r.failure = r.failure.in("initialize")
			return r
		}
	}
	n := w.turn()
	r := w.say(s, n, message{method: http.MethodPost, body: []byte(mcp.Initialized)})
	if r.status == http.StatusNotFound {
		w.lost(s, attempt{session: s, request: s.sent, at: r.at, target: w.pools[n].Target().URL.String(), status: r.status}, r)
	}
	if r.failure.reason != "" || r.cut {
		w.record.refused()
		r.failure = r.failure.in("notifications/initialized")
		return r
	}
	s.agent.ready = true
	return r
}

// initialize asks for a session, and learns its ID and its home.
func (w *sender) initialize(s *session) reply {
	s.agent.last++
	n := w.turn()
	w.message = mcp.AppendInitialize(w.message[:0], s.agent.last)
	r := w.say(s, n, message{method: http.MethodPost, body: w.message, id: s.agent.last})
	if r.failure.reason != "" || r.cut {
		return r
	}
	id, version := r.header.Get(mcp.SessionHeader), r.answer.Version
	switch {
	case !mcp.ValidSession(id):
		r.failure = failure{reason: "no session", text: fmt.Sprintf("the answer has no %s, or none of visible ASCII: %.80q", mcp.SessionHeader, id)}
		return r
	case !slices.Contains(mcp.Versions(), version):
		r.failure = failure{reason: "another version", text: fmt.Sprintf("the server speaks MCP %.40q, accepted are %v", version, mcp.Versions())}
		return r
	}
	again := s.agent.begun > 0
	s.id, s.agent.version, s.state = id, version, proof.Session{}
	s.agent.begun++
	a := attempt{session: s, request: s.sent, at: r.at, target: w.pools[n].Target().URL.String(), status: r.status}
	if seen, _ := w.witness.observe(r.response()); seen.From != "" && !w.plan.From.IsZero() {
		a.seen, a.judged, a.finding = seen, true, s.state.Saw(seen)
	}
	w.record.opened(a, opening{again: again, took: r.at.Sub(r.began), version: version})
	return r
}

// lost takes in that a session is unknown to whoever answered. The client forgets it, and will initialise again.
func (w *sender) lost(s *session, a attempt, r reply) {
	seen, _ := w.witness.observe(wire.Response{Header: r.header, Body: []byte{}})
	a.seen = seen
	announced := r.header.Get(errorHeader) != ""
	w.record.unknown(a, unknown{
		home: s.state.Home(), begun: r.began, lives: w.lives(s, announced), announced: announced, asked: !w.plan.From.IsZero(),
	})
	s.id, s.agent.ready, s.state = "", false, proof.Session{}
}

// maxPings is how often it is asked whether an unknown session lives. A round robin of up to one more instance than that
// comes home in between, also where nobody else's requests disturb its order.
const maxPings = 4

// lives asks whether a session that is unknown in one answer is known in one after it: then the first was wrong. A ping
// changes nothing at the server. Where the proxy itself has announced the loss, one is enough.
func (w *sender) lives(s *session, announced bool) bool {
	for range map[bool]int{true: 1, false: maxPings}[announced] {
		s.agent.last++
		r := w.say(s, w.turn(), message{method: http.MethodPost, body: mcp.AppendPing(nil, s.agent.last), id: s.agent.last})
		if r.failure.reason == "" && !r.cut {
			return true
		}
	}
	return false
}

// part ends the MCP session, as a client does that needs it no more. Where sessions have nothing to end it does nothing.
func (w *sender) part(s *session) {
	if w.plan.Protocol != MCP || s.id == "" {
		return
	}
	n := w.turn()
	r := w.say(s, n, message{method: http.MethodDelete})
	switch {
	case r.cut:
	case r.status == http.StatusNotFound:
		w.lost(s, attempt{session: s, request: s.sent, at: r.at, target: w.pools[n].Target().URL.String(), status: r.status}, r)
	default:
		w.record.parted(r.failure.reason == "")
		s.id = ""
	}
}

// turn is the target whose turn it is.
func (w *sender) turn() int { return int(w.turns.Add(1)-1) % len(w.pools) }

// message is one request to an MCP server.
type message struct {
	method string
	body   []byte
	id     int // of the JSON-RPC request; 0: it is none
}

// reply is what came of a message.
type reply struct {
	began, at time.Time
	sent, cut bool
	failure   failure
	wait      time.Duration
	status    int // 0: no whole response came
	header    http.Header
	answer    mcp.Answer
}

// response is the reply as the witness reads it: the body is what the tool says.
func (r reply) response() wire.Response {
	return wire.Response{Status: r.status, Header: r.header, Body: append([]byte{}, r.answer.Data...)}
}
