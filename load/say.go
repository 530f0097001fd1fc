package load

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/limpet-proxy/limpet/load/mcp"
	"github.com/limpet-proxy/limpet/load/wire"
)

// say sends a message of the session's to a target and reads the answer.
func (w *sender) say(s *session, n int, m message) (r reply) {
	r.began = time.Now()
	pool := w.pools[n]
	conn, err := pool.Take(w.cut)
	if err != nil {
		r.at, r.cut, r.failure, r.wait = time.Now(), w.cut.Err() != nil, dialFailed(err), DefaultRetryWait
		return r
	}
	r.sent = true
	defer pool.Put(conn) // not before: the body is the connection's
	in := ear{events: &w.events, id: m.id}
	w.events.Reset()
	res, err := conn.Do(wire.Exchange{
		Head: w.mcpHead(s, n, m), Body: m.body, Method: m.method, Deadline: r.began.Add(w.plan.Timeout),
		KeepBody: MaxJudgedBody, Events: in.hear,
	})
	r.at = time.Now()
	if !in.at.IsZero() {
		r.at = in.at // not when the stream's end was read
	}
	if err != nil {
		r.cut, r.failure, r.wait = w.cut.Err() != nil, answerLost(err), DefaultRetryWait
		if errors.Is(err, mcp.ErrAnswer) || errors.Is(err, mcp.ErrEvents) {
			r.failure.reason = "no JSON-RPC answer"
		}
		return r
	}
	r.status, r.header, r.wait, r.failure = res.Status, res.Header, retryWait(res.Header), refused(res)
	if m.id != 0 && r.failure.reason == "" {
		in.read(res.Body)
		r.answer, r.failure = in.answer, in.failure()
	}
	return r
}

// mcpHead makes a request's head. It is valid until the next.
func (w *sender) mcpHead(s *session, n int, m message) []byte {
	h := w.heads[n]
	if m.method == http.MethodDelete {
		h = w.farewells[n]
	}
	w.scratch = append(w.scratch[:0], h.before...)
	if s.id != "" {
		w.scratch = appendHeader(w.scratch, mcp.SessionHeader, s.id)
		w.scratch = appendHeader(w.scratch, mcp.VersionHeader, s.agent.version)
	}
	if m.body != nil {
		w.scratch = append(w.scratch, "Content-Length: "...)
		w.scratch = append(strconv.AppendInt(w.scratch, int64(len(m.body)), 10), "\r\n"...)
	}
	return append(w.scratch, "\r\n"...)
}

// ear waits for the answer to one JSON-RPC request, as a body or among the events of a stream.
type ear struct {
	events *mcp.Events
	id     int
	heard  bool
	answer mcp.Answer
	err    error
	at     time.Time // when it came in a stream
}

// hear takes a part of an event stream in.
func (e *ear) hear(part []byte) (done bool, err error) {
	done, err = e.events.Feed(part, func(data []byte) bool {
		e.read(data)
		return e.heard || e.err != nil
	})
	if done {
		e.at = time.Now()
	}
	if err == nil {
		err = e.err
	}
	return done, err
}

// read takes one message in. A body that is nil was longer than is kept, or has been heard as a stream.
func (e *ear) read(text []byte) {
	if !e.heard && e.err == nil && text != nil {
		e.answer, e.heard, e.err = mcp.Read(text, e.id)
	}
}

// failure is why a response that succeeded as HTTP is none as JSON-RPC.
func (e *ear) failure() failure {
	switch {
	case e.err != nil:
		return failure{reason: "no JSON-RPC answer", text: excerpt(e.err.Error())}
	case !e.heard:
		return failure{reason: "no JSON-RPC answer", text: "no JSON-RPC answer to this request, or one of more than 64 KiB"}
	case e.answer.Problem != "":
		return failure{reason: e.answer.Problem, text: excerpt(e.answer.Text)}
	}
	return failure{}
}
